"""Peaks of the sound for drawing it; each track in the JSON shape of audiowaveform, version 2."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_PEAKS_WANTED = 8000  # enough for a wide screen at four times zoom
_PEAKS_PER_S = 50
_FULL_SCALE = 127
_SAMPLE_BYTES = 4


class Peaks:
    """Takes interleaved 32-bit float samples; keeps the least and the most of each bucket.

    `listener` is given the same samples, a row for each time.
    """

    def __init__(
        self,
        channels: int,
        sample_rate_hz: int,
        expected_s: Fraction | None,
        listener: Callable[[NDArray[np.float32]], object] | None = None,
    ) -> None:
        per_s = max(1, min(_PEAKS_PER_S, round(_PEAKS_WANTED / max(float(expected_s or 1), 1.0))))
        self._sample_rate_hz = sample_rate_hz
        self._bucket = max(1, sample_rate_hz // per_s)
        self._channels = channels
        self._rest = bytearray()
        self._listener = listener
        self._found: list[NDArray[np.float32]] = []
        self.samples = 0

    def feed(self, block: bytes) -> None:
        self._rest += block
        size = self._bucket * self._channels * _SAMPLE_BYTES
        whole = len(self._rest) // size * size
        if whole:
            self._take(bytes(self._rest[:whole]))
            del self._rest[:whole]

    def record(self) -> dict[str, object]:
        """Ends the measurement: a last, shorter bucket is counted too."""
        rest = bytes(self._rest)
        self._rest.clear()
        if rest:
            self._take(rest)
        rows = np.concatenate(self._found) if self._found else np.empty((0, 2), np.float32)
        whole = np.clip(np.rint(rows * _FULL_SCALE), -_FULL_SCALE - 1, _FULL_SCALE).astype(int)
        return {
            "version": 2,
            "channels": 1,
            "sample_rate": self._sample_rate_hz,
            "samples_per_pixel": self._bucket,
            "bits": 8,
            "length": len(whole),
            "data": whole.ravel().tolist(),
        }

    def _take(self, block: bytes) -> None:
        samples = np.frombuffer(block, "<f4").reshape(-1, self._channels)
        self.samples += len(samples)
        if self._listener:
            self._listener(samples)
        starts = np.arange(0, len(samples), self._bucket)
        least = np.minimum.reduceat(samples.min(axis=1), starts)
        most = np.maximum.reduceat(samples.max(axis=1), starts)
        self._found.append(np.stack([least, most], axis=1))


def write_waveform(folder: Path, tracks: Sequence[Peaks]) -> str:
    """One JSON file: `tracks` in the source's order. Returns its name."""
    name = "waveform.json"
    (folder / name).write_text(json.dumps({"tracks": [track.record() for track in tracks]}))
    return name
