"""What part of the source's picture a rung shows, how large and where: or why not. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av

from pipelines.encoding.picture_filters import can_turn
from pipelines.media import Area, Inspection, VideoTrack, even
from pipelines.planning.plan_types import Refused, Rung, VideoPlan
from pipelines.profiles.codecs import ENCODERS
from pipelines.profiles.profile import Crop, Profile, VideoProfile
from pipelines.words import Words, joined

SMALLEST_SIDE = 16
_ASPECT_TOLERANCE = Fraction(1, 100)  # 1088 coded lines of 1080 and rounded pixel aspects
# [P] Of either side, at least, for the rest to be bars: 2.76:1 within 4:3 leaves 48 %.
_LEAST_SHARE = Fraction(2, 5)


@dataclass(frozen=True, slots=True)
class Geometry:
    """The fields of the same names of a `VideoPlan`."""

    width: int
    height: int
    crop: Area | None = None
    active: Area | None = None
    upconverted: bool = False


def geometry(
    profile: Profile, wanted: VideoProfile, picture: VideoTrack, inspection: Inspection
) -> Geometry:
    """Of a picture that is made anew; raises `Refused`."""
    assert wanted.width is not None and wanted.height is not None, "the loader has checked it"  # noqa: PT018
    _refuse_odd_turns(picture, inspection)
    crop = _cropped(profile, wanted.crop, picture, inspection)
    raster, size = (wanted.width, wanted.height), picture.shown_size(crop)
    if wanted.upconvert:
        shape = _filled(raster, crop, picture)
    elif wanted.fit == "exact":
        shape = Geometry(*_exact(profile, raster, size), crop)
    else:
        shape = Geometry(*_inside(raster, size), crop)
    _refuse_small(profile, wanted, size, shape)
    return shape


def _refuse_small(
    profile: Profile, wanted: VideoProfile, size: tuple[int, int], shape: Geometry
) -> None:
    least = ENCODERS[wanted.encoder].least_side
    if min(shape.width, shape.height) < least:
        raise Refused(
            "picture_too_small",
            Words(
                f"{size[0]}x{size[1]} would become {shape.width}x{shape.height} in {profile.name}, "
                f"and {wanted.encoder} is given no side of less than {least}: choose another "
                "profile",
                f"{size[0]}×{size[1]} 在 {profile.name} 中会成为 {shape.width}×{shape.height}，而 "
                f"{wanted.encoder} 不接受小于 {least} 的边长：请换用其他方案",
            ),
        )


def rotation_after_fields(picture: VideoTrack | None, inspection: Inspection) -> int:
    """By how many degrees to turn what has fields: they are lines only before it is turned.

    0 where there is nothing to be turned, or ffmpeg does it while it decodes.
    """
    if picture is None or not _has_fields(inspection):
        return 0
    return 0 if picture.mirrored else picture.rotation_deg


def _has_fields(inspection: Inspection) -> bool:
    return inspection.pulldown is not None or inspection.scan != "progressive"


def _refuse_odd_turns(picture: VideoTrack, inspection: Inspection) -> None:
    if _has_fields(inspection) and (picture.mirrored or not can_turn(picture.rotation_deg)):
        degrees = picture.rotation_deg
        turned = Words(f"turned by {degrees} degrees", f"旋转 {degrees} 度")
        asked = Words("in a mirror", "镜像") if picture.mirrored else turned
        raise Refused(
            "rotated_fields",
            Words(
                f"the picture is interlaced, and the file asks players to show it {asked}, of "
                "which Kapok takes quarter turns alone: deinterlace it first",
                f"画面为隔行，而文件要求播放器将其{asked.zh}，Kapok 只支持 90 度的整倍数："
                "请先去隔行",
            ),
        )


def geometry_decisions(picture: VideoTrack | None, rungs: Sequence[Rung]) -> list[Words]:
    """What is cropped, enlarged and set between bars, rung by rung."""
    if picture is None:
        return []
    return [
        Words(f"{rung.profile}: {told}", f"{rung.profile}：{told.zh}")
        for rung in rungs
        if rung.video and (told := _told(picture, rung.video)) is not None
    ]


def _cropped(
    profile: Profile, wanted: Crop | str | None, picture: VideoTrack, inspection: Inspection
) -> Area | None:
    """The part that is left; `None` where that is all."""
    if wanted is None:
        return None
    part = (
        _crop_of(profile, wanted, picture)
        if isinstance(wanted, Crop)
        else _without_bars(profile, picture, inspection)
    )
    return None if part == picture.whole else part


def _crop_of(profile: Profile, crop: Crop, picture: VideoTrack) -> Area:
    whole = picture.whole
    sides, all_of_it = _sides(crop), _size(whole.width, whole.height)
    width, height = whole.width - crop.left - crop.right, whole.height - crop.top - crop.bottom
    if min(width, height) < SMALLEST_SIDE:
        raise Refused(
            "crop_too_large",
            Words(
                f"{profile.name} crops {sides}, which leaves nothing of {all_of_it} to be shown: "
                "choose another profile",
                f"{profile.name} 裁去{sides.zh}，{all_of_it.zh} 中没有留下可显示的部分："
                "请换用其他方案",
            ),
        )
    across, down = _grid(picture)
    if crop.left % across or crop.top % down or width % 2 or height % 2:
        raise Refused(
            "crop_odd",
            Words(
                f"{profile.name} crops {sides}, and of {all_of_it} in {picture.pix_fmt} that "
                "leaves an odd size, or cuts through a sample of colour: crop multiples of "
                f"{across} columns and {down} lines",
                f"{profile.name} 裁去{sides.zh}，{picture.pix_fmt} 的 {all_of_it.zh} 因此剩下"
                f"奇数尺寸，或有色度采样被切开：请按 {across} 列、{down} 行的整倍数裁切",
            ),
        )
    return Area(crop.left, crop.top, width, height)


def _without_bars(profile: Profile, picture: VideoTrack, inspection: Inspection) -> Area:
    """What `inspect` saw, less what remains of a sample of colour at its edges."""
    seen, whole = inspection.active_picture, picture.whole
    if seen is None:
        raise Refused(
            "bars_unknown",
            Words(
                f"{profile.name} crops black bars, and none were measured: the picture is black, "
                "or its inspection is an old one: start a new job of the asset",
                f"{profile.name} 裁切黑边，而没有测得黑边，画面全黑或检查结果已旧："
                "请为该素材新建任务",
            ),
        )
    (left, width), (top, height) = (
        _in_step(start, length, step)
        for start, length, step in zip(
            (seen.left, seen.top), (seen.width, seen.height), _grid(picture), strict=True
        )
    )
    small = width < _LEAST_SHARE * whole.width or height < _LEAST_SHARE * whole.height
    if small or min(width, height) < SMALLEST_SIDE:
        lit, all_of_it = _size(seen.width, seen.height), _size(whole.width, whole.height)
        raise Refused(
            "crop_too_large",
            Words(
                f"only {lit} of {all_of_it} was ever lighter than black, too little for the rest "
                f"to be bars: {profile.name} does not crop it",
                f"{all_of_it.zh} 中只有 {lit.zh} 曾亮于黑，其余过多，不会是黑边："
                f"{profile.name} 不作裁切",
            ),
        )
    return Area(left, top, width, height)


def _in_step(start: int, length: int, step: int) -> tuple[int, int]:
    first = -(-start // step) * step
    return first, (start + length - first) // 2 * 2


def _grid(picture: VideoTrack) -> tuple[int, int]:
    """Columns and lines that share a sample of colour, at least two, as the picture is shown."""
    unit = 64
    stored = av.VideoFormat(picture.pix_fmt, unit, unit)
    steps = (max(2, unit // stored.chroma_width()), max(2, unit // stored.chroma_height()))
    return (steps[1], steps[0]) if picture.lies_on_its_side else steps


def _inside(box: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    across, down = sorted(box, reverse=width >= height)
    scale = min(Fraction(1), Fraction(across, width), Fraction(down, height))
    return even(width * scale), even(height * scale)


def _exact(profile: Profile, raster: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    shown, wanted = _size(*size), _size(*raster)
    if size[0] < raster[0] or size[1] < raster[1]:
        raise Refused(
            "would_upscale",
            Words(
                f"{shown} is smaller than {wanted}, and {profile.name} never upscales",
                f"{shown.zh} 小于 {wanted.zh}，而 {profile.name} 绝不放大",
            ),
        )
    if abs(Fraction(*size) / Fraction(*raster) - 1) > _ASPECT_TOLERANCE:
        raise Refused(
            "aspect_differs",
            Words(
                f"{shown} does not have the shape of {wanted}, and {profile.name} neither "
                "stretches nor crops: choose a mobile rung",
                f"{shown.zh} 与 {wanted.zh} 画幅不同，而 {profile.name} 既不拉伸也不裁切："
                "请选用移动端方案",
            ),
        )
    return raster


def _filled(raster: tuple[int, int], crop: Area | None, picture: VideoTrack) -> Geometry:
    """As large as the raster allows, in the middle of it."""
    size = picture.exact_size(crop)
    scale = min(Fraction(whole) / side for whole, side in zip(raster, size, strict=True))
    width, height = (
        _between_bars(side * scale, whole) for side, whole in zip(size, raster, strict=True)
    )
    if min(width, height) < SMALLEST_SIDE:
        narrow, made = _size(*picture.shown_size(crop)), _size(width, height)
        raise Refused(
            "picture_too_small",
            Words(f"{narrow} would become {made}", f"{narrow.zh} 会变为 {made.zh}"),
        )
    left, top = (raster[0] - width) // 2, (raster[1] - height) // 2
    active = Area(left, top, width, height) if (width, height) != raster else None
    return Geometry(*raster, crop, active, upconverted=scale > 1)


def _between_bars(side: Fraction, whole: int) -> int:
    """The nearest length with equal bars on both sides, each even for the sake of the chroma."""
    return whole - 4 * round((whole - side) / 4)


def _told(picture: VideoTrack, video: VideoPlan) -> Words | None:
    said = [one for one in (_cropping(picture, video), _placing(picture, video)) if one]
    return joined(said, "; ", "；") if said else None


def _cropping(picture: VideoTrack, video: VideoPlan) -> Words | None:
    if video.crop is None:
        return None
    cut, part = _cut_from(picture.whole, video.crop), _size(video.crop.width, video.crop.height)
    return Words(f"{cut} are cropped, which leaves {part}", f"裁去{cut.zh}，剩 {part.zh}")


def _placing(picture: VideoTrack, video: VideoPlan) -> Words | None:
    """How large the picture stands on the raster, where it is enlarged or there are bars."""
    if not video.upconverted and video.active is None:
        return None
    named, shown = _named(picture, video.crop), _size(*video.shown)
    placed = (
        Words(f"{named} is upconverted to {shown}", f"{named.zh} 放大为 {shown.zh}")
        if video.upconverted
        else Words(f"{named} stands as {shown}", f"{named.zh} 以 {shown.zh} 显示")
    )
    if video.active is None:
        return placed
    raster, bars = _size(video.width, video.height), _bars(video.active)
    return Words(f"{placed} in {raster}, {bars}", f"{placed.zh}，置于 {raster.zh} 中，{bars.zh}")


def _bars(active: Area) -> Words:
    across, down = active.left, active.top
    sides = {
        Words(f"{across} columns of black left and right", f"左右各 {across} 列黑边"): across,
        Words(f"{down} lines of black above and below", f"上下各 {down} 行黑边"): down,
    }
    return joined([told for told, count in sides.items() if count], " and ")


def _named(picture: VideoTrack, part: Area | None) -> Words:
    area, shape = part or picture.whole, picture.pixel_aspect
    size = _size(area.width, area.height)
    if shape == 1:
        return size
    pixels = f"{shape.numerator}:{shape.denominator}"
    return Words(f"{size} with pixels of {pixels}", f"像素比 {pixels} 的 {size.zh}")


def _cut_from(whole: Area, part: Area) -> Words:
    right, bottom = whole.width - part.left - part.width, whole.height - part.top - part.height
    return _sides(Crop(part.top, bottom, part.left, right))


def _sides(crop: Crop) -> Words:
    sides = {
        Words(f"{crop.top} lines at the top", f"顶部 {crop.top} 行"): crop.top,
        Words(f"{crop.bottom} at the bottom", f"底部 {crop.bottom} 行"): crop.bottom,
        Words(f"{crop.left} columns at the left", f"左侧 {crop.left} 列"): crop.left,
        Words(f"{crop.right} at the right", f"右侧 {crop.right} 列"): crop.right,
    }
    return joined([told for told, count in sides.items() if count])


def _size(width: int, height: int) -> Words:
    return Words(f"{width}x{height}", f"{width}×{height}")
