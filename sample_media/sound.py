"""The sound of the samples: a tone a channel, a click a second, plucked strings; 48 kHz floats."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ = 48_000
Samples = npt.NDArray[np.float64]  # (samples, channels), full scale is 1.0

# One tone a channel in the order L R C LFE Ls Rs and on; no two share a harmonic below 10 kHz.
TONES_HZ = (397.0, 523.0, 997.0, 61.0, 701.0, 883.0, 1193.0, 1429.0)
TONE_PEAK = 10 ** (-27 / 20)
CLICK_PEAK = 10 ** (-4 / 20)
CLICK_S = 0.004


def tones(seconds: Fraction, channels: int, clicks_s: Sequence[Fraction]) -> Samples:
    """A tone a channel over quiet noise, and a click in every channel but the fourth (LFE).

    The noise makes the correlation of two copies unambiguous: pure tones repeat, noise does not.
    """
    count = round(seconds * SAMPLE_RATE_HZ)
    time_s = np.arange(count) / SAMPLE_RATE_HZ
    rng = np.random.default_rng(17)
    sound = np.empty((count, channels))
    for channel in range(channels):
        swell = 0.75 + 0.25 * np.sin(2 * np.pi * (0.7 + 0.13 * channel) * time_s)
        sound[:, channel] = TONE_PEAK * swell * np.sin(2 * np.pi * TONES_HZ[channel] * time_s)
    sound += rng.normal(0, 10 ** (-46 / 20), (count, 1))
    loud = [channel for channel in range(channels) if channels != 6 or channel != 3]
    for at in clicks_s:
        _add_click(sound, round(at * SAMPLE_RATE_HZ), loud)
    return sound


def _add_click(sound: Samples, start: int, channels: Sequence[int]) -> None:
    length = min(round(CLICK_S * SAMPLE_RATE_HZ), len(sound) - start)
    if length <= 0:
        return
    fall = np.exp(-np.arange(length) / (length / 4))
    burst = CLICK_PEAK * fall * np.cos(2 * np.pi * 3000 * np.arange(length) / SAMPLE_RATE_HZ)
    for channel in channels:
        sound[start : start + length, channel] += burst


def plucked(seconds: Fraction, channels: int, seed: int = 23) -> Samples:
    """A pentatonic tune on plucked strings (Karplus-Strong), each note placed between the sides."""
    count = round(seconds * SAMPLE_RATE_HZ)
    rng = np.random.default_rng(seed)
    sound = np.zeros((count, channels))
    scale = np.array([0, 2, 4, 7, 9, 12, 14, 16])
    note = 3
    for start in range(0, count, round(0.24 * SAMPLE_RATE_HZ)):
        note = int(np.clip(note + rng.integers(-2, 3), 0, 7))
        if rng.random() < 0.2:
            continue
        string = _string(
            rng, 196.0 * 2 ** (scale[note] / 12), min(count - start, SAMPLE_RATE_HZ * 2)
        )
        side = rng.uniform(0.25, 0.75)
        gains = np.array([1 - side, side] if channels == 2 else [1.0] * channels)
        sound[start : start + len(string)] += string[:, None] * gains * 0.5
    return np.asarray(np.tanh(sound * 0.9))


def _string(rng: np.random.Generator, pitch_hz: float, count: int) -> npt.NDArray[np.float64]:
    """One pluck: noise that a delay line of one period averages until it dies."""
    period = round(SAMPLE_RATE_HZ / pitch_hz)
    line = rng.uniform(-0.8, 0.8, period)
    line -= line.mean()
    turns = []
    for _ in range(-(-count // period)):
        turns.append(line)
        line = 0.996 * 0.5 * (line + np.roll(line, 1))
    return np.concatenate(turns)[:count]


def tape_hiss(sound: Samples) -> Samples:
    """What a tape machine adds: hiss and mains hum, under a lower level."""
    rng = np.random.default_rng(29)
    time_s = np.arange(len(sound))[:, None] / SAMPLE_RATE_HZ
    hum = 10 ** (-50 / 20) * np.sin(2 * np.pi * 50 * time_s)
    return np.asarray(0.6 * sound + hum + rng.normal(0, 10 ** (-52 / 20), sound.shape))


def to_pcm(sound: Samples) -> bytes:
    """Little-endian signed 32-bit samples, the channels interleaved."""
    limit = 2**31 - 1
    return np.rint(np.clip(sound, -1, 1) * limit).astype("<i4").tobytes()
