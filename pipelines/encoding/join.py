"""Chunks and sound into one rendition, by stream copy alone."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

from pipelines.encoding.avs2_end import write_end
from pipelines.encoding.encoders import mastering_words
from pipelines.encoding.timecode import rung_timecode
from pipelines.errors import VerificationFailed
from pipelines.languages import in_file
from pipelines.planning.plan_types import AudioPlan, Plan, Rung, VideoPlan
from pipelines.profiles.profile import Container
from pipelines.progress import Progress
from pipelines.running.run import Finished, run
from pipelines.running.tools import ffmpeg
from pipelines.sources.ask_ffprobe import ask_ffprobe
from pipelines.verification.mp4_boxes import show_unasked
from pipelines.verification.subtitle_times import joined_subtitles

_MUXER: dict[Container, str] = {
    "mp4": "mp4",
    "mkv": "matroska",
    "m4a": "ipod",
    "ts": "mpegts",
    "mxf": "mxf",
    "mov": "mov",
}
_WITH_AN_INDEX = frozenset({"mp4", "m4a", "mov"})
# [P] Kapok speaks for itself where a profile names no service.
_PROVIDER, SERVICE = "Kapok", "Kapok"
_CLOCK_MS = 20  # [P] half of what DVB allows (ETSI TR 101 154: 40 ms)
_MARGIN_S = Fraction(1, 5)  # [P] beyond the decoder's buffer
_NO_STARTS: Mapping[Path, Fraction] = MappingProxyType({})
# Without an amount it only drops.
_WITHOUT_PRIMING, _WITHOUT_EARLY = r"noise=drop=lt(pts\,0)", r"noise=drop=lte(pts+duration\,0)"


def join(
    rung: Rung, chunks: Sequence[Path], tracks: Sequence[Path], out: Path, plan: Plan
) -> Generator[Progress, None, Finished]:
    """Write `out` from the rung's chunks in order and its sound and subtitle files, one a track.

    A list of the chunks is written beside `out` when there are several, or AVS2 needs an end.
    Raises as `run` does, and `VerificationFailed` where subtitles are not as they were made.
    """
    lengths_us: Sequence[int] = ()
    if rung.video is not None and rung.video.codec == "avs2":  # raw packets, which are counted
        chunks = [*chunks, write_end(chunks[0], out.with_name(f"{out.name}.end.avs2"))]
    elif rung.video is not None:
        lengths_us = _lengths_us(rung.video, plan)
    copied = [path for path, track in zip(tracks, rung.audio, strict=False) if track.copied]
    starts_s = {path: _start_s(path) for path in copied}
    listing = out.with_name(f"{out.name}.chunks.txt") if len(chunks) > 1 else None
    if listing is not None:
        listing.write_text(concat_list(chunks, lengths_us))
    joined = yield from run(
        [ffmpeg(), *join_arguments(rung, chunks, listing, tracks, out, plan, starts_s)],
        readable=[*_folder(chunks, out.parent), *tracks],
        writable=[out.parent],
        total_s=float(plan.duration_s),
    )
    if rung.subtitles and rung.container in _WITH_AN_INDEX:
        show_unasked(out, [track.forced for track in rung.subtitles])
    if faults := (yield from joined_subtitles(out, rung, tracks[len(rung.audio) :])):
        told = "; ".join(faults)
        raise VerificationFailed(f"{rung.profile} was not joined as it was made: {told}")
    return joined


def _folder(chunks: Sequence[Path], beside: Path) -> list[Path]:
    """What all chunks lie in, but for those that lie in `beside`, which the tool sees anyway.

    Thousands of files, each by its name, are more than Linux takes for one command (execve(2)).
    """
    folders = [chunk.parent for chunk in chunks if not chunk.is_relative_to(beside)]
    return [Path(os.path.commonpath(folders))] if folders else []


def _start_s(path: Path) -> Fraction:
    told = ask_ffprobe(path, "-show_entries", "format=start_time")
    return Fraction(told.get("format", {}).get("start_time", 0))


def _lengths_us(video: VideoPlan, plan: Plan) -> tuple[int, ...]:
    """How long the rung's chunks are, in microseconds that add up to their seams' own.

    Matroska says it in milliseconds: added up, what that lacks is half a frame after some minutes.
    """
    parts = [video.frames_within(chunk.start_frame, chunk.end_frame) for chunk in plan.chunks]
    ends_us = [round(part.stop / video.frame_rate * 1_000_000) for part in parts]
    return tuple(end - start for start, end in pairwise([0, *ends_us]))


def concat_list(chunks: Sequence[Path], lengths_us: Sequence[int] = ()) -> str:
    """What ffmpeg's concat demuxer reads; a quote inside a name is closed, escaped and reopened."""
    files = ["file '{}'\n".format(str(chunk).replace("'", r"'\''")) for chunk in chunks]
    if lengths_us:
        lengths = (f"duration {length_us}us\n" for length_us in lengths_us)
        files = [file + length for file, length in zip(files, lengths, strict=True)]
    return "".join(["ffconcat version 1.0\n", *files])


def join_arguments(
    rung: Rung,
    chunks: Sequence[Path],
    listing: Path | None,
    tracks: Sequence[Path],
    out: Path,
    plan: Plan,
    starts_s: Mapping[Path, Fraction] = _NO_STARTS,
) -> list[str]:
    """The arguments of the one ffmpeg that joins; `listing` names several chunks, `starts_s` says
    when files begin that do not begin with the picture.
    """
    arguments = ["-v", "warning", *_hdr10(rung.video)]
    if listing is not None:
        arguments += ["-f", "concat", "-safe", "0", "-i", str(listing)]
    else:
        arguments += [word for chunk in chunks for word in ("-i", str(chunk))]
    for position, path in enumerate(tracks):
        # Ffmpeg counts each file from its own beginning, where it finds one: of PGS it does.
        late_s = starts_s.get(path, 0)
        arguments += ["-itsoffset", f"{float(late_s):.6f}"] if late_s else []
        arguments += ["-seek_timestamp", "1"] if position >= len(rung.audio) else []
        arguments += ["-i", str(path)]
    if chunks:
        arguments += ["-map", "0:v:0"]
    first_track = 1 if chunks else 0
    for position in range(len(tracks)):
        kind = "a" if position < len(rung.audio) else "s"
        arguments += ["-map", f"{first_track + position}:{kind}:0"]
    arguments += ["-c", "copy", "-map_metadata", "-1", "-map_chapters", "-1"]
    arguments += ["-fflags", "+bitexact"]  # the same chunks give the same bytes
    if rung.video is not None:
        arguments += _picture_arguments(rung, rung.video, plan, seams=listing is not None)
    for position, track in enumerate(rung.audio):
        language = in_file(track.language, rung.container)
        arguments += [f"-metadata:s:a:{position}", f"language={language}"]
    arguments += _subtitle_arguments(rung)
    if rung.container in _WITH_AN_INDEX:
        arguments += ["-movflags", "+faststart"]
    if rung.container == "ts":
        arguments += _transport_arguments(rung)
    return [*arguments, "-f", _MUXER[rung.container], "-y", str(out)]


def _subtitle_arguments(rung: Rung) -> list[str]:
    """Languages, and whom each is for: nobody sees one that is not forced without asking."""
    arguments: list[str] = []
    for position, track in enumerate(rung.subtitles):
        marks = ("forced", track.forced), ("hearing_impaired", track.hearing_impaired)
        said = "+".join(name for name, holds in marks if holds)
        language = in_file(track.language, rung.container)
        arguments += [f"-metadata:s:s:{position}", f"language={language}"]
        arguments += [f"-disposition:s:{position}", said or "0"]
    return arguments


def _transport_arguments(rung: Rung) -> list[str]:
    """One service; of a constant rate, where the profile says one.

    What fills the decoder's buffer must be sent before it is decoded, so the clock starts earlier
    by that much. AAC's priming block, which no edit list can hide here, would begin 21 ms before
    the picture.
    """
    video, rate_bps = rung.video, rung.mux_rate_bps
    buffer_s = Fraction(1, 2)
    if video and video.buffer_bits and video.max_bitrate_bps:
        buffer_s = Fraction(video.buffer_bits, video.max_bitrate_bps)
    return [
        *("-metadata", f"service_name={rung.service_name or SERVICE}"),
        *("-metadata", f"service_provider={_PROVIDER}"),
        *(("-muxrate", str(rate_bps)) if rate_bps else ()),
        *("-pcr_period", str(_CLOCK_MS)),
        *("-muxdelay", f"{float(buffer_s + _MARGIN_S):.3f}", "-muxpreload", "0"),
        # Else the last of a track that ends early waits for the next of it, or for the file's end.
        *(("-pes_payload_size", "0") if any(track.copied for track in rung.audio) else ()),
        *(
            word
            for position, track in enumerate(rung.audio)
            if track.codec == "aac" or track.copied
            for word in (f"-bsf:a:{position}", _early(track))
        ),
    ]


def _early(track: AudioPlan) -> str:
    """AAC's priming; of a copy what ends before the picture begins."""
    return _WITHOUT_EARLY if track.copied else _WITHOUT_PRIMING


def _hdr10(video: VideoPlan | None) -> list[str]:
    """Static metadata for the container: of the first input, whose stream has its own already.

    A copy's source may have had it in the stream alone, as transport streams do.
    """
    arguments: list[str] = []
    if video is not None and (video.copied or not video.lossless):
        if display := video.mastering_display:
            arguments += ["-mastering_display:v:0", mastering_words(display)]
        if light := video.content_light:
            arguments += ["-content_light:v:0", f"{light.max_cll_cd_m2},{light.max_fall_cd_m2}"]
    return arguments


def _picture_arguments(rung: Rung, video: VideoPlan, plan: Plan, *, seams: bool) -> list[str]:
    arguments: list[str] = []
    if video.codec == "hevc" and rung.container in _WITH_AN_INDEX:
        arguments += ["-tag:v", "hvc1"]  # Apple's players refuse hev1
    if video.codec == "avs2":
        # Its pictures are in order. Readers that are told no decoding time guess one, and wrongly.
        frame = f"{1 / video.frame_rate}/TB"
        arguments += ["-bsf:v", f"setts=pts=N*{frame}:dts=(N-1)*{frame}"]
    elif seams or video.copied:
        # The concat demuxer adds up the chunks' rounded lengths, which drifts; a copy has the
        # source's rounding.
        arguments += ["-bsf:v", _onto_the_grid(video.frame_rate)]
    if timecode := rung_timecode(plan, rung):
        arguments += ["-timecode", timecode]
    return arguments


def _onto_the_grid(rate: Fraction) -> str:
    def snapped(stamp: str) -> str:
        return f"round(round({stamp}*TB*{rate})*{1 / rate}/TB)"

    return f"setts=pts={snapped('PTS')}:dts={snapped('DTS')}"
