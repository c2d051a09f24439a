"""The moving programme: two panoramas and a hard cut, falling flowers, fireworks, a fade."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import cv2
import numpy as np

from sample_media.light import (
    BLACK,
    CHROMA_ZERO,
    Chroma,
    Codes,
    Encoding,
    Floats,
    Planes,
    planes,
    signal,
)
from sample_media.scenes import harbour_at_night, kapok_at_dusk
from sample_media.slate import Slate
from sample_media.texture import blossom, rgb

SHOT_S = Fraction(6, 5)  # a hard cut after every shot
FADE_S = Fraction(8, 25)  # the end fades to black; a clip of less than 2 s fades for a sixth of it
GRAIN_SIGMA = 2.5  # 10-bit code values
PAN_SPEED = Fraction(5, 54)  # heights a second: 4 whole samples a frame at 2160p50


@dataclass(frozen=True, slots=True)
class Format:
    """`size` is (width, height) of the stored picture; both even."""

    size: tuple[int, int]
    rate: Fraction
    encoding: Encoding
    chroma: Chroma
    title: str

    @property
    def height(self) -> int:
        return self.size[1]


@dataclass(frozen=True, slots=True)
class Sprite:
    """A small picture with its alpha at luma and at chroma sampling."""

    picture: Planes
    alpha: Floats
    alpha_chroma: Floats


def pictures(shape: Format, frames: int) -> Iterator[Planes]:
    """Every frame in order. The planes are overwritten by the next one: use or copy them first."""
    with ThreadPoolExecutor(2) as painters:  # numpy and OpenCV let go of the interpreter
        shots = list(painters.map(partial(_Shot, shape), (kapok_at_dusk, harbour_at_night)))
    slate = Slate(shape.size, shape.rate, shape.encoding, shape.chroma, shape.title)
    petals = _Petals(shape)
    fireworks = _Fireworks(shape)
    grain = _grain(shape)
    fade_s = min(FADE_S, frames / shape.rate / 6)
    for frame in range(frames):
        time_s = frame / shape.rate
        number = int(time_s / SHOT_S)
        picture = shots[number % 2].view(time_s, time_s - number * SHOT_S, zoom=number % 2 == 1)
        (fireworks if number % 2 else petals).paint(picture, float(time_s))
        _add_grain(picture, grain, frame)
        _fade(picture, (frames - 1 - frame) / shape.rate / fade_s)
        slate.stamp(picture, frame)
        yield picture


class _Shot:
    """A panorama and the window that moves over it: a pan, or a slow zoom."""

    def __init__(self, shape: Format, scene: Callable[[int, int], Floats]) -> None:
        self.shape = shape
        width = shape.size[0] + round(shape.height / 6) // 2 * 2
        light = scene(shape.height, width)
        self.canvas = planes(signal(light, shape.encoding), shape.encoding, shape.chroma)
        self.room = width - shape.size[0]
        self.frame = _blank(shape)

    def view(self, time_s: Fraction, shot_s: Fraction, *, zoom: bool) -> Planes:
        """The window at that time, with exact sub-sample motion in luma and chroma alike."""
        travel = float(time_s * PAN_SPEED * self.shape.height)
        scale = 1 - 0.05 * float(shot_s / SHOT_S) if zoom else 1.0
        x = self.room - abs(travel % (2 * self.room) - self.room)  # there and back again
        y = (1 - scale) * self.shape.height * 0.6
        rows = 2 if self.shape.chroma == "420" else 1
        _warp(self.canvas.y, self.frame.y, scale, x, y)
        _warp(self.canvas.cb, self.frame.cb, scale, x / 2, y / rows)
        _warp(self.canvas.cr, self.frame.cr, scale, x / 2, y / rows)
        return self.frame


def _warp(source: Codes, target: Codes, scale: float, x: float, y: float) -> None:
    if scale == 1 and x == int(x) and y == 0:
        target[:] = source[: target.shape[0], int(x) : int(x) + target.shape[1]]
        return
    window = np.array([[scale, 0, x], [0, scale, y]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cv2.warpAffine(source, window, target.shape[::-1], dst=target, flags=flags)


def _blank(shape: Format) -> Planes:
    width, height = shape.size
    chroma = (height // 2 if shape.chroma == "420" else height, width // 2)
    grey = (np.full(chroma, CHROMA_ZERO, np.uint16) for _ in range(2))
    return Planes(np.full((height, width), BLACK, np.uint16), *grey)


def _grain(shape: Format) -> Codes:
    """One tile of noise, larger than the picture; as unsigned, so that adding it wraps to a sum."""
    noise = np.random.default_rng(3).standard_normal(
        (shape.height + 64, shape.size[0] + 64), np.float32
    )
    rounded = np.rint(noise * GRAIN_SIGMA).clip(-12, 12)
    return np.asarray(rounded, np.int16).view(np.uint16)


def _add_grain(picture: Planes, grain: Codes, frame: int) -> None:
    x, y = frame * 37 % 64, frame * 23 % 64
    height, width = picture.y.shape
    np.maximum(picture.y, BLACK, out=picture.y)
    np.add(picture.y, grain[y : y + height, x : x + width], out=picture.y)


def _fade(picture: Planes, share: Fraction) -> None:
    """Scale the signal towards black, as a mixer does; 0 is black, 1 and more untouched."""
    if share >= 1:
        return
    for plane, zero in ((picture.y, BLACK), (picture.cb, CHROMA_ZERO), (picture.cr, CHROMA_ZERO)):
        plane[:] = np.rint((plane.astype(np.float32) - zero) * float(share) + zero).astype(
            np.uint16
        )


def _sprite(light: Floats, alpha: Floats, shape: Format) -> Sprite:
    coded = planes(signal(light, shape.encoding), shape.encoding, shape.chroma)
    rows = 2 if shape.chroma == "420" else 1
    return Sprite(coded, alpha, np.ascontiguousarray(alpha[::rows, ::2]))


def _stick(picture: Planes, sprite: Sprite, x: int, y: int, strength: float = 1) -> None:
    """Blend a sprite whose top left corner is at even (x, y); left out where it does not fit."""
    height, width = picture.y.shape
    rows, columns = sprite.alpha.shape
    if x < 0 or y < 0 or x + columns > width or y + rows > height:
        return
    _blend(picture.y, sprite.picture.y, sprite.alpha * strength, x, y)
    down = height // picture.cb.shape[0]
    for whole, part in ((picture.cb, sprite.picture.cb), (picture.cr, sprite.picture.cr)):
        _blend(whole, part, sprite.alpha_chroma * strength, x // 2, y // down)


def _blend(plane: Codes, part: Codes, alpha: Floats, x: int, y: int) -> None:
    view = plane[y : y + part.shape[0], x : x + part.shape[1]]
    view[:] = np.rint(view + (part.astype(np.float32) - view) * alpha).astype(np.uint16)


class _Petals:
    """Kapok flowers that fall whole, turning."""

    def __init__(self, shape: Format) -> None:
        rng = np.random.default_rng(31)
        self.shape = shape
        self.start = rng.random((26, 2))
        self.speed = rng.uniform(0.10, 0.32, 26)
        sizes = np.maximum(4, np.rint(shape.height * rng.uniform(0.016, 0.045, 26) / 2) * 2).astype(
            int
        )
        self.turns = [
            [_sprite(*blossom(int(size), step / 8 * 1.2566, 1.0), shape) for step in range(8)]
            for size in sizes
        ]

    def paint(self, picture: Planes, time_s: float) -> None:
        width, height = self.shape.size
        for (x0, y0), speed, turn in zip(self.start, self.speed, self.turns, strict=True):
            y = (y0 + speed * time_s) % 1.0
            x = x0 + 0.03 * np.sin(6 * time_s * speed + 9 * y0)
            sprite = turn[int(time_s * 40 * speed) % 8]
            _stick(picture, sprite, int(x * width) // 2 * 2, int(y * height) // 2 * 2)


class _Fireworks:
    """Three bursts a shot, each of sparks that slow down, sink and fade."""

    SPARKS = 110

    def __init__(self, shape: Format) -> None:
        self.shape = shape
        rng = np.random.default_rng(41)
        size = max(4, round(shape.height * 0.010 / 2) * 2)
        offset = np.linspace(-1, 1, size, dtype=np.float32)
        alpha = np.exp(-5 * (offset[:, None] ** 2 + offset[None] ** 2))
        tints = (rgb(0.95, 0.30, 0.03), rgb(0.25, 0.85, 0.95), rgb(0.90, 0.06, 0.45))
        self.sparks = [_sprite(np.broadcast_to(t, (size, size, 3)), alpha, shape) for t in tints]
        angle = rng.uniform(0, 2 * np.pi, (3, self.SPARKS))
        self.reach = rng.uniform(0.25, 1, (3, self.SPARKS)) ** 0.5 * 0.20
        self.way = np.stack([np.cos(angle), np.sin(angle)], -1)
        self.centre = np.array([[0.24, 0.22], [0.56, 0.15], [0.80, 0.26]])

    def paint(self, picture: Planes, time_s: float) -> None:
        width, height = self.shape.size
        for burst in range(3):
            age = (time_s + 0.55 * burst) % float(SHOT_S)
            strength = float(np.clip(1.25 - age / 1.3, 0, 1))
            spread = 1 - np.exp(-3.2 * age)
            place = self.reach[burst][:, None] * self.way[burst] * spread * height
            place = place + self.centre[burst] * (width, height) + (0, 0.05 * age * age * height)
            for x, y in place.astype(int) // 2 * 2:
                _stick(picture, self.sparks[burst], int(x), int(y), strength)
