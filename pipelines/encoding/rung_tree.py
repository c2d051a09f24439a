"""Which rung's picture is made from which: a tree that grows from the decode. Pure.

A rung takes its picture from another one that already has its fields, its part of the picture, its
colour and at least its size, its samples of colour and its rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from pipelines.planning.plan_types import Plan, Rung, VideoPlan
from pipelines.profiles.profile import Container

_MUXER = {"mp4": "mp4", "mkv": "matroska", "mov": "mov", "mxf": "mxf", "ts": "mpegts"}


@dataclass(frozen=True, slots=True)
class Branch:
    """A rung's picture, the number of the branch that it is taken from, and the file it goes to."""

    video: VideoPlan
    parent: int | None
    path: Path
    muxer: str


def chunk_files(plan: Plan, folder: Path) -> dict[str, Path]:
    """Where `compose` puts each rung's picture, by profile.

    Rungs that differ only in their container share one: it is encoded once.
    """
    files: dict[str, Path] = {}
    made: dict[tuple[VideoPlan, str], Path] = {}
    for rung in plan.rungs:
        if rung.video:
            suffix = _chunk_suffix(rung.video, rung.container)
            own = folder / f"{rung.profile}.{suffix}"
            files[rung.profile] = made.setdefault((rung.video, suffix), own)
    return files


def _chunk_suffix(video: VideoPlan, container: Container) -> str:
    """Chunks of a transport stream are MP4, whose times are exact, where it has the codec."""
    return "mp4" if container == "ts" and video.codec != "avs2" else container


def lay_out(plan: Plan, folder: Path) -> list[Branch]:
    """The rungs, largest first, each with the branch that it grows from."""
    files = chunk_files(plan, folder)
    pictures = (rung for rung in plan.rungs if rung.video and not rung.video.copied)
    rungs = sorted(pictures, key=_heaviest_first)
    branches: list[Branch] = []
    for rung in rungs:
        assert rung.video is not None, "filtered above"
        if any(branch.path == files[rung.profile] for branch in branches):
            continue
        parent = _parent(rung.video, branches)
        path = files[rung.profile]
        branches.append(Branch(rung.video, parent, path, _MUXER[path.suffix[1:]]))
    return branches


def grown_from(plan: Plan, profile: str) -> tuple[Rung, ...]:
    """The rungs that the picture of this one needs: itself, and what it is scaled from."""
    branches, files = lay_out(plan, Path()), chunk_files(plan, Path())
    at = next(n for n, branch in enumerate(branches) if branch.path == files[profile])
    needed = {branches[at].path}
    while (parent := branches[at].parent) is not None:
        at = parent
        needed.add(branches[at].path)
    return tuple(rung for rung in plan.rungs if rung.video and files[rung.profile] in needed)


def _heaviest_first(rung: Rung) -> tuple[bool, int, Fraction, int]:
    """Lossless rungs lead: nothing can be taken from them, and they take the bare decode."""
    video = rung.video
    assert video is not None, "only rungs with a picture are sorted"
    across, down = video.shown
    chroma_across, chroma_down = _chroma(video)
    return (not video.lossless, -across * down, video.stride, -chroma_across * chroma_down)


def _parent(video: VideoPlan, branches: Sequence[Branch]) -> int | None:
    """The lightest earlier branch that the picture can be taken from, or `None`: the decode."""
    able = [number for number, branch in enumerate(branches) if _can_give(branch.video, video)]
    return min(able, key=lambda number: _load(branches[number].video), default=None)


def _can_give(giver: VideoPlan, video: VideoPlan) -> bool:
    same_colour = giver.conversion in ("none", video.conversion)
    unspoilt = giver.lossless is video.lossless is False and not giver.burnt_in_timecode
    large = _covers(giver.shown, video.shown) and _covers(_chroma(giver), _chroma(video))
    # What was enlarged holds nothing that the source has not, and is less sharp.
    unstretched = not giver.upconverted or giver.shown == video.shown
    deep = _bits(giver.pix_fmt) >= _bits(video.pix_fmt)
    often = (video.stride / giver.stride).denominator == 1
    told = not video.captions or video.stride == giver.stride  # every frame has some of them
    fields = (giver.deinterlace, giver.pulldown) == (video.deinterlace, video.pulldown)
    shape = unstretched and giver.crop == video.crop
    return same_colour and unspoilt and large and shape and deep and often and told and fields


def _covers(ours: tuple[int, int], wanted: tuple[int, int]) -> bool:
    return ours[0] >= wanted[0] and ours[1] >= wanted[1]


def _chroma(video: VideoPlan) -> tuple[int, int]:
    """Samples of colour, across and down: 4:2:0 of 8K has those of 4:4:4 at 4K."""
    stored = av.VideoFormat(video.pix_fmt, *video.shown)
    return stored.chroma_width(), stored.chroma_height()


def _load(video: VideoPlan) -> tuple[Fraction, bool]:
    across, down = video.shown
    pixels = across * down / video.stride
    return (pixels, video.conversion == "none")  # of two equals, the converted one saves more


def _bits(pix_fmt: str) -> int:
    return next((bits for bits in (16, 14, 12, 10, 9) if str(bits) in pix_fmt), 8)
