"""Whether frames stand where the plan puts them, by comparing small pictures. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import takewhile

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.inspection.thumbs import HEIGHT, WIDTH, Made, Pictures, Window
from pipelines.planning.plan_types import Plan, VideoPlan

_REACH = 2  # frames to either side that a picture is also compared with
_NEAR = (9, 9)  # of a 160x90 thumbnail
_NOISE = 2.0  # code values of 8-bit luma: weaker contrast than this counts for little
_STRUCTURE = 0.1  # mean square of local contrast: below it a picture is flat or black
_DETAIL = 4.0  # code values: less is left of a picture near the end of a fade, and coders drop it
_CLEARLY = 0.8
_MOST = 0.5
_CODED = 2.0  # times what the source changes a frame: coded worse than that, none is told apart
_MINI_GOP = 16  # frames at most between a coded picture and one that it is predicted from
_MANY, _NEARLY_ALL, _A_LITTLE = 8, 0.8, 0.95
_RUN, _PLAINLY = 6, 0.9  # frames side by side, and their gain: `testsrc`, shown early, has 0.94
_SUSPECTS = 24
_FEW = 24  # pictures that are nearest by a quarter of their samples, before all are compared
_KEPT = 256  # pictures with their contrast, 58 kB each
_FAINT = 1.5  # code values of local deviation: coders flatten what has less
_NOISY, _EVENLY = 0.3, 1.3  # of the structure; between frames one and two apart: noise, no motion
_EXACT = 0.03  # of what lies between two frames: a picture so near to one shows it, grain and all
_COARSE = (40, 22)  # samples of a picture in which grain is averaged away
_AS_USUAL = 1.5  # times the usual distance: a picture that fits nowhere well is not misplaced


def rung_frames(video: VideoPlan, windows: Iterable[Window]) -> list[int]:
    """The frames of a rendition whose source frames lie in the windows."""
    numbers = {
        number
        for window in windows
        for number in video.frames_within(window.start_frame, window.end_frame)
    }
    return sorted(numbers)


class Known:
    """Pictures of the source with their local contrast, which every window is compared with."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures
        kept = lru_cache(_KEPT)(lambda place: _local_contrast(pictures[place]))
        self.contrast = Made({place: place for place in pictures}, kept)

    @cached_property
    def _halved(self) -> tuple[list[int], NDArray[np.float32], NDArray[np.float32]]:
        """Places, and of the contrast of each a row of a quarter of its samples, and its square."""
        rows = np.empty((len(self.contrast), WIDTH // 2 * (HEIGHT // 2)), np.float32)
        for row, contrast in zip(rows, self.contrast.values(), strict=True):
            row[:] = _half(contrast)
        return list(self.contrast), rows, np.asarray(np.einsum("ij,ij->i", rows, rows), np.float32)

    def nearest(self, shown: Sequence[NDArray[np.float32]]) -> list[int]:
        """The picture that is nearest to each, of the few that look nearest at half the size: one
        product of matrices, as there may be many.

        The mean of (a - b)² is least where b² - 2ab is, summed.
        """
        places, rows, squares = self._halved
        halved = np.array([_half(contrast) for contrast in shown])
        apart = squares[:, np.newaxis] - 2 * (rows @ halved.T)
        few = np.argsort(apart, axis=0)[:_FEW]
        return [
            min((places[at] for at in near), key=lambda at: self._apart(contrast, at))
            for contrast, near in zip(shown, few.T, strict=True)
        ]

    def _apart(self, contrast: NDArray[np.float32], place: int) -> float:
        return float(np.mean((contrast - self.contrast[place]) ** 2))


def misplaced(video: VideoPlan, plan: Plan, rendition: Pictures, source: Known) -> list[str]:
    """One line for each of the first frames that look like another frame of the source.

    Local contrast is compared, which tone mapping and fades hardly change. A picture that is as
    near to its planned frame as others are to theirs is not misplaced, whatever else it resembles:
    tone mapping takes the last frames of a fade to black further than the source goes. A resampled
    source (variable frame rate) may be one frame off by rounding, and film may be by its pulldown.
    """
    slack = 0 if plan.constant_frame_rate and not video.pulldown else 1
    true = source.contrast
    looks = {
        number: look
        for number, picture in rendition.items()
        if (look := _look(picture, video.shown_by(number), true, slack)) is not None
    }
    if together := _moved_together(looks, video, slack) or _moved_side_by_side(looks, video, slack):
        return [_told(number, looks[number].place, video) for number in together[:3]]
    usual = float(np.median([look.distance for look in looks.values()])) if looks else 0.0
    wrong = [
        (number, look.place)
        for number, look in looks.items()
        if look.alien
        or (look.elsewhere and look.distance <= _AS_USUAL * usual and look.planned > usual)
    ]
    wrong = _without_lookalikes(wrong, video, rendition, source)
    if not wrong:
        found = _from_afar(video, rendition, source, looks, usual, slack)
        wrong = _without_lookalikes(found, video, rendition, source)
    return [_told(number, place, video) for number, place in wrong[:3]]


def _without_lookalikes(
    wrong: Sequence[tuple[int, int]],
    video: VideoPlan,
    rendition: Pictures,
    source: Known,
) -> list[tuple[int, int]]:
    """Without the frames in their place that something else makes look like another one."""
    found = _not_filled_up(wrong, video, rendition, source.contrast)
    found = _not_faded(found, video, rendition, source.pictures)
    return _more_than_grain(found, video, rendition, source)


def _not_filled_up(
    wrong: Sequence[tuple[int, int]], video: VideoPlan, rendition: Pictures, true: Pictures
) -> list[tuple[int, int]]:
    """Without the coder's own mixtures, which stand alone: frames that moved stand side by side."""
    numbers = {number for number, _ in wrong}
    return [
        (number, place)
        for number, place in wrong
        if {number - 1, number + 1} & numbers
        or not _filled_up(number, place, video, rendition[number], true)
    ]


def _filled_up(
    number: int, place: int, video: VideoPlan, picture: NDArray[np.float32], true: Pictures
) -> bool:
    """Whether two frames that the rung shows, mixed, are nearer than the one between them.

    At a half of the source's rate a picture that its coder filled up from its neighbour, for want
    of bits in a fade, is nearest to the frame that the rung leaves out between the two.
    """
    shown, planned = _local_contrast(picture), video.shown_by(number)
    for beside in (video.shown_by(number - 1), video.shown_by(number + 1)):
        if beside in true and min(beside, planned) < place < max(beside, planned):
            other, step = true[beside], true[planned] - true[beside]
            whole = float(np.sum(step**2)) or 1.0  # the same picture twice is its own mixture
            share = np.float32(np.clip(np.sum((shown - other) * step) / whole, 0, 1))
            mixed = other + share * step
            if np.mean((shown - mixed) ** 2) < np.mean((shown - true[place]) ** 2):
                return True
    return False


def _not_faded(
    wrong: Sequence[tuple[int, int]], video: VideoPlan, rendition: Pictures, source: Pictures
) -> list[tuple[int, int]]:
    """Without those that stand in their place as far as they show anything.

    Of a fade to black under a slate or a logo a coder drops what is faint, and the picture then
    resembles the darker one that comes next, but for the slate.
    """
    return [
        (number, place)
        for number, place in wrong
        if place == video.shown_by(number)
        or not _nearer_where_seen(rendition[number], source[video.shown_by(number)], source[place])
    ]


def _more_than_grain(
    wrong: Sequence[tuple[int, int]],
    video: VideoPlan,
    rendition: Pictures,
    source: Known,
) -> list[tuple[int, int]]:
    """Without those that the picture without its grain does not tell of.

    Where little is left for noise, as that of a tape without a signal, coders show the grain of a
    frame before, or none.
    """
    return [
        (number, place)
        for number, place in wrong
        if not _differs_by_grain(rendition[number], video.shown_by(number), place, source)
    ]


def _differs_by_grain(
    picture: NDArray[np.float32], planned: int, place: int, source: Known
) -> bool:
    true, pictures = source.contrast, source.pictures
    if not _only_noise_moves(planned, true, _NOISY):
        return False
    exact = _EXACT * float(np.mean((true[place] - true[planned]) ** 2))
    if place != planned and np.mean((_local_contrast(picture) - true[place]) ** 2) < exact:
        return False
    shown = _local_contrast(_without_grain(picture))
    near = {*range(planned - 2, planned + 3), place} & pictures.keys()
    coarse = {at: _local_contrast(_without_grain(pictures[at])) for at in near}
    if _only_noise_moves(planned, coarse, 0.0):  # what is left of it, in a still scene
        return True
    due, other = (float(np.mean((shown - coarse[at]) ** 2)) for at in (planned, place))
    return due <= _structure(coarse[planned]) if place == planned else other >= _CLEARLY * due


def _only_noise_moves(planned: int, true: Pictures, least: float) -> bool:
    """Whether the frames beside it are as far from it as the next ones, and farther than `least`, a
    share of its structure.
    """
    apart = {
        step: float(np.mean((true[planned + step] - true[planned]) ** 2))
        for step in (-2, -1, 1, 2)
        if planned + step in true
    }
    beside = [apart[step] for step in (-1, 1) if step in apart]
    next_ones = [apart[step] for step in (-2, 2) if step in apart]
    if not beside or not next_ones:
        return False
    far = min(beside) > least * _structure(true[planned])
    return far and max(next_ones) < _EVENLY * min(beside)


def _without_grain(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(picture, _COARSE, interpolation=cv2.INTER_AREA), np.float32)


def _nearer_where_seen(
    picture: NDArray[np.float32], planned: NDArray[np.float32], other: NDArray[np.float32]
) -> bool:
    """Left out is what the picture does not show and the planned one hardly."""
    there, due = (_spread(_off_mean(one)) for one in (picture, planned))
    seen = (there >= _FAINT) | (due >= 2 * _FAINT)
    shown = _local_contrast(picture)
    off, beside = ((shown - _local_contrast(one)) ** 2 for one in (planned, other))
    return bool(np.sum(off[seen]) < np.sum(beside[seen]))


def _from_afar(
    video: VideoPlan,
    rendition: Pictures,
    source: Known,
    looks: Mapping[int, _Look],
    usual: float,
    slack: int,
) -> list[tuple[int, int]]:
    """The frames that plainly show one of another place, as those of a swapped chunk do.

    Of a programme with one set all pictures look alike, and nothing near them need fit better. Only
    those that fit worst are looked at: each is compared with all that is known of the source.
    """
    suspects = [number for number, look in looks.items() if look.planned > usual]
    suspects = sorted(sorted(suspects, key=lambda number: -looks[number].planned)[:_SUSPECTS])
    if not suspects:
        return []
    pictures = [_local_contrast(rendition[number]) for number in suspects]
    found, true = [], source.contrast
    nearest = source.nearest(pictures)
    for number, shown, best in zip(suspects, pictures, nearest, strict=True):
        planned = video.shown_by(number)
        distance = {at: float(np.mean((shown - true[at]) ** 2)) for at in (best, planned)}
        elsewhere = abs(best - planned) > slack and distance[best] <= _AS_USUAL * usual
        if elsewhere and _clearly_nearer(distance, best, planned, true):
            found.append((number, best))
    return found


def _clearly_nearer(distance: Mapping[int, float], best: int, planned: int, true: Pictures) -> bool:
    moved = float(np.mean((true[best] - true[planned]) ** 2))
    # Of what hardly moves coders show a picture ahead for some frames, which nobody sees.
    apart = abs(best - planned)
    a_frame = moved / apart if 0 < apart <= _MINI_GOP else moved
    clear = distance[best] < min(_CLEARLY * distance[planned], _CODED * a_frame)
    # Another frame's picture would be nearer to that frame by all that lies between the two; one
    # that its coder filled up from its neighbour, for want of bits, only by a part of it.
    return clear and distance[planned] - distance[best] > _MOST * moved


@dataclass(frozen=True, slots=True)
class _Look:
    """The source frame that is nearest to a picture, and how near it is."""

    place: int
    distance: float
    planned: float  # the distance of the planned frame
    gain: float  # of the nearest one's distance over it: 1 where it is the planned one
    elsewhere: bool
    alien: bool


def _told(number: int, found: int, video: VideoPlan) -> str:
    planned = video.shown_by(number)
    if found == planned:
        return f"frame {number} does not look like the source"
    return f"frame {number} shows source frame {found}, planned {planned}"


def _look(picture: NDArray[np.float32], planned: int, true: Pictures, slack: int) -> _Look | None:
    """Compare with the planned frame and its neighbours; `None` where nothing can be seen."""
    shown = _local_contrast(picture)
    if planned not in true or min(_structure(shown), _structure(true[planned])) < _STRUCTURE:
        return None
    if _detail(picture) < _DETAIL:
        return None
    reach = _REACH + slack
    distance = {
        place: float(np.mean((shown - true[place]) ** 2))
        for place in range(planned - reach, planned + reach + 1)
        if place in true
    }
    best = min(distance, key=lambda place: distance[place])
    clear = _clearly_nearer(distance, best, planned, true)
    alien = distance[best] > _structure(true[planned])  # a correlation below one half
    elsewhere = abs(best - planned) > slack and clear
    gain = distance[best] / distance[planned] if distance[planned] else 1.0
    place = planned if alien else best
    return _Look(place, distance[best], distance[planned], gain, elsewhere, alien)


def _moved_together(looks: Mapping[int, _Look], video: VideoPlan, slack: int) -> list[int]:
    """The frames that are off, where nearly all are by the same number: noise alone is not that."""
    offsets = {number: look.place - video.shown_by(number) for number, look in looks.items()}
    (offset, count), *_ = Counter(offsets.values()).most_common(1) or [(0, 0)]
    same = [number for number in offsets if offsets[number] == offset]
    if abs(offset) <= slack or count < max(_MANY, _NEARLY_ALL * len(looks)):
        return []
    gain = float(np.median([looks[number].gain for number in same]))
    return same if gain < _A_LITTLE else []


def _moved_side_by_side(looks: Mapping[int, _Look], video: VideoPlan, slack: int) -> list[int]:
    """The frames up to one, or from one on, that are all off by the same number, where the others
    stand in their place.

    A coder that has few bits shows pictures of other frames too, but of several others, or less
    plainly.
    """
    numbers = sorted(looks)
    for ordered in (numbers, numbers[::-1]):
        offsets = [looks[number].place - video.shown_by(number) for number in ordered]
        length = sum(1 for _ in takewhile(offsets[:1].__contains__, offsets))
        run, others = ordered[:length], offsets[length:]
        if length < _RUN or abs(offsets[0]) <= slack:
            continue
        gain = float(np.median([looks[number].gain for number in run]))
        in_place = others.count(0) >= _NEARLY_ALL * len(others)
        if gain < _PLAINLY and others and in_place:
            return sorted(run)
    return []


def _local_contrast(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each sample's distance from its neighbourhood's mean, in the neighbourhood's deviations."""
    off = _off_mean(picture)
    return np.asarray(off / (_spread(off) + _NOISE), dtype=np.float32)


def _half(contrast: NDArray[np.float32]) -> NDArray[np.float32]:
    size = (WIDTH // 2, HEIGHT // 2)
    return np.asarray(cv2.resize(contrast, size, interpolation=cv2.INTER_AREA).ravel(), np.float32)


def _off_mean(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(picture - cv2.blur(picture, _NEAR), dtype=np.float32)


def _spread(off: NDArray[np.float32]) -> NDArray[np.float32]:
    """The deviation of each sample's neighbourhood, in code values, from `_off_mean`."""
    # A running sum in floating point may end a little below zero where everything is flat.
    return np.asarray(np.sqrt(np.maximum(cv2.blur(off * off, _NEAR), 0)), dtype=np.float32)


def _detail(picture: NDArray[np.float32]) -> float:
    """The deviation from the neighbourhood's mean, in code values."""
    return float(np.sqrt(np.mean(_off_mean(picture) ** 2)))


def _structure(contrast: NDArray[np.float32]) -> float:
    return float(np.mean(contrast**2))
