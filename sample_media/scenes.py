"""Two painted panoramas in linear scene light: a kapok in bloom at dusk, and a harbour at night."""

from __future__ import annotations

import cv2
import numpy as np

from sample_media.light import Floats
from sample_media.texture import blossom, fractal, mix, paste, rgb, step

Point = tuple[float, float]


def kapok_at_dusk(height: int, width: int) -> Floats:
    """A low sun (HLG peak), five ridges in haze, and a kapok with red flowers beyond BT.709."""
    soft = _sky(-(-height // 2), -(-width // 2))  # nothing in the sky is finer than two samples
    scene = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    for layer in range(5):
        _ridge(scene, layer)
    tips = _branches(scene)
    _flowers(scene, tips)
    return scene


def _sky(height: int, width: int) -> Floats:
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    down = (rows / height)[..., None]
    top, low = rgb(0.018, 0.040, 0.115), rgb(0.36, 0.20, 0.105)
    scene = top + (low - top) * np.clip(down / 0.62, 0, 1) ** 1.6
    cloud = step(fractal(11, (height, width), (7, 3.2), 8), 0.46, 0.72)
    lit = rgb(0.42, 0.20, 0.13) * (0.35 + 0.9 * down)
    scene = mix(scene, lit, cloud * step(0.62 - down[..., 0], 0, 0.25) * 0.75)
    distance = np.hypot(columns - 0.40 * width, rows - 0.42 * height) / height
    glow = np.exp(-distance * 7)[..., None] * rgb(0.55, 0.30, 0.12)
    scene = np.minimum(scene + glow, 0.9)
    return mix(scene, rgb(1.0, 0.94, 0.80), step(0.052 - distance, -0.001, 0.003))


def _ridge(scene: Floats, layer: int) -> None:
    """Paint one ridge over the scene, in place; 0 is the farthest and haziest."""
    height, width = scene.shape[:2]
    line = fractal(20 + layer, (1, width), (2, 4 + 3 * layer), 9)[0]
    crest = (0.44 + 0.085 * layer + (0.5 - line) * (0.26 - 0.02 * layer)) * height
    above = max(0, int(crest.min()) - 1)
    rows = np.arange(above, height, dtype=np.float32)[:, None]
    mask = np.clip(rows - crest[None] + 0.5, 0, 1).astype(np.float32)
    near, shape = layer / 4, (height - above, width)
    canopy = fractal(40 + layer, shape, (24 + 20 * layer, 80 + 60 * layer), 4)
    fold = fractal(50 + layer, shape, (3 + 2 * layer, 9 + 5 * layer), 5)
    lit = 0.15 + 1.7 * step(canopy, 0.25, 0.8) * (0.25 + 1.5 * step(fold, 0.3, 0.7))
    haze = rgb(0.20, 0.125, 0.105) * (1 - near) ** 1.5
    slope = rgb(0.010, 0.024, 0.009) * (0.35 + 0.65 * near)
    scene[above:] = mix(scene[above:], haze + slope * lit[..., None], mask)


def _branches(scene: Floats) -> list[Point]:
    """Draw trunk and boughs, and return where flowers sit, in parts of the height."""
    height, width = scene.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    tips: list[Point] = []
    rng = np.random.default_rng(5)
    for root in (0.62, 1.78):
        _limb(mask, rng, (root, 1.02), -1.52, 0.30, 0.030, 6, tips)
    alpha = mask.astype(np.float32) / 255
    bark = fractal(60, (height, width), (90, 40), 5)[..., None]
    scene[:] = mix(scene, rgb(0.030, 0.022, 0.017) * (0.35 + 1.3 * bark), alpha)
    return tips


def _limb(
    mask: np.ndarray,
    rng: np.random.Generator,
    start: Point,
    angle: float,
    length: float,
    thick: float,
    levels: int,
    tips: list[Point],
) -> None:
    height = mask.shape[0]
    end = (start[0] + length * np.cos(angle), start[1] + length * np.sin(angle))
    ends = [tuple(round(v * height * 16) for v in point) for point in (start, end)]
    cv2.line(mask, ends[0], ends[1], 255, max(1, round(thick * height)), cv2.LINE_AA, 4)
    if levels <= 3:
        tips.append(end)
        tips.append(((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
    if levels == 0:
        return
    for turn in (-0.55, 0.12, 0.62):
        bend = turn + float(rng.normal(0, 0.14))
        shrink = float(rng.uniform(0.60, 0.82))
        if levels <= 2 and rng.random() < 0.35:
            continue
        _limb(mask, rng, end, angle + bend, length * shrink, thick * 0.62, levels - 1, tips)


def _flowers(scene: Floats, tips: list[Point]) -> None:
    height = scene.shape[0]
    rng = np.random.default_rng(7)
    for index in rng.permutation(len(tips))[:900]:
        size = max(3, round(height * rng.uniform(0.012, 0.036)))
        colour, alpha = blossom(size, float(rng.uniform(0, 6)), float(rng.uniform(0.45, 1.15)))
        offset = rng.normal(0, 0.006, 2)
        x, y = tips[index][0] + offset[0], tips[index][1] + offset[1]
        paste(scene, colour, alpha, (round(x * height), round(y * height)))


def harbour_at_night(height: int, width: int) -> Floats:
    """Lit windows, neon beyond BT.709, lamps at the HLG peak, and all of it again in the water."""
    shore = round(height * 0.66)
    scene = np.empty((height, width, 3), np.float32)
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    scene[:] = rgb(0.0022, 0.0040, 0.0110) + rows**2 * rgb(0.020, 0.011, 0.012)
    for layer in range(3):
        _towers(scene, shore, layer)
    _lamps(scene, shore)
    scene[shore:] = _water(scene[:shore], height - shore)
    return scene


def _towers(scene: Floats, shore: int, layer: int) -> None:
    height, width = scene.shape[:2]
    rng = np.random.default_rng(80 + layer)
    x = -0.05
    while x < width / height:
        wide, tall = rng.uniform(0.05, 0.12), rng.uniform(0.16, 0.52) * (1.05 - 0.22 * layer)
        left, right = round(x * height), round((x + wide) * height)
        top = shore - round(tall * height)
        left, right = max(left, 0), min(right, width)
        if right - left > 4:
            scene[top:shore, left:right] = _facade(rng, (shore - top, right - left), height, layer)
        x += wide * rng.uniform(0.75, 1.6)


def _facade(rng: np.random.Generator, shape: tuple[int, int], height: int, layer: int) -> Floats:
    """One tower: a dark wall, a grid of windows in four tints, sometimes a band of neon."""
    pitch = height * (0.011 + 0.003 * layer)
    floors, bays = max(1, int(shape[0] / pitch)), max(1, int(shape[1] / pitch / 0.8))
    tints = np.array(
        [[0.30, 0.19, 0.075], [0.22, 0.20, 0.15], [0.10, 0.16, 0.24], [0.26, 0.13, 0.04]]
    )
    lit = rng.random((floors, bays)) < rng.uniform(0.15, 0.6)
    glow = (
        lit[..., None]
        * tints[rng.integers(0, 4, (floors, bays))]
        * rng.uniform(0.2, 1.3, (floors, bays, 1))
    )
    rows = np.arange(shape[0]) * floors / shape[0]
    columns = np.arange(shape[1]) * bays / shape[1]
    pane = ((rows % 1 > 0.28) & (rows % 1 < 0.80))[:, None] & (
        (columns % 1 > 0.2) & (columns % 1 < 0.8)
    )
    wall = rgb(0.0040, 0.0048, 0.0072) * (1 + 0.6 * layer)
    facade = wall + pane[..., None] * glow[rows.astype(int)][:, columns.astype(int)]
    if rng.random() < 0.28:
        neon = [(0.50, 0.004, 0.05), (0.01, 0.34, 0.30), (0.30, 0.01, 0.55), (0.02, 0.42, 0.03)]
        edge = max(1, round(height * 0.0028))
        facade[: edge * 2] = neon[rng.integers(0, 4)]
        facade[:, :edge] = facade[:, -edge:] = neon[rng.integers(0, 4)]
    return np.asarray(facade, np.float32)


def _lamps(scene: Floats, shore: int) -> None:
    height, width = scene.shape[:2]
    size = round(height * 0.05) | 1
    offset = np.linspace(-1, 1, size, dtype=np.float32)
    radius = np.hypot(offset[:, None], offset[None])
    alpha = np.clip(np.exp(-radius * 5) * 1.2 - 0.01, 0, 1)
    alpha = np.maximum(alpha * step(1 - radius, 0, 0.4), step(0.12 - radius, -0.02, 0.02))
    colour = np.broadcast_to(rgb(1.0, 0.80, 0.46), (size, size, 3))
    for x in np.arange(0.03, width / height, 0.11):
        paste(scene, colour, alpha, (round(x * height), shore - round(0.012 * height)))


def _water(shown: Floats, depth: int) -> Floats:
    """The city upside down, drawn out and broken by waves that shorten towards the shore."""
    width = shown.shape[1]
    rows, columns = np.mgrid[0:depth, 0:width].astype(np.float32)
    near = rows / depth
    wave = fractal(95, (depth, width), (26, 9), 6) - 0.5
    swell = np.sin(2 * np.pi * (14 * near**0.55 + wave * 1.6))
    amount = depth * (0.012 + 0.05 * near)
    x = columns + amount * (swell * 0.8 + wave * 2.4)
    y = shown.shape[0] - 1 - rows * 1.25 - amount * swell * 1.6
    turned = cv2.remap(
        shown, x, np.clip(y, 0, shown.shape[0] - 1), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    streaked = cv2.blur(turned, (3, max(3, round(depth * 0.05))))
    tint = rgb(0.42, 0.50, 0.58) * (1 - 0.45 * near[..., None])
    glint = step(swell * 0.5 + wave, 0.62, 0.85)[..., None] * rgb(0.030, 0.026, 0.03)
    return np.asarray(streaked * tint + glint, np.float32)
