"""The proof of a lossless rendition: frames and samples decode to the MD5 of the source's.

The rendition is hashed by the one decode that looks at all of it: `pipelines.verification.decoded`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.encoding.large_pictures import decoder_words
from pipelines.facts import Measurement
from pipelines.planning.plan_types import AudioPlan, Plan, Rung, VideoPlan
from pipelines.progress import Progress
from pipelines.running.run import run
from pipelines.running.tools import ffmpeg
from pipelines.sound.sound_mix import in_order
from pipelines.sources.containers import PICTURE_INPUT, sound_words
from pipelines.verification.lossless_formats import HASHED_AS

# Without -noautoscale a frame of another raster would be scaled to the first one's, and hashed.
HASHED = ("-noautoscale", "-fps_mode", "passthrough", "-f", "framehash", "-hash", "md5")


class FrameHashes:
    """The last column of ffmpeg's framehash, line by line."""

    def __init__(self) -> None:
        self.of_frames: list[bytes] = []
        self._rest = b""

    def feed(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        self.of_frames += [
            line.rpartition(b",")[2].strip() for line in lines if not line.startswith(b"#")
        ]


class LosslessHashes:
    """The MD5s of one file: every frame, all samples of each lossless track, copied metadata.

    They are outputs of a command whose first input is the rendition, or else the source.
    """

    def __init__(self, rung: Rung, plan: Plan, *, of_source: bool = False) -> None:
        assert rung.video is not None, "a lossless rung has a picture"
        self.frames = FrameHashes()
        self.metadata = bytearray()
        self._video = rung.video
        self._picture = f"0:{plan.video_track}" if of_source else "0:v:0"
        self._tracks = {at: track for at, track in enumerate(rung.audio) if track.lossless}
        self.sounds = {at: bytearray() for at in self._tracks}
        self._plan, self._of_source = plan, of_source

    def outputs(self) -> list[str]:
        return [
            *("-map", self._picture, *_hashed(self._video), "pipe:hashed"),
            *(word for at, track in self._tracks.items() for word in self._samples(at, track)),
            *(self._messages() if self._video.dynamic_metadata else ()),
        ]

    def taps(self) -> dict[str, Callable[[bytes], object]]:
        return {
            "hashed": self.frames.feed,
            "metadata": self.metadata.extend,
            **{_samples_of(at): found.extend for at, found in self.sounds.items()},
        }

    def _samples(self, at: int, track: AudioPlan) -> list[str]:
        """In 32 bits, of which a source that has them keeps all; floating point has no own."""
        samples = "pcm_s24le" if track.lossy_source else "pcm_s32le"
        hashed = ("-c:a", samples, "-f", "md5", f"pipe:{_samples_of(at)}")
        if self._of_source:
            ordered = [word for one in in_order(track.own_order) for word in ("-af", str(one))]
            return ["-map", f"0:{self._plan.audio_tracks[track.tracks[0]]}", *ordered, *hashed]
        late = f"atrim=start_sample={self._plan.lead_samples(track)}"
        return ["-map", f"0:a:{at}", "-af", late, *hashed]

    def _messages(self) -> list[str]:
        """All SEI messages that come before slices."""
        messages = "hevc_mp4toannexb,filter_units=pass_types=39"  # ITU-T H.265 table 7-1
        kept = ("-c:v", "copy", "-bsf:v", messages, "-f", "md5")
        return ["-map", self._picture, *kept, "pipe:metadata"]


def _samples_of(at: int) -> str:
    return f"samples{at:03}"


def _hashed(video: VideoPlan) -> tuple[str, ...]:
    """Repacked samples are hashed in one order, or equal ones would differ."""
    if not video.repacked and video.pix_fmt not in HASHED_AS:
        return HASHED
    return ("-pix_fmt", HASHED_AS.get(video.pix_fmt, video.pix_fmt), *HASHED)


@dataclass(frozen=True, slots=True)
class Proof:
    """`faults` say what differs, none where all is equal; `argv` hashed the source."""

    measurement: Measurement
    faults: tuple[str, ...]
    argv: tuple[str, ...]


def prove(
    source: Path, ours: LosslessHashes, rung: Rung, plan: Plan
) -> Generator[Progress, None, Proof]:
    """Decode the source whole, picture and sound, and compare it with the hashes of a rendition:
    a `framemd5` measurement, equal or not.
    """
    theirs = LosslessHashes(rung, plan, of_source=True)
    finished = yield from run(
        [
            *(ffmpeg(), "-v", "error", *PICTURE_INPUT, *decoder_words(None, plan.source_codec)),
            *(*sound_words(plan.source_sounds), "-i", str(source), *theirs.outputs()),
        ],
        readable=[source],
        total_frames=plan.frames,
        taps=theirs.taps(),
    )
    fault = _difference(ours.frames.of_frames, theirs.frames.of_frames)
    count = len(ours.frames.of_frames)
    faults = [
        fault,
        *(_sound_fault(at, ours.sounds[at], found) for at, found in theirs.sounds.items()),
    ]
    if rung.video and rung.video.dynamic_metadata and not _same(ours.metadata, theirs.metadata):
        faults.append("the metadata in the stream is not the source's")
    return Proof(
        Measurement("framemd5", None, None, None, None, count, equal=fault is None),
        tuple(told for told in faults if told is not None),
        finished.argv,
    )


def _sound_fault(at: int, ours: bytearray, theirs: bytearray) -> str | None:
    same = _same(ours, theirs)
    return None if same else f"the samples of audio track {at} are not the source's"


def _same(ours: bytearray, theirs: bytearray) -> bool:
    return bool(ours) and ours == theirs


def _difference(ours: Sequence[bytes], theirs: Sequence[bytes]) -> str | None:
    if len(ours) != len(theirs) or not ours:
        return f"{len(ours)} frames decode, {len(theirs)} of the source"
    other = [
        number for number, pair in enumerate(zip(ours, theirs, strict=True)) if len({*pair}) > 1
    ]
    if not other:
        return None
    return f"{len(other)} of {len(ours)} frames are not the source's, the first is frame {other[0]}"
