"""How loud a track is, tenth by tenth of a second: what fell silent anywhere shows. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float64]  # (windows, channels): RMS, full scale is 1

WINDOW_S = 0.1
_HEARD = 10 ** (-50 / 20)  # quieter than this nothing is missed, and codecs leave noise
_VANISHED = 0.03  # 30 dB down
LOSSY_DB = 1.0  # [P] lossy codecs keep a programme's energy within a fraction of it
EXACT_DB = 0.1  # [P] PCM and FLAC keep all of it, but for what another rate loses


class LevelTrack:
    """Takes samples (n, channels) as they stream past."""

    def __init__(self, channels: int, rate_hz: int) -> None:
        self._window = round(WINDOW_S * rate_hz)
        self._rest = np.zeros((0, channels), np.float32)
        self._levels: list[Levels] = []

    def take(self, sound: NDArray[np.float32]) -> None:
        self._rest = np.concatenate([self._rest, sound])
        whole = len(self._rest) // self._window
        if whole:
            cut, self._rest = np.split(self._rest, [whole * self._window])
            self._levels.append(_rms(cut.reshape(whole, self._window, -1)))

    def levels(self) -> Levels:
        """Silence follows the last sample: what ends within a window is no louder for it."""
        filled = np.pad(self._rest, ((0, self._window - len(self._rest)), (0, 0)))
        last = [_rms(filled[np.newaxis])] if len(self._rest) else []
        nothing = np.zeros((0, self._rest.shape[1]))
        return np.concatenate([nothing, *self._levels, *last])


def level_faults(heard: Levels, true: Levels, *, within_db: float | None) -> list[str]:
    """Where the one is silent and the other is not, and whether the whole is louder or softer.

    A window may borrow from its neighbours: codecs smear an onset. `within_db` is `None` for what
    has levels of its own, as a downmix.
    """
    count = max(len(heard), len(true))
    heard, true = _padded(heard, count), _padded(true, count)
    faults = []
    for channel in range(true.shape[1]):
        one, other = heard[:, channel], true[:, channel]
        lost = (other > _HEARD) & (_around(one) < _VANISHED * other)
        added = (one > _HEARD) & (_around(other) < _VANISHED * one)
        if lost.any():
            faults.append(f"channel {channel} is silent {_where(lost)}, the source is not")
        if added.any():
            faults.append(f"channel {channel} has sound {_where(added)}, the source has none")
    return faults if faults or within_db is None else _louder(heard, true, within_db)


def gain_between(heard: Levels, true: Levels) -> float:
    """The one factor that makes `heard` of `true`; 1 where there is nothing to tell it by."""
    count = max(len(heard), len(true))
    ours, theirs = (float(np.linalg.norm(_padded(one, count))) for one in (heard, true))
    return ours / theirs if ours and theirs else 1.0


def _louder(heard: Levels, true: Levels, within_db: float) -> list[str]:
    ours, theirs = (float(np.sqrt(np.mean(levels**2))) for levels in (heard, true))
    if min(ours, theirs) < _HEARD:
        return []
    change_db = 20 * float(np.log10(ours / theirs))
    return [f"{change_db:+.1f} dB against the source"] if abs(change_db) > within_db else []


def _where(windows: NDArray[np.bool_]) -> str:
    places = np.flatnonzero(windows)
    return f"from {places[0] * WINDOW_S:.1f} s ({len(places) * WINDOW_S:.1f} s in all)"


def _around(levels: Levels) -> Levels:
    """The loudest of each window and its two neighbours."""
    edged = np.pad(levels, 1)
    return np.asarray(np.maximum(np.maximum(edged[:-2], edged[1:-1]), edged[2:]))


def _padded(levels: Levels, count: int) -> Levels:
    return np.pad(levels, ((0, count - len(levels)), (0, 0)))


def _rms(windows: NDArray[np.float32]) -> Levels:
    return np.asarray(np.sqrt(np.mean(np.square(windows, dtype=np.float64), axis=1)))
