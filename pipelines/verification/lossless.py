"""The proof of a lossless rendition: frames and samples decode to the MD5 of the source's."""

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
from pipelines.sources.containers import PICTURE_INPUT
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


@dataclass(frozen=True, slots=True)
class Proof:
    """`faults` say what differs, none where all is equal; `argv` hashed both files."""

    measurement: Measurement
    faults: tuple[str, ...]
    argv: tuple[str, ...]


def prove(
    source: Path, rendition: Path, rung: Rung, plan: Plan
) -> Generator[Progress, None, Proof]:
    """Decode both files whole, picture and sound: a `framemd5` measurement, equal or not."""
    ours, theirs = FrameHashes(), FrameHashes()
    said = _MetadataHashes(plan)
    sounds = [_SoundHashes(at, track) for at, track in enumerate(rung.audio) if track.lossless]
    assert rung.video is not None, "a lossless rung has a picture"
    frames = _hashed(rung.video)
    finished = yield from run(
        [
            *(ffmpeg(), "-v", "error", *PICTURE_INPUT, *decoder_words(None, plan.source_codec)),
            *("-i", str(source), "-i", str(rendition)),
            *("-map", f"0:{plan.video_track}", *frames, "pipe:source"),
            *("-map", "1:v:0", *frames, "pipe:rendition"),
            *(word for sound in sounds for word in sound.outputs(plan)),
            *(said.outputs() if rung.video.dynamic_metadata else ()),
        ],
        readable=[source, rendition],
        total_frames=plan.frames,
        taps={
            "source": theirs.feed,
            "rendition": ours.feed,
            **(said.taps() if rung.video.dynamic_metadata else {}),
            **{name: tap for sound in sounds for name, tap in sound.taps().items()},
        },
    )
    fault = _difference(ours.of_frames, theirs.of_frames)
    count = len(ours.of_frames)
    faults = [fault, *(sound.fault() for sound in sounds)]
    if rung.video.dynamic_metadata:
        faults.append(said.fault())
    return Proof(
        Measurement("framemd5", None, None, None, None, count, equal=fault is None),
        tuple(told for told in faults if told is not None),
        finished.argv,
    )


def _hashed(video: VideoPlan) -> tuple[str, ...]:
    """Repacked samples are hashed in one order, or equal ones would differ."""
    if not video.repacked and video.pix_fmt not in HASHED_AS:
        return HASHED
    return ("-pix_fmt", HASHED_AS.get(video.pix_fmt, video.pix_fmt), *HASHED)


class _MetadataHashes:
    """The MD5 of all SEI messages that come before slices, here and in the source."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._ours, self._theirs = bytearray(), bytearray()

    def outputs(self) -> list[str]:
        messages = "hevc_mp4toannexb,filter_units=pass_types=39"  # ITU-T H.265 table 7-1
        kept = ("-c:v", "copy", "-bsf:v", messages, "-f", "md5")
        return [
            *("-map", f"0:{self._plan.video_track}", *kept, "pipe:metadatasource"),
            *("-map", "1:v:0", *kept, "pipe:metadatarendition"),
        ]

    def taps(self) -> dict[str, Callable[[bytes], object]]:
        return {
            "metadatasource": self._theirs.extend,
            "metadatarendition": self._ours.extend,
        }

    def fault(self) -> str | None:
        if self._ours and self._ours == self._theirs:
            return None
        return "the metadata in the stream is not the source's"


class _SoundHashes:
    """The MD5 of all samples of a track, here and in the source."""

    def __init__(self, position: int, track: AudioPlan) -> None:
        self._position = position
        self._track = track
        self._ours, self._theirs = bytearray(), bytearray()

    def outputs(self, plan: Plan) -> list[str]:
        """In 32 bits, of which a source that has them keeps all; floating point has no own."""
        samples = "pcm_s24le" if self._track.lossy_source else "pcm_s32le"
        hashed = ("-c:a", samples, "-f", "md5")
        late = f"atrim=start_sample={plan.lead_samples(self._track)}"
        theirs, ours = self._names()
        return [
            *("-map", f"0:{plan.audio_tracks[self._track.tracks[0]]}", *hashed, f"pipe:{theirs}"),
            *("-map", f"1:a:{self._position}", "-af", late, *hashed, f"pipe:{ours}"),
        ]

    def taps(self) -> dict[str, Callable[[bytes], object]]:
        theirs, ours = self._names()
        return {theirs: self._theirs.extend, ours: self._ours.extend}

    def fault(self) -> str | None:
        if self._ours and self._ours == self._theirs:
            return None
        return f"the samples of audio track {self._position} are not the source's"

    def _names(self) -> tuple[str, str]:
        return f"sound{self._position:03}source", f"sound{self._position:03}rendition"


def _difference(ours: Sequence[bytes], theirs: Sequence[bytes]) -> str | None:
    if len(ours) != len(theirs) or not ours:
        return f"{len(ours)} frames decode, {len(theirs)} of the source"
    other = [
        number for number, pair in enumerate(zip(ours, theirs, strict=True)) if len({*pair}) > 1
    ]
    if not other:
        return None
    return f"{len(other)} of {len(ours)} frames are not the source's, the first is frame {other[0]}"
