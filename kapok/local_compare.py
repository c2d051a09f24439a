"""Scores of one file of this machine against another that it was made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from kapok.language import t
from kapok.local import Show, follow, look
from pipelines.colour.chroma_siting import found_siting, upright_siting
from pipelines.colour.colour_filters import target_colour
from pipelines.colour.colour_types import Conversion
from pipelines.colour.source_colour import complete_colour
from pipelines.errors import KapokError
from pipelines.inspection.pulldown import film_frames, film_rate
from pipelines.media import Colour, Hdr10, Inspection, MediaInfo, VideoTrack
from pipelines.planning.plan import Chunk, Plan, Rung, VideoPlan
from pipelines.planning.plan_colour import conversion_between, decide
from pipelines.sources.containers import may_jump

if TYPE_CHECKING:
    from pipelines.profiles.profile import VideoCodec
    from pipelines.quality.measure import Scores


class NotComparable(KapokError):
    """Two files are not versions of the same picture: no score would mean anything."""

    code = "not_comparable"


def compare(
    reference: Path, distorted: Path, scratch: Path, begin: Callable[[str], Show]
) -> Scores:
    """Scores of one file against another, as if a plan had made the second from the first."""
    from pipelines.quality.measure import measure

    title = t("inspecting the reference", "检查参考文件")
    info, inspection = look(reference, scratch / "reference", begin(title))
    title = t("inspecting the other file", "检查被测文件")
    other, decoded = look(distorted, scratch / "distorted", begin(title))
    plan = plan_between(info, inspection, other, frames=decoded.frames)
    (rung,) = plan.rungs
    measuring = measure(reference, [(rung, distorted)], plan, scratch)
    title = t("measuring", "测量画质")
    return follow(measuring, begin(title)).of(rung.profile)


def plan_between(info: MediaInfo, inspection: Inspection, other: MediaInfo, *, frames: int) -> Plan:
    """The plan that would have made `other` from the reference; `NotComparable` when none could."""
    source, made = info.picture, other.picture
    if source is None or made is None or inspection.frame_rate is None:
        raise NotComparable(t("both files need a picture", "两个文件都必须有画面"))
    deinterlace = inspection.scan != "progressive" and made.field_order not in ("tt", "bb")
    each_field = deinterlace and made.frame_rate == 2 * inspection.frame_rate
    rate, count = inspection.frame_rate, inspection.frames
    film = inspection.pulldown if made.frame_rate == film_rate(rate) else None
    if film is not None:
        rate, count, deinterlace = film_rate(rate), film_frames(film, count), False
    if each_field:
        rate, count = 2 * rate, 2 * count
    divisor = _divisor(rate, made.frame_rate)
    expected = -(-count // divisor)
    if frames != expected:
        raise NotComparable(
            t(
                f"{frames} frames against {expected}: the files do not show the same pictures",
                f"帧数为 {frames}，应为 {expected}：两个文件的画面不对应",
            )
        )
    video = replace(
        _video_plan(source, made, divisor, frames),
        deinterlace=deinterlace,
        each_field=each_field,
        pulldown=film is not None,
    )
    rung = Rung("comparison", 1, "mp4", video, (), packaged=False)
    return Plan(
        duration_s=inspection.duration_s,
        frames=inspection.frames,
        frame_rate=inspection.frame_rate,
        constant_frame_rate=inspection.constant_frame_rate,
        first_picture_s=inspection.first_picture_s,
        audio_start_s=inspection.audio_start_s,
        video_track=source.index,
        audio_tracks=tuple(track.index for track in info.audio),
        rungs=(rung,),
        refused=(),
        chunks=(Chunk(0, 0, inspection.frames),),
        decisions=(),
        source_colour=complete_colour(source),
        source_pix_fmt=source.pix_fmt,
        source_chroma_location=upright_siting(source),
        source_field_order=inspection.scan,
        source_pulldown=film,
        source_timecode=info.timecode,
        start_s=info.start_s,
        clock_of_tracks=may_jump(info.format_name),
        clock_jumps=inspection.clock_jumps,
        track_gaps=inspection.track_gaps,
    )


def _divisor(reference: Fraction, made: Fraction) -> int:
    ratio = reference / made
    if ratio.denominator != 1:
        raise NotComparable(
            t(
                f"{float(made):g} fps is no whole part of {float(reference):g}: no frames pair up",
                f"{float(made):g} fps 不是 {float(reference):g} fps 的整数分之一，无法逐帧配对",
            )
        )
    return ratio.numerator


def _video_plan(source: VideoTrack, made: VideoTrack, divisor: int, frames: int) -> VideoPlan:
    conversion = _conversion(source, made)
    before = complete_colour(source)
    after = target_colour(conversion, before)
    kept = Hdr10(made.mastering_display, made.content_light)
    return VideoPlan(
        codec=_codec(made.codec),
        encoder=made.codec,
        width=made.width,
        height=made.height,
        frame_rate=made.frame_rate,
        frames=frames,
        pix_fmt=made.pix_fmt,
        colour=after,
        conversion=conversion,
        field_order=made.field_order or "progressive",
        sample_aspect_ratio=made.sample_aspect_ratio,
        rate_divisor=divisor,
        colour_decision=decide(conversion, before, after, source, kept),
        chroma_location=found_siting(made),
    )


def _conversion(source: VideoTrack, made: VideoTrack) -> Conversion:
    """What Kapok would have done; two SDR files of one colour are compared as they are."""
    before, after = complete_colour(source), complete_colour(made)
    if (before.dynamic_range, after.dynamic_range) == ("sdr", "sdr"):
        same_tags = source.colour == made.colour and before.range == after.range
        if before == after or same_tags:
            return "none"
    conversion = conversion_between(before, after.dynamic_range)
    wanted = target_colour(conversion, before)
    if replace(after, transfer=wanted.transfer) != wanted:
        raise NotComparable(_other_colour(after, wanted))
    return conversion


def _other_colour(found: Colour, wanted: Colour) -> str:
    names = (f"{one.primaries}/{one.matrix}/{one.range}" for one in (found, wanted))
    has, needs = names
    return t(
        f"the other file is {has} and would be {needs} if it came from the reference: convert it",
        f"被测文件的色彩为 {has}，由参考文件生成时应为 {needs}：请先转换",
    )


def _codec(name: str) -> VideoCodec:
    """The nearest codec word of a plan; scores do not depend on it."""
    return {"hevc": "hevc", "ffv1": "ffv1"}.get(name, "h264")  # type: ignore[return-value]
