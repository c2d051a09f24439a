"""Whether a rendition's sound is the source's, in its place and on its channels. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.verification.samples import SOUND_RATE_HZ, Sound

Samples = NDArray[np.float32]

TOLERANCE_S = 0.005  # a quarter of an AAC frame: an edit list that was lost shows
_REACH_S = 1.0
_SIGNAL = 1e-3  # -60 dBFS
_VANISHED = 0.03  # 30 dB down
_CLEARLY = 0.95
_UNRELATED = 0.1
_RELATED = 0.3
_ANOTHER = 0.8
_LEAST_S = 0.5


def sound_faults(rendition: Sound, source: Sound, first_s: float) -> list[str]:
    """What is wrong with a span of one track, both at 8 kHz with channels side by side.

    `first_s` places the span in the programme, for the text.
    """
    length = min(len(rendition), len(source))
    if length < _LEAST_S * SOUND_RATE_HZ:
        return []
    heard, true = rendition[:length], source[:length]
    where = f"in the {length / SOUND_RATE_HZ:.0f} s from {first_s:.0f} s"
    silent = [
        channel
        for channel in range(true.shape[1])
        if _rms(true[:, channel]) > _SIGNAL
        and _rms(heard[:, channel]) < _VANISHED * _rms(true[:, channel])
    ]
    if silent:
        return [f"channel {channel} is silent {where}, the source is not" for channel in silent]
    return _displaced(heard, true, where)


def _displaced(heard: Sound, true: Sound, where: str) -> list[str]:
    one, other = heard.mean(axis=1), true.mean(axis=1)
    if _rms(one) < _SIGNAL or _rms(other) < _SIGNAL:
        one, other = heard[:, 0], true[:, 0]
    if _rms(one) < _SIGNAL or _rms(other) < _SIGNAL:
        return []
    in_place = _likeness(one, other)
    shift_s = offset_s(one, other)
    if shift_s is not None:
        return [f"the sound is {1000 * shift_s:+.1f} ms off the source {where}"]
    if in_place < _UNRELATED:
        return [f"the sound is not the source's {where}"]
    return _swapped(heard, true, where)


def _swapped(heard: Sound, true: Sound, where: str) -> list[str]:
    """Channels that carry another channel's sound."""
    channels = range(true.shape[1])
    found = []
    for channel in channels:
        if _rms(heard[:, channel]) < _SIGNAL:
            continue
        likeness = [_likeness(heard[:, channel], true[:, other]) for other in channels]
        best = int(np.argmax(likeness))
        if likeness[best] > _ANOTHER and likeness[channel] < likeness[best] / 2:
            found.append(f"channel {channel} carries the source's channel {best} {where}")
    return found


def offset_s(heard: Samples, true: Samples) -> float | None:
    """How late `heard` is, or `None` where it is in place or no place is clearly better.

    Cross-correlation, half whitened: a steady tone, which fits at many places, counts less than
    clicks and consonants, which fit at one. What it finds must be there in the plain one too.
    """
    fit = _correlation(heard, true, whiten=True)
    middle, near = len(fit) // 2, round(TOLERANCE_S * SOUND_RATE_HZ)
    lag = int(fit.argmax()) - middle
    in_place = fit[middle - near : middle + near + 1].max()
    if abs(lag) <= near or in_place > _CLEARLY * fit.max():
        return None
    shifted = (heard[lag:], true[:-lag]) if lag > 0 else (heard[:lag], true[-lag:])
    return lag / SOUND_RATE_HZ if _likeness(*shifted) > _RELATED else None


def _likeness(one: Samples, other: Samples) -> float:
    """Normalised correlation at the best place within the tolerance, 0–1."""
    fit = _correlation(one, other, whiten=False)
    middle, near = len(fit) // 2, round(TOLERANCE_S * SOUND_RATE_HZ)
    scale = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(fit[middle - near : middle + near + 1].max()) / scale if scale else 0.0


def _correlation(one: Samples, other: Samples, *, whiten: bool) -> NDArray[np.float64]:
    """Magnitudes for lags of `one` from -1 s to +1 s; lag 0 is in the middle."""
    size = 1 << (2 * len(one) - 1).bit_length()
    spectrum = np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size))
    if whiten:
        weight = np.sqrt(np.abs(spectrum))
        spectrum /= np.maximum(weight, 1e-9 * weight.max())
    folded = np.abs(np.fft.irfft(spectrum, size))
    reach = min(round(_REACH_S * SOUND_RATE_HZ), size // 2 - 1)
    return np.concatenate([folded[-reach:], folded[: reach + 1]])


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0
