"""Procedural patterns: fractal noise, sprites, and painting one colour over another in light."""

from __future__ import annotations

import cv2
import numpy as np

from sample_media.light import Floats


def rgb(red: float, green: float, blue: float) -> Floats:
    """One colour in linear light, in the type that keeps a whole scene in 32 bits."""
    return np.array([red, green, blue], np.float32)


def fractal(seed: int, shape: tuple[int, int], cells: tuple[float, float], octaves: int) -> Floats:
    """Noise in 0–1 with `cells` (rows, columns) in its coarsest octave: the same at every size."""
    rng = np.random.default_rng(seed)
    total = np.zeros((2, 2), np.float32)
    weight = 0.0
    for octave in range(octaves):
        rows, columns = (max(2, round(n * 2**octave)) for n in cells)
        gain = 0.5**octave
        noise = gain * rng.random((rows, columns), dtype=np.float32)
        total = noise + (
            cv2.resize(total, (columns, rows), interpolation=cv2.INTER_CUBIC) if weight else 0
        )
        weight += gain
    whole = cv2.resize(total, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(whole / weight, 0, 1), np.float32)


def mix(first: Floats, second: Floats, share: Floats) -> Floats:
    """`share` 0 keeps `first`, 1 gives `second`; (rows, columns) against (rows, columns, 3)."""
    return np.asarray(first + (second - first) * share[..., None], np.float32)


def step(values: Floats, start: float, end: float) -> Floats:
    """A smooth 0–1 edge between `start` and `end`."""
    share = np.clip((values - start) / (end - start), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def paste(canvas: Floats, sprite: Floats, alpha: Floats, centre: tuple[int, int]) -> None:
    """Paint a sprite into the canvas, in place, cut at the edges; `centre` is (x, y)."""
    height, width = alpha.shape
    x, y = centre[0] - width // 2, centre[1] - height // 2
    left, top = max(0, x), max(0, y)
    right, bottom = min(canvas.shape[1], x + width), min(canvas.shape[0], y + height)
    if left >= right or top >= bottom:
        return
    inside = (slice(top - y, bottom - y), slice(left - x, right - x))
    view = canvas[top:bottom, left:right]
    view[:] = mix(view, sprite[inside], alpha[inside])


def blossom(size: int, turn: float, tone: float) -> tuple[Floats, Floats]:
    """A kapok flower of five petals, as (colour in scene light, alpha)."""
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    y, x = (rows - size / 2 + 0.5) / (size / 2), (columns - size / 2 + 0.5) / (size / 2)
    radius = np.hypot(x, y)
    petal = np.cos(2.5 * (np.arctan2(y, x) + turn)) ** 2
    edge = 0.42 + 0.55 * petal**0.6
    alpha = step(edge - radius, -1.5 / size, 2.5 / size)
    depth = step(radius, 0.05, 0.9) * (0.45 + 0.55 * petal**0.5) * tone
    light = 0.75 + 0.35 * np.clip(-0.6 * x - 0.8 * y, -1, 1)
    colour = np.stack([0.30 * depth * light, 0.020 * depth * light, 0.012 * depth * light], -1)
    stamens = step(0.26 - radius, 0, 0.08) * (0.5 + 0.5 * np.cos(34 * radius + 3 * petal) ** 2)
    return mix(colour.astype(np.float32), rgb(0.33, 0.19, 0.02), stamens), alpha
