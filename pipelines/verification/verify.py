"""Whether a rendition is what its plan says: what disagrees never becomes `ready`."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipelines.errors import (
    MediaError,
    ToolFailed,
    ToolKilled,
    ToolStalled,
    VerificationFailed,
)
from pipelines.facts import AudioFacts, Measurement, RenditionFacts, SubtitleFacts, Verified
from pipelines.fixity import digest
from pipelines.inspection.thumbs import Pictures, Thumbs, part_of, picture_places, source_pictures
from pipelines.media import Colour
from pipelines.planning.plan_loudness import as_measured
from pipelines.planning.plan_types import AudioPlan, Plan, Rung, VideoPlan
from pipelines.progress import Progress, part
from pipelines.sound.audio import measure_as_it_is
from pipelines.sound.sound_levels import EXACT_DB, LOSSY_DB, Levels, gain_between, level_faults
from pipelines.verification.copied_sound import copied_sound
from pipelines.verification.decoded import Decoded, DecodedSound, Track, decode
from pipelines.verification.expectations import decoding_faults, off_target, signalling_faults
from pipelines.verification.lossless import LosslessHashes, prove
from pipelines.verification.picture_sync import Known, misplaced, rung_frames
from pipelines.verification.readback import Reading, read_back
from pipelines.verification.samples import (
    HeardSound,
    SourceTrack,
    Span,
    rendition_mix,
    side_by_side,
    sound_spans,
    source_sounds,
    source_tracks,
    together,
)
from pipelines.verification.seams import seam_faults, seam_frames
from pipelines.verification.sound_sync import sound_faults
from pipelines.verification.subtitle_times import copied_subtitles
from pipelines.verification.transport_stream import BadTransport

_TOLD = 12  # faults
_READ_SHARE = 0.05  # of the time, for a transport stream, which is read whole; others take none


def verify(
    path: Path, rung: Rung, plan: Plan, source: Path, thumbs: Thumbs | None
) -> Generator[Progress, None, Verified]:
    """Read a finished file back and compare it with its plan and its source.

    `thumbs` are what `inspect` kept of the source's pictures, `None` where it has none. Of a
    lossless rung every frame and every sample is compared, by its MD5.

    Raises `VerificationFailed` with the disagreements; errors of the tools that another attempt
    may cure (killed, stalled, disk full) pass through.
    """
    spans = sound_spans(plan.duration_s) if rung.audio else ()
    hashed = LosslessHashes(rung, plan) if rung.video and rung.video.lossless else None
    try:
        said = read_back(path, rung.video.captions if rung.video else ())
        reading = yield from part(said, 0.0, _READ_SHARE, "reading the rendition back")
        decoding = _decode(path, rung, plan, reading, spans, hashed)
        decoded = yield from part(decoding, _READ_SHARE, 0.6, "decoding the rendition")
    except (ToolKilled, ToolStalled):
        raise
    except (ToolFailed, MediaError, BadTransport) as error:
        raise VerificationFailed(f"{rung.profile} cannot be read back: {_said(error)}") from error
    with TemporaryDirectory(prefix="sound-", dir=path.parent) as folder:
        bound = yield from _bounded(rung, plan, source, decoded.sounds, Path(folder))
    faults = [*signalling_faults(rung, reading, plan), *decoding_faults(bound, plan, decoded)]
    if not faults:  # a file of another shape has no places to compare
        looking = _source_faults(rung, plan, source, thumbs, decoded, spans)
        faults = yield from part(looking, 0.6, 0.7, "comparing with the source")
    if not faults and decoded.picture and decoded.picture.hashes:
        with TemporaryDirectory(prefix="seams-", dir=path.parent) as folder:
            again = seam_faults(rung, plan, source, decoded.picture.hashes, Path(folder))
            faults = yield from part(again, 0.7, 0.7, "encoding the seams again")
    _refuse(rung, faults)
    measured: tuple[Measurement, ...] = ()
    commands: list[tuple[str, ...]] = []
    if hashed:
        proving = prove(source, hashed, rung, plan)
        proof = yield from part(proving, 0.7, 0.95, "proving every frame")
        _refuse(rung, [f"not lossless: {fault}" for fault in proof.faults])
        measured, commands = (proof.measurement,), [decoded.argv, proof.argv]
    copied = yield from copied_sound(path, rung, plan, source)
    timed = yield from copied_subtitles(path, rung, plan, source)
    _refuse(rung, [f"not copied: {fault}" for fault in (*copied.faults, *timed.faults)])
    hashes = yield from part(digest(path), 0.95, 1.0, "hashing the rendition")
    facts = _facts(path, rung, plan, reading, decoded, hashes["sha256"])
    commands += [one.argv for one in (copied, timed) if one.argv]
    return Verified(facts, measured, tuple(commands))


def _refuse(rung: Rung, faults: Sequence[str]) -> None:
    if faults:
        raise VerificationFailed(f"{rung.profile} disagrees with its plan: {told(faults)}")


def told(faults: Sequence[str]) -> str:
    """The first ones: of three hours there may be a fault at each of a thousand seams."""
    more = len(faults) - _TOLD
    return "; ".join([*faults[:_TOLD], *([f"and {more} more"] if more > 0 else [])])


def _said(error: Exception) -> str:
    """What a tool called an error, which its summaries push out of the last lines of its log."""
    log = getattr(error, "log_tail", "")
    lines = re.findall(r"\[(?:error|fatal)\] (.+)", log)
    return "; ".join(dict.fromkeys(lines[:3])) or str(error)


def _decode(
    path: Path,
    rung: Rung,
    plan: Plan,
    reading: Reading,
    spans: tuple[Span, ...],
    hashed: LosslessHashes | None,
) -> Generator[Progress, None, Decoded]:
    tracks = [
        replace(
            _track(position, sound.channels, planned),
            start_s=sound.start_s if reading.transport else Fraction(0),
        )
        for position, (sound, planned) in enumerate(zip(reading.sounds, rung.audio, strict=False))
    ]
    numbers = rung_frames(rung.video, picture_places(plan)) if rung.video else []
    video = None if reading.picture is None else rung.video
    seams = seam_frames(video, plan) if video else ()
    whole = video is not None and len(tracks) == len(rung.audio)
    return (
        yield from decode(
            *(path, replace(rung, video=video), tracks, numbers, spans),
            *(seams, plan.source_whole, hashed if whole else None),
        )
    )


def _bounded(
    rung: Rung, plan: Plan, source: Path, sounds: Sequence[DecodedSound], folder: Path
) -> Generator[Progress, None, Rung]:
    """The rung with what its peaks allow of tracks that nobody had measured before their encode.

    The source's mix is measured as that encode measured it, and only where it misses its target.
    """
    tracks = list(rung.audio)
    for position, (planned, sound) in enumerate(zip(rung.audio, sounds, strict=False)):
        if off_target(planned, sound.loudness_lkfs):
            measuring = measure_as_it_is(source, plan, planned, folder)
            heard = yield from part(measuring, 0.6, 0.6, "measuring the source's sound")
            tracks[position] = as_measured(planned, heard.integrated_lkfs, heard.true_peak_dbtp)
    return replace(rung, audio=tuple(tracks))


def _track(position: int, channels: int, planned: AudioPlan) -> Track:
    if channels != planned.channels:  # which is a fault, and nothing is compared
        return Track(position, channels)
    mixed = 1 if planned.pan == "downmix" else channels
    return Track(position, mixed, rendition_mix(planned))


def _source_faults(
    rung: Rung,
    plan: Plan,
    source: Path,
    thumbs: Thumbs | None,
    decoded: Decoded,
    spans: tuple[Span, ...],
) -> Generator[Progress, None, list[str]]:
    faults: list[str] = []
    if decoded.picture is not None:
        faults += yield from _picture_faults(rung, plan, thumbs, decoded.picture.thumbs)
    in_plan = [track for other in plan.rungs for track in other.audio]
    compared = [track for track in (*in_plan, *rung.audio) if not track.lossless]
    true = yield from source_sounds(source, plan, compared, spans)
    for position, (planned, track) in enumerate(zip(rung.audio, decoded.sounds, strict=True)):
        if not planned.lossless:  # whose every sample is compared
            found = _sound_faults(planned, true, track, spans)
            faults += [f"audio track {position}: {fault}" for fault in found]
    return faults


def _sound_faults(
    planned: AudioPlan,
    true: Mapping[SourceTrack, HeardSound],
    heard: DecodedSound,
    spans: Sequence[Span],
) -> list[str]:
    parts = [true[use] for use in source_tracks(planned)]
    levels, gain = [part.levels for part in parts], _gain(planned, parts, heard)
    found = [
        fault
        for at, (span, sound) in enumerate(zip(spans, heard.spans, strict=True))
        for fault in sound_faults(
            sound / gain, side_by_side([part.spans[at] for part in parts]), float(span.start_s)
        )
    ]
    return found or _level_faults(planned, levels, heard, gain)


def _gain(planned: AudioPlan, parts: Sequence[HeardSound], heard: DecodedSound) -> np.float32:
    """What brought a track to its loudness, which has been compared with its plan already, or below
    full scale.
    """
    if planned.gain_db:
        return np.float32(10 ** (planned.gain_db / 20))
    kept = planned.loudness is None or planned.copied
    if kept or not any(len(part.levels) for part in parts):
        return np.float32(1)
    return np.float32(gain_between(heard.levels, together([part.levels for part in parts])))


def _level_faults(
    planned: AudioPlan, parts: Sequence[Levels], heard: DecodedSound, gain: np.float32
) -> list[str]:
    """Of the whole track, where the spans say nothing of what lies between them."""
    if not any(len(part) for part in parts):
        return ["nothing of the source's sound decodes, so that nothing can be compared"]
    as_loud = planned.pan != "downmix" and (planned.loudness is None or planned.copied)
    within_db = EXACT_DB if planned.gain_db else LOSSY_DB  # only PCM and FLAC have such a gain
    return level_faults(
        heard.levels / gain, together(parts), within_db=within_db if as_loud else None
    )


def _picture_faults(
    rung: Rung, plan: Plan, thumbs: Thumbs | None, ours: Pictures
) -> Generator[Progress, None, list[str]]:
    assert rung.video is not None, "only a rung with a picture has thumbnails"
    if thumbs is None:
        return ["an older inspection kept nothing to compare with: start a new job of the asset"]
    faults: list[str] = []
    windows = picture_places(plan)
    true = yield from source_pictures(thumbs, plan, windows)
    known = Known(part_of(true, rung.video.crop, plan.source_whole))
    for window in windows:
        numbers = rung_frames(rung.video, [window])
        here = {number: ours[number] for number in numbers if number in ours}
        faults += [
            *misplaced(rung.video, plan, here, known),
            *_missing(rung.video, numbers, here, known.pictures),
        ]
    return faults


def _missing(video: VideoPlan, numbers: Sequence[int], ours: Pictures, true: Pictures) -> list[str]:
    """What cannot be compared is not known to be right."""
    lost = [number for number in numbers if video.shown_by(number) not in true]
    told = [f"{len(lost)} of {len(numbers)} frames of the source are not found"] if lost else []
    if len(ours) < len(numbers):
        told.append(f"{len(numbers) - len(ours)} of {len(numbers)} frames cannot be looked at")
    return told


def _facts(
    path: Path, rung: Rung, plan: Plan, reading: Reading, decoded: Decoded, sha256: str
) -> RenditionFacts:
    size_bytes = path.stat().st_size
    video, picture = rung.video, reading.picture
    duration_s = video.frames / video.frame_rate if video else plan.duration_s
    return RenditionFacts(
        codec=picture.codec if picture else None,
        width=picture.width if picture else None,
        height=picture.height if picture else None,
        frame_rate=picture.rate_that_means(video.frame_rate) if video and picture else None,
        frames=len(decoded.picture.ticks) if decoded.picture else None,
        pix_fmt=picture.pix_fmt if picture else None,
        colour=picture.colour if picture else Colour(),
        duration_s=duration_s,
        bitrate_bps=round(size_bytes * 8 / duration_s),
        size_bytes=size_bytes,
        sha256=sha256,
        audio=tuple(
            AudioFacts(
                codec=read.codec,
                channels=read.channels,
                sample_rate_hz=read.sample_rate_hz,
                loudness_lkfs=heard.loudness_lkfs,
                true_peak_dbtp=heard.true_peak_dbtp,
                language=read.language,
            )
            for read, heard in zip(reading.sounds, decoded.sounds, strict=True)
        ),
        timecode=reading.timecode,
        captions=picture.captions if picture else (),
        subtitles=tuple(
            SubtitleFacts(read.codec, read.language, read.forced) for read in reading.subtitles
        ),
    )
