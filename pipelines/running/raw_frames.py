"""Bytes of raw video as they come out of a pipe, cut into frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8 | np.uint16]


@dataclass(frozen=True, slots=True)
class FrameShape:
    """Planes of one size each: 1 for grey, 3 for 4:4:4; 2 bytes a sample above 8 bits."""

    planes: int
    height: int
    width: int
    wide_samples: bool = False

    @property
    def size_bytes(self) -> int:
        return self.planes * self.height * self.width * (2 if self.wide_samples else 1)


class RawFrames:
    """Calls `use` with each whole frame, an array of shape (planes, height, width)."""

    def __init__(self, shape: FrameShape, use: Callable[[Frame], None]) -> None:
        self._shape = shape
        self._use = use
        self._rest = bytearray()

    def feed(self, block: bytes) -> None:
        self._rest += block
        size = self._shape.size_bytes
        whole = len(self._rest) // size * size
        if whole == 0:
            return
        ready = bytes(self._rest[:whole])
        del self._rest[:whole]
        shape = (-1, self._shape.planes, self._shape.height, self._shape.width)
        for frame in _samples(ready, self._shape.wide_samples).reshape(shape):
            self._use(frame)


def _samples(block: bytes, wide: bool) -> Frame:  # noqa: FBT001 - the one thing that varies
    return np.frombuffer(block, np.uint16) if wide else np.frombuffer(block, np.uint8)
