"""What becomes of the picture: raster, rate, fields and colour of each rung, or why not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from pipelines.colour.chroma_siting import found_siting, planned_siting, preserved_siting
from pipelines.colour.colour_doubt import believed
from pipelines.colour.colour_filters import target_colour
from pipelines.colour.colour_types import StatedColour
from pipelines.colour.source_colour import complete_colour
from pipelines.inspection.pulldown import film_frames, film_rate
from pipelines.media import (
    Colour,
    FieldOrder,
    Hdr10,
    Inspection,
    MediaInfo,
    VideoTrack,
)
from pipelines.planning.plan_colour import (
    conversion_between,
    decide,
    in_doubt,
    inconvertible_source,
    less_than_hdr,
    light_as,
    places,
    stated_decisions,
    static_metadata,
)
from pipelines.planning.plan_copied import why_no_copy, why_too_fast
from pipelines.planning.plan_geometry import SMALLEST_SIDE, geometry
from pipelines.planning.plan_picture_words import picture_decisions
from pipelines.planning.plan_subtitles import captions_of, plan_captions
from pipelines.planning.plan_types import Refused, VideoPlan
from pipelines.profiles.codecs import ENCODERS
from pipelines.profiles.levels import Load, beyond
from pipelines.profiles.profile import Profile, VideoProfile
from pipelines.verification.lossless_formats import FFV1_PIX_FMTS, REPACKED
from pipelines.words import Words, joined, zh_of

# 25 also takes 30000/1001 and 30, and 50 takes 60: a profile keeps its frame rate family.
FAMILY = Fraction(121, 100)
AVC_INTRA_RATES = (Fraction(50), Fraction(60000, 1001))  # of class 300, as x264 knows them
# Those that its sequence header can say, as libxavs2 writes it: 48 would be called 50.
AVS2_RATES = tuple(
    Fraction(rate)
    for rate in ("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60")
)
_STAMPED_FPS = 25  # a clock stamp every 40 ms, as ETSI TR 101 154, 4.1.5.3 asks
_BACK_FRAMES = 2  # [P] a splice may overlap by so much; more, and pictures would be lost


@dataclass(frozen=True, slots=True)
class Source:
    """The source as the plan understands it: complete colour, square-pixel size, its timeline."""

    info: MediaInfo
    inspection: Inspection
    picture: VideoTrack | None
    colour: Colour
    field_order: FieldOrder
    frame_rate: Fraction
    frames: int
    duration_s: Fraction
    decisions: tuple[Words, ...]
    colour_in_doubt: Words | None = None


def understand(
    info: MediaInfo, inspection: Inspection, stated: StatedColour | None = None
) -> Source:
    """Fill in what the file leaves out; every guess is said in `decisions`, and what a person says
    of its colour.
    """
    said = stated_decisions(info, stated)
    info = believed(info, stated)
    picture = info.picture if inspection.frames else None
    rate = inspection.frame_rate or Fraction(0)
    frames, duration_s = inspection.frames, inspection.duration_s
    if picture and not inspection.constant_frame_rate:
        frames = max(1, round(duration_s * rate))
        duration_s = frames / rate
    colour = complete_colour(picture) if picture else Colour()
    return Source(
        info=info,
        inspection=inspection,
        picture=picture,
        colour=colour,
        field_order=inspection.field_order,
        frame_rate=rate,
        frames=frames,
        duration_s=duration_s,
        decisions=(*said, *picture_decisions(picture, colour, inspection)) if picture else (),
        colour_in_doubt=None if stated else inspection.colour_in_doubt,
    )


def plan_picture(profile: Profile, wanted: VideoProfile, source: Source) -> VideoPlan:
    """The picture of one rung; raises `Refused`."""
    picture = _refuse_unfit(source)
    if wanted.fit == "source":
        return _as_it_is(profile, wanted, source, picture)
    if (why := inconvertible_source(picture)) is not None:
        raise Refused(*why)
    shape = geometry(profile, wanted, picture, source.inspection)
    if (why := less_than_hdr(profile, picture, source.colour)) is not None:
        raise Refused(*why)
    assert wanted.dynamic_range is not None, "the loader has checked it"
    conversion = conversion_between(source.colour, wanted.dynamic_range)
    colour = target_colour(conversion, source.colour)
    measured = light_as(source.colour, source.inspection)
    kinds = places(wanted.codec, wanted.codec_profile, profile.container)
    hdr10 = static_metadata(conversion, colour, picture, measured, kinds)
    motion = _motion(wanted, source)
    divisor = rate_divisor(motion.rate, wanted)
    rate = motion.rate / divisor
    refuse_other_rates(profile, wanted, rate)
    _refuse_low_levels(profile, wanted, Load(shape.width, shape.height, rate))
    pix_fmt = wanted.pix_fmt or picture.pix_fmt
    return VideoPlan(
        codec=wanted.codec,
        encoder=wanted.encoder,
        width=shape.width,
        height=shape.height,
        frame_rate=rate,
        frames=-(-motion.frames // divisor),
        pix_fmt=pix_fmt,
        colour=colour,
        conversion=conversion,
        field_order="progressive",
        deinterlace=motion.deinterlace,
        rate_divisor=divisor,
        each_field=motion.each_field,
        pulldown=motion.pulldown,
        preset=wanted.preset,
        crf=wanted.crf,
        max_bitrate_bps=wanted.max_bitrate_bps,
        buffer_bits=wanted.buffer_bits,
        gop_frames=ENCODERS[wanted.encoder].gop_frames(rate * wanted.gop_s),
        lookahead_frames=wanted.lookahead_frames,
        level=wanted.level,
        codec_profile=wanted.codec_profile,
        mastering_display=hdr10.mastering_display,
        content_light=hdr10.content_light,
        burnt_in_timecode=wanted.burnt_in_timecode,
        captions=plan_captions(wanted, picture, source.inspection, source.frame_rate, rate),
        colour_decision=decide(conversion, source.colour, colour, picture, hdr10),
        crop=shape.crop,
        active=shape.active,
        upconverted=shape.upconverted,
        chroma_location=planned_siting(colour, pix_fmt, wanted.encoder),
    )


def _refuse_unfit(source: Source) -> VideoTrack:
    """The source's picture, if a rung of any kind can be made of it."""
    if source.picture is None:
        raise Refused(
            "no_picture",
            Words(
                "the source has no picture: choose 'audio-access-aac'",
                "来源没有画面：请选用 audio-access-aac",
            ),
        )
    if min(source.picture.width, source.picture.height) < SMALLEST_SIDE:
        width, height = source.picture.width, source.picture.height
        raise Refused(
            "picture_too_small",
            Words(
                f"{width}x{height} is smaller than 16x16, which no profile takes: export it with "
                "larger pictures",
                f"{width}×{height} 小于 16×16，没有方案可用：请以更大的画面导出",
            ),
        )
    if not source.inspection.constant_raster:
        raise Refused(
            "raster_changes",
            Words(
                "the size or the pixel format of the pictures changes within the source, and every "
                "rung has one: cut the source there and upload the parts",
                "画面的幅面或像素格式中途改变，而每个成品只有一种：请在该处切开后分别上传",
            ),
        )
    _refuse_later_pictures(source.info, source.inspection)
    if source.picture.field_pictures:
        raise Refused(
            "field_pictures",
            Words(
                "this HEVC codes each field as a picture of its own, of half the lines, and "
                "nothing here puts them together: keep the source file, and export the master with "
                "whole frames, or weave its fields (ffmpeg's filter `weave`)",
                "该 HEVC 把每一场编码为一幅画面，行数减半，此处无法合并：请保留源文件，并以完整帧"
                "导出母版，或先用 ffmpeg 的滤镜 `weave` 将两场合成一帧",
            ),
        )
    if source.inspection.stamps_back_s * source.picture.frame_rate > _BACK_FRAMES:
        back_s = float(source.inspection.stamps_back_s)
        raise Refused(
            "time_stamps_go_back",
            Words(
                f"the time stamps of the pictures go back by {back_s:.2f} s in all, so that "
                "nothing says when they are shown: write the file again with even time stamps",
                f"画面的时间戳共倒退 {back_s:.2f} s，无从得知各画面何时显示：请以均匀的时间戳"
                "重新生成文件",
            ),
        )
    counted, shown = source.picture.container_frames or 0, source.inspection.frames
    if source.frame_rate < 1 and counted > 2 * shown:
        raise Refused(
            "no_frame_rate",
            Words(
                f"the container counts {counted} pictures, of which {shown} would be shown, "
                f"{float(source.frame_rate):.3f} a second: its clock is broken, so write the file "
                "again with a frame rate",
                f"封装计有 {counted} 幅画面，只会显示 {shown} 幅，每秒 "
                f"{float(source.frame_rate):.3f} 幅，其时钟已损坏：请以明确的帧率重新生成文件",
            ),
        )
    if (why := in_doubt(source.colour_in_doubt)) is not None:
        raise Refused(*why)
    return source.picture


def _refuse_later_pictures(info: MediaInfo, inspection: Inspection) -> None:
    """Of several programmes it may be another one's."""
    later = [track for track in inspection.later if track.kind == "picture"]
    if later and (later[0].at_byte is None or len(info.programmes) < 2):
        name, place = later[0].name, later[0].place
        raise Refused(
            "picture_track_changes",
            Words(
                f"{name} begins {place}, and every rung has one picture track: cut the file there "
                "and upload the parts, or copy the one that you want into a file",
                f"{zh_of(name)}，从{zh_of(place)}开始，而每个成品只有一条画面轨：请在该处切开后"
                "分别上传，或将所需的一条复制为单独的文件",
            ),
        )


def refuse_other_rates(profile: Profile, wanted: VideoProfile, rate: Fraction) -> None:
    """What a rung's rate may be: by its profile, its codec and its container."""
    least = wanted.min_frame_rate
    if least and rate < least:
        raise Refused(
            "frame_rate_too_low",
            Words(
                f"{_shown(rate)} fps are fewer than the {_shown(least)} that {profile.name} stands "
                "for, and frames are never invented",
                f"{_shown(rate)} fps 低于 {profile.name} 要求的 {_shown(least)}，而帧绝不虚构",
            ),
        )
    if profile.container == "ts" and profile.mux_rate_bps is None and rate < _STAMPED_FPS:
        raise Refused(
            "frame_rate_too_low",
            Words(
                f"{profile.name} is a transport stream of no constant rate, whose clock is stamped "
                f"with each picture, and {_shown(rate)} fps are fewer than the {_STAMPED_FPS} "
                "stamps a second that it must have: choose a profile in another container",
                f"{profile.name} 是非恒定码率的传输流，其时钟随每幅画面写入，{_shown(rate)} fps "
                f"少于必需的每秒 {_STAMPED_FPS} 次：请选用其他封装的方案",
            ),
        )
    if wanted.codec_profile == "avc-intra-300" and rate not in AVC_INTRA_RATES:
        raise _no_such_rate(profile, Words("frame size", "帧大小"), rate, AVC_INTRA_RATES)
    if wanted.codec == "avs2" and rate not in AVS2_RATES:
        raise _no_such_rate(profile, Words("code", "代码"), rate, AVS2_RATES)


def _refuse_low_levels(profile: Profile, wanted: VideoProfile, picture: Load) -> None:
    """X264 would write the level all the same, x265 refuse it or lower the cap."""
    load = replace(
        picture,
        bitrate_bps=wanted.max_bitrate_bps,
        buffer_bits=wanted.buffer_bits,
        pix_fmt=wanted.pix_fmt,
    )
    if wanted.level and (
        why := joined(beyond(wanted.codec, wanted.level, wanted.codec_profile, load))
    ):
        raise Refused(
            "level_too_low",
            Words(
                f"level {wanted.level} of {profile.name} does not allow {why}: choose another "
                "profile, or give it a higher level or none",
                f"{profile.name} 的级别 {wanted.level} 容不下 {why.zh}：请换用其他方案，"
                "或提高或不写级别",
            ),
        )


def _no_such_rate(
    profile: Profile, thing: Words, rate: Fraction, there_are: Sequence[Fraction]
) -> Refused:
    known = joined(map(str, there_are))
    return Refused(
        "frame_rate_unsupported",
        Words(
            f"{profile.name} has no {thing} for {_shown(rate)} fps, only for {known}: choose "
            "another profile",
            f"{profile.name} 没有用于 {_shown(rate)} fps 的{thing.zh}，只有 {known.zh} 的："
            "请换用其他方案",
        ),
    )


@dataclass(frozen=True, slots=True)
class _Motion:
    """The frames that are made of the source's fields, before any is left out."""

    rate: Fraction
    frames: int
    deinterlace: bool = False
    each_field: bool = False
    pulldown: bool = False


def _motion(wanted: VideoProfile, source: Source) -> _Motion:
    """Film as it was before its pulldown, the moments of fields where the profile wants them."""
    rate, frames, pulldown = source.frame_rate, source.frames, source.inspection.pulldown
    if pulldown is not None:
        return _Motion(film_rate(rate), film_frames(pulldown, frames), pulldown=True)
    if source.inspection.scan == "progressive":
        return _Motion(rate, frames)
    if wanted.fields == "each" and rate_divisor(2 * rate, wanted) == 1:
        return _Motion(2 * rate, 2 * frames, deinterlace=True, each_field=True)
    return _Motion(rate, frames, deinterlace=True)


def rate_divisor(rate: Fraction, wanted: VideoProfile) -> int:
    """Keep every n-th frame, with the smallest n that meets the profile's cap."""
    if wanted.max_frame_rate is None:
        return 1
    return max(1, math.ceil(rate / (wanted.max_frame_rate * FAMILY)))


def _as_it_is(
    profile: Profile, wanted: VideoProfile, source: Source, picture: VideoTrack
) -> VideoPlan:
    """The source's samples, encoded without loss or not even encoded."""
    if wanted.encoder != "copy":
        return _untouched(wanted, source, picture)
    why = why_no_copy(profile, wanted, picture, source.inspection)
    if why := why or why_too_fast(profile, wanted, source.info, source.inspection):
        raise Refused(*why)
    untouched = _untouched(wanted, source, picture)
    assert untouched.colour_decision is not None, "every picture has one"
    return replace(
        untouched,
        gop_frames=source.frames,
        max_bitrate_bps=wanted.max_bitrate_bps,
        buffer_bits=wanted.buffer_bits,
        dynamic_metadata=wanted.dynamic_metadata,
        captions=captions_of(picture, source.inspection),
        chroma_location=found_siting(picture),
        colour_decision=replace(untouched.colour_decision, dropped=()),
    )


def _untouched(wanted: VideoProfile, source: Source, picture: VideoTrack) -> VideoPlan:
    """Preservation: the decoded frames as they are."""
    stored = picture.pix_fmt.replace("yuvj", "yuv")  # the same samples; the range says the rest
    pix_fmt = REPACKED.get(stored, stored)
    if pix_fmt not in FFV1_PIX_FMTS:
        raise Refused(
            "unsupported_pix_fmt",
            Words(
                f"FFV1 has no {pix_fmt}, and changing it would change the master: keep the source "
                "file",
                f"FFV1 没有 {pix_fmt}，转换又会改动母版：请保留源文件",
            ),
        )
    if not source.inspection.constant_frame_rate:
        raise Refused(
            "variable_frame_rate",
            Words(
                "the frame rate varies, and an even one would repeat or drop frames of the master: "
                "keep the source file",
                "帧率可变，改为均匀的会重复或丢弃母版的帧：请保留源文件",
            ),
        )
    if damaged := source.inspection.damaged_pictures:
        raise Refused(
            "damaged_pictures",
            Words(
                f"some pictures ({damaged}) cannot be decoded whole, and what a decoder makes up "
                "for them is not the master: keep the source file",
                f"有 {damaged} 幅画面不能完整解码，解码器补出来的不是母版：请保留源文件",
            ),
        )
    if picture.rotation_deg or picture.mirrored:
        degrees = picture.rotation_deg
        turn = Words(f"turn its picture by {degrees} degrees", f"将画面旋转 {degrees} 度")
        asked = Words("mirror its picture", "镜像画面") if picture.mirrored else turn
        raise Refused(
            "rotated",
            Words(
                f"the file asks players to {asked}, and the copy would not; turning its samples "
                "would change the master: keep the source file",
                f"文件要求播放器{asked.zh}，而副本不会；旋转采样又会改动母版：请保留源文件",
            ),
        )
    hdr10 = Hdr10(picture.mastering_display, picture.content_light)
    return VideoPlan(
        codec=wanted.codec,
        encoder=wanted.encoder,
        width=picture.width,
        height=picture.height,
        frame_rate=source.frame_rate,
        frames=source.frames,
        pix_fmt=pix_fmt,
        colour=source.colour,
        conversion="none",
        field_order=source.field_order,
        sample_aspect_ratio=picture.sample_aspect_ratio,
        mastering_display=hdr10.mastering_display,
        content_light=hdr10.content_light,
        lossless=True,
        repacked=pix_fmt != stored,
        chroma_location=preserved_siting(picture),
        colour_decision=decide("none", source.colour, source.colour, picture, hdr10),
    )


def _shown(rate: Fraction) -> str:
    return f"{float(rate):g}"
