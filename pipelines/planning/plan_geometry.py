"""What part of the source's picture a rung shows, how large and where: or why not. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av

from pipelines.encoding.picture_filters import can_turn
from pipelines.media import Area, Inspection, VideoTrack, even
from pipelines.planning.plan_types import Refused, Rung, VideoPlan
from pipelines.profiles.profile import Crop, Profile, VideoProfile

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
        return _filled(raster, crop, picture)
    width, height = (
        _exact(profile, raster, size) if wanted.fit == "exact" else _inside(raster, size)
    )
    return Geometry(width, height, crop)


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
        asked = "in a mirror" if picture.mirrored else f"turned by {picture.rotation_deg} degrees"
        raise Refused(
            "rotated_fields",
            f"the picture is interlaced, and the file asks players to show it {asked}, of which "
            "Kapok takes quarter turns alone: deinterlace it first",
        )


def geometry_decisions(picture: VideoTrack | None, rungs: Sequence[Rung]) -> list[str]:
    """What is cropped, enlarged and set between bars, rung by rung."""
    if picture is None:
        return []
    return [
        f"{rung.profile}: {told}"
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
    width, height = whole.width - crop.left - crop.right, whole.height - crop.top - crop.bottom
    if min(width, height) < SMALLEST_SIDE:
        raise Refused(
            "crop_too_large",
            f"{profile.name} crops {_sides(crop)}, which leaves nothing of "
            f"{whole.width}x{whole.height} to be shown: choose another profile",
        )
    across, down = _grid(picture)
    if crop.left % across or crop.top % down or width % 2 or height % 2:
        raise Refused(
            "crop_odd",
            f"{profile.name} crops {_sides(crop)}, and of {whole.width}x{whole.height} in "
            f"{picture.pix_fmt} that leaves an odd size, or cuts through a sample of colour: "
            f"crop multiples of {across} columns and {down} lines",
        )
    return Area(crop.left, crop.top, width, height)


def _without_bars(profile: Profile, picture: VideoTrack, inspection: Inspection) -> Area:
    """What `inspect` saw, less what remains of a sample of colour at its edges."""
    seen, whole = inspection.active_picture, picture.whole
    if seen is None:
        raise Refused(
            "bars_unknown",
            f"{profile.name} crops black bars, and none were measured: the picture is black, or "
            "its inspection is an old one: start a new job of the asset",
        )
    (left, width), (top, height) = (
        _in_step(start, length, step)
        for start, length, step in zip(
            (seen.left, seen.top), (seen.width, seen.height), _grid(picture), strict=True
        )
    )
    small = width < _LEAST_SHARE * whole.width or height < _LEAST_SHARE * whole.height
    if small or min(width, height) < SMALLEST_SIDE:
        raise Refused(
            "crop_too_large",
            f"only {seen.width}x{seen.height} of {whole.width}x{whole.height} was ever lighter "
            f"than black, too little for the rest to be bars: {profile.name} does not crop it",
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
    fitted = (even(width * scale), even(height * scale))
    if min(fitted) < SMALLEST_SIDE:
        raise Refused("picture_too_small", f"{width}x{height} would shrink to {fitted}")
    return fitted


def _exact(profile: Profile, raster: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    shown, wanted = "x".join(map(str, size)), "x".join(map(str, raster))
    if size[0] < raster[0] or size[1] < raster[1]:
        raise Refused(
            "would_upscale", f"{shown} is smaller than {wanted}, and {profile.name} never upscales"
        )
    if abs(Fraction(*size) / Fraction(*raster) - 1) > _ASPECT_TOLERANCE:
        raise Refused(
            "aspect_differs",
            f"{shown} does not have the shape of {wanted}, and {profile.name} neither stretches "
            "nor crops: choose a mobile rung",
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
        narrow = "x".join(map(str, picture.shown_size(crop)))
        raise Refused("picture_too_small", f"{narrow} would become {width}x{height}")
    left, top = (raster[0] - width) // 2, (raster[1] - height) // 2
    active = Area(left, top, width, height) if (width, height) != raster else None
    return Geometry(*raster, crop, active, upconverted=scale > 1)


def _between_bars(side: Fraction, whole: int) -> int:
    """The nearest length with equal bars on both sides, each even for the sake of the chroma."""
    return whole - 4 * round((whole - side) / 4)


def _told(picture: VideoTrack, video: VideoPlan) -> str | None:
    said = []
    if video.crop:
        part = f"{video.crop.width}x{video.crop.height}"
        said.append(f"{_cut_from(picture.whole, video.crop)} are cropped, which leaves {part}")
    if video.upconverted:
        said.append(f"{_named(picture, video.crop)} is upconverted to {_size(video)}")
    if video.active:
        across, down = video.active.left, video.active.top
        bars = [f"{across} columns of black left and right"] if across else []
        bars += [f"{down} lines of black above and below"] if down else []
        placed = (
            "" if video.upconverted else f"{_named(picture, video.crop)} stands as {_size(video)}"
        )
        said.append(f"{placed} in {video.width}x{video.height}, {' and '.join(bars)}".strip())
    return "; ".join(said).replace("; in ", " in ") or None


def _size(video: VideoPlan) -> str:
    return "x".join(map(str, video.shown))


def _named(picture: VideoTrack, part: Area | None) -> str:
    area, shape = part or picture.whole, picture.pixel_aspect
    pixels = f" with pixels of {shape.numerator}:{shape.denominator}" if shape != 1 else ""
    return f"{area.width}x{area.height}{pixels}"


def _cut_from(whole: Area, part: Area) -> str:
    right, bottom = whole.width - part.left - part.width, whole.height - part.top - part.height
    return _sides(Crop(part.top, bottom, part.left, right))


def _sides(crop: Crop) -> str:
    sides = {
        f"{crop.top} lines at the top": crop.top,
        f"{crop.bottom} at the bottom": crop.bottom,
        f"{crop.left} columns at the left": crop.left,
        f"{crop.right} at the right": crop.right,
    }
    return ", ".join(text for text, count in sides.items() if count)
