"""A digitised video tape: a turning vase scanned field by field, with a worn machine's faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from sample_media.light import BLACK, CHROMA_ZERO, Codes, Floats, Planes, planes
from sample_media.texture import fractal, mix, rgb, step

TURN_A_FIELD = 0.0085  # turns: 20 samples between two fields of 1080i25 at the vase's widest
CRAWL_A_FIELD = 0.0035  # widths
HEAD_SWITCH_ROWS = 0.013  # of a field's height: where the machine changes heads
LUMA_NOISE, CHROMA_NOISE = 5.0, 4.0  # standard deviations in 10-bit code values


@dataclass(frozen=True, slots=True)
class Scan:
    """An interlaced raster. `pixel_aspect` is the width of a stored sample over its height."""

    size: tuple[int, int]
    top_first: bool
    pixel_aspect: float = 1.0
    faults: bool = True


def frames(scan: Scan, count: int) -> Iterator[Planes]:
    """Interlaced 4:2:2 frames: the two fields of each are two different instants."""
    scene = _Exhibit(scan)
    faults = _Faults(scan.size) if scan.faults else None
    for frame in range(count):
        first, second = (_field(scene, faults, scan, 2 * frame + n) for n in (0, 1))
        top, bottom = (first, second) if scan.top_first else (second, first)
        yield Planes(*(_weave(a, b) for a, b in zip(top, bottom, strict=True)))


def _weave(top: Codes, bottom: Codes) -> Codes:
    whole = np.empty((top.shape[0] * 2, top.shape[1]), np.uint16)
    whole[::2], whole[1::2] = top, bottom
    return whole


def _field(scene: _Exhibit, faults: _Faults | None, scan: Scan, number: int) -> list[Codes]:
    """One field: every other line of the picture at its own instant, filtered against twitter."""
    first_line = number % 2 if scan.top_first else 1 - number % 2
    lines = tuple(_lines(plane, first_line) for plane in scene.at(number))
    if faults is not None:
        lines = faults.apply(number, *lines)
    return [np.rint(np.clip(plane, 4, 1019)).astype(np.uint16) for plane in lines]


def _lines(plane: Floats, first: int) -> Floats:
    """Every other line by a 1-3-1 filter, so that a one-line edge does not flicker at 25 Hz."""
    edged = cv2.copyMakeBorder(plane, 1, 1, 0, 0, cv2.BORDER_REPLICATE)
    here = slice(first, None, 2)
    return np.asarray(0.6 * plane[here] + 0.2 * (edged[:-2][here] + edged[2:][here]), np.float32)


class _Exhibit:
    """A blue and white vase on a plinth, turning, and a caption that crawls under it."""

    def __init__(self, scan: Scan) -> None:
        width, height = scan.size
        self.size = scan.size
        self.room = _planes(_room(height, width, scan.pixel_aspect))
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
        y = rows / height
        x = (columns - width / 2) * scan.pixel_aspect / height
        radius = cv2.GaussianBlur(
            np.interp(y, *_PROFILE).astype(np.float32), (1, 0), 0, sigmaY=height * 0.018
        )
        across = np.clip(x / np.maximum(radius, 1e-4), -1, 1)
        inside = np.clip((radius - np.abs(x)) * height / 1.5, 0, 1) * ((y > 0.12) & (y < 0.80))
        self.box = (slice(round(0.11 * height), round(0.81 * height)), _columns(inside))
        self.alpha = inside[self.box].astype(np.float32)
        self.turn = (np.arcsin(across) / (2 * np.pi))[self.box]
        self.rise = ((y - 0.12) / 0.68)[self.box]
        self.shade = _shade(across, y)[self.box]
        self.glaze = _glaze()
        self.caption = _caption(height)

    def at(self, field: int) -> tuple[Floats, Floats, Floats]:
        """Y, Cb, Cr at full vertical resolution at the instant of that field."""
        y, cb, cr = (plane.copy() for plane in self.room)
        rows, columns = self.glaze[0].shape
        u = ((self.turn + field * TURN_A_FIELD) % 1 * (columns - 1)).astype(np.float32)
        v = np.clip(self.rise * (rows - 1), 0, rows - 1).astype(np.float32)
        luma = (cv2.remap(self.glaze[0], u, v, cv2.INTER_LINEAR) - BLACK) * self.shade + BLACK
        _over(y, luma, self.alpha, self.box)
        half = (self.box[0], slice(self.box[1].start // 2, self.box[1].stop // 2))
        for plane, tint in ((cb, self.glaze[1]), (cr, self.glaze[2])):
            colour = (
                cv2.remap(tint, u, v, cv2.INTER_LINEAR) - CHROMA_ZERO
            ) * self.shade + CHROMA_ZERO
            _over(plane, colour[:, ::2], self.alpha[:, ::2], half)
        self._crawl(y, field)
        return y, cb, cr

    def _crawl(self, y: Floats, field: int) -> None:
        width, height = self.size
        text = self.caption
        start = (
            round(width - field * CRAWL_A_FIELD * width) % (text.shape[1] + width) - text.shape[1]
        )
        left, right = max(0, start), min(width, start + text.shape[1])
        top = round(height * 0.885)
        band = y[top : top + text.shape[0], left:right]
        band += (840 - band) * text[:, left - start : right - start]


_PROFILE = (
    [0.12, 0.14, 0.20, 0.27, 0.36, 0.46, 0.56, 0.66, 0.74, 0.80],
    [0.075, 0.066, 0.052, 0.10, 0.20, 0.245, 0.215, 0.145, 0.10, 0.115],
)


def _columns(inside: Floats) -> slice:
    used = np.flatnonzero(inside.max(axis=0))
    return slice(int(used[0]) // 2 * 2, -(-int(used[-1] + 1) // 2) * 2)


def _over(plane: Floats, part: Floats, alpha: Floats, box: tuple[slice, slice]) -> None:
    view = plane[box]
    view += (part - view) * alpha


def _planes(coded: Floats) -> tuple[Floats, Floats, Floats]:
    done = planes(coded, "sdr", "422")
    y, cb, cr = (np.asarray(plane, np.float32) for plane in (done.y, done.cb, done.cr))
    return y, cb, cr


def _shade(across: Floats, y: Floats) -> Floats:
    """Light from the upper left on a glazed round body, with a window's reflection."""
    facing = np.clip(0.30 + 0.85 * np.sqrt(np.maximum(0, 1 - (across + 0.35) ** 2)), 0, 1.1)
    window = np.exp(-(((across + 0.45) / 0.09) ** 2)) * step(
        np.asarray(0.10 - np.abs(y - 0.40)), 0, 0.02
    )
    return np.asarray(facing + 0.55 * window, np.float32)


def _room(height: int, width: int, pixel_aspect: float) -> Floats:
    """Non-linear R'G'B' of the wall, the lamp's glow on it and the plinth."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = (columns - width / 2) * pixel_aspect / height, rows / height
    wall = rgb(0.34, 0.25, 0.20) * (
        0.75 + 0.5 * fractal(71, (height, width), (50, 90), 4)[..., None]
    )
    wall = (
        wall
        * (0.25 + 0.95 * np.exp(-(((x + 0.2) / 0.75) ** 2) - ((y - 0.3) / 0.6) ** 2))[..., None]
    )
    wood = fractal(72, (height, width), (160, 7), 5)[..., None]
    plinth = rgb(0.30, 0.16, 0.09) * (0.5 + wood) * (1.25 - y[..., None] * 0.6)
    on = step(np.asarray(0.36 - np.abs(x)), -0.002, 0.002) * step(y, 0.797, 0.801)
    return np.clip(mix(wall, plinth, on), 0, 1)


def _glaze() -> tuple[Floats, Floats, Floats]:
    """Y, Cb, Cr of the painted porcelain, unrolled: scrolls, petals and bands in cobalt."""
    rows, columns = np.mgrid[0:700, 0:2048].astype(np.float32)
    u, v = columns / 2048 * 2 * np.pi, rows / 700
    wobble = fractal(73, (700, 2048), (6, 16), 5) - 0.5
    scroll = np.sin(8 * u + 5 * np.sin(15 * v + wobble * 3)) * np.sin(22 * v + 2.5 * np.cos(4 * u))
    vine = step(np.abs(scroll) + wobble * 0.3, 0.62, 0.72) * step(0.22 - np.abs(v - 0.50), 0, 0.01)
    petals = step(np.abs(np.cos(12 * u)) - (v - 0.82) * 9, 0.15, 0.30) * step(v, 0.80, 0.81)
    collar = step(np.abs(np.cos(9 * u)) - (0.25 - v) * 11, 0.10, 0.22) * step(0.26 - v, 0, 0.008)
    bands = sum(
        np.exp(-(((v - at) / 0.006) ** 2)) for at in (0.265, 0.28, 0.735, 0.75, 0.79, 0.985)
    )
    ink = np.clip(np.maximum.reduce([vine, petals, collar, np.asarray(bands)]), 0, 1)
    depth = (0.55 + 0.7 * (wobble + 0.5))[..., None]
    body = np.broadcast_to(rgb(0.80, 0.84, 0.86), (700, 2048, 3))
    painted = mix(body, rgb(0.05, 0.13, 0.52) * depth, ink.astype(np.float32))
    done = planes(np.clip(painted, 0, 1), "sdr", "422")
    cb, cr = (cv2.resize(c, (2048, 700)).astype(np.float32) for c in (done.cb, done.cr))
    return np.asarray(done.y, np.float32), cb, cr


def _caption(height: int) -> Floats:
    text = "KAPOK ARCHIVE   TAPE 0042   BLUE AND WHITE VASE, TURNING   25 FRAMES, 50 FIELDS   "
    scale = height * 0.045 / 22
    weight = max(1, round(scale * 1.6))
    (length, tall), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, weight)
    mask = np.zeros((tall + below + 4, length), np.uint8)
    cv2.putText(mask, text, (0, tall + 2), cv2.FONT_HERSHEY_DUPLEX, scale, 255, weight, cv2.LINE_AA)
    return mask.astype(np.float32) / 255


class _Faults:
    """What one pass of the heads does to a field; the same field number gives the same faults."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.width, self.rows = size[0], size[1] // 2
        self.edge = round(self.rows * (1 - HEAD_SWITCH_ROWS))
        noise = np.random.default_rng(97).standard_normal((self.rows + 64, self.width + 64))
        self.luma_noise = np.asarray(noise * LUMA_NOISE, np.float32)
        narrow = (
            cv2.blur(noise, (12, 1)) * 12**0.5
        )  # a narrow channel: noise runs on along the line
        self.chroma_noise = np.asarray(narrow * CHROMA_NOISE, np.float32)
        self.grid = np.mgrid[0 : self.rows, 0 : self.width].astype(np.float32)

    def apply(self, number: int, y: Floats, cb: Floats, cr: Floats) -> tuple[Floats, ...]:
        """Time-base error, noise, drop-outs, narrow chroma, and the head switch at the bottom."""
        rng = np.random.default_rng((97, number))
        error = self._time_base(rng)
        y = self._shift(y, error) + self._tile(rng, self.luma_noise, y)
        self._drop_outs(rng, y)
        y[self.edge :] += rng.normal(0, 60, y[self.edge :].shape).astype(np.float32)
        soft = (self._shift(cv2.blur(c, (9, 1)), error / 2) for c in (cb, cr))
        return (y, *(c + self._tile(rng, self.chroma_noise, c) for c in soft))

    def _time_base(self, rng: np.random.Generator) -> Floats:
        """Horizontal error of each line in samples: flagging at the top, jitter everywhere."""
        line = np.arange(self.rows, dtype=np.float32)
        flag = 6 * np.exp(-line / (0.03 * self.rows)) * rng.normal(0, 1)
        error = flag * self.width / 1920 + rng.normal(0, 0.25, self.rows)
        skew = np.linspace(0.012, 0.07, self.rows - self.edge) * self.width
        error[self.edge :] += skew * rng.uniform(0.7, 1.3)
        return np.asarray(error, np.float32)

    def _shift(self, plane: Floats, error: Floats) -> Floats:
        """Move each line by its own part of a sample."""
        rows, columns = self.grid[:, :, : plane.shape[1]]
        x = columns + error[:, None]
        return cv2.remap(plane, x, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def _tile(self, rng: np.random.Generator, noise: Floats, plane: Floats) -> Floats:
        top, left = rng.integers(0, 64, 2)
        return noise[top : top + plane.shape[0], left : left + plane.shape[1]]

    def _drop_outs(self, rng: np.random.Generator, y: Floats) -> None:
        for _ in range(rng.poisson(0.06)):
            row, start = rng.integers(0, self.rows), rng.integers(0, self.width)
            length = round(self.width * rng.uniform(0.02, 0.09))
            y[row, start : start + length] = rng.uniform(780, 960)
