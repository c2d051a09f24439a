"""Data in place of sound: SMPTE ST 337, as Dolby E is in PCM tracks. Pure.

Each burst begins with two words, one in each channel of a pair, or one after the other in a single
one (ST 337, 7.1 and 7.2). A pair may be two tracks.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]

# Pa and Pb of 16, 20 and 24 bits a word, each in the upper bits of 24 (ST 337, table 6).
_WORDS = ((0xF87200, 0x4E1F00), (0x6F8720, 0x54E1F0), (0x96F872, 0xA54E1F))
_FULL_SCALE = 1 << 23
_BURSTS, _WITHIN_S = 4, 1  # [P] each picture has one, each block of AC-3 too: sound has none
# [P] Bursts begin once in 384 samples at most (ST 337 with MPEG-1 layer I). A word that stands more
# often in a block, as in a test tone, is sound, and would fill the memory. In programmes one of 16
# bits happens six times a second, which are 2 MB in ten hours.
_MOST_OFTEN, _FEW = 1 / 200, 4


class BurstWatch:
    """Takes samples (n, channels) of one track, exact where they have 24 bits at most."""

    def __init__(self, channels: int, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._count = 0
        self._found = [[(array("q"), array("q")) for _ in _WORDS] for _ in range(channels)]

    def take(self, samples: NDArray[np.float32]) -> None:
        most = max(_FEW, _MOST_OFTEN * len(samples))
        for channel, words in enumerate(self._found):
            sound = samples[:, channel]
            for found, values in zip(words, _WORDS, strict=True):
                for places, value in zip(found, values, strict=True):
                    here = np.flatnonzero(sound == _signed(value))
                    if len(here) <= most:
                        places.extend((here + self._count).tolist())
        self._count += len(samples)

    @property
    def channels(self) -> list[list[tuple[Places, Places]]]:
        """Of each channel the places of Pa and Pb, by the length of a word."""
        return [[(_read(one), _read(other)) for one, other in words] for words in self._found]


def data_channels(tracks: Sequence[BurstWatch]) -> tuple[tuple[int, ...], ...]:
    """The channels of each track that hold data."""
    every = [
        (track, channel, words)
        for track, watch in enumerate(tracks)
        for channel, words in enumerate(watch.channels)
    ]
    found: set[tuple[int, int]] = set()
    for track, channel, words in every:
        if _begin_bursts([(one + 1, other) for one, other in words], tracks[track].rate_hz):
            found.add((track, channel))
    for (track, channel, left), (next_track, next_channel, right) in pairwise(every):
        words = [(one, other) for (one, _), (_, other) in zip(left, right, strict=True)]
        if _begin_bursts(words, tracks[track].rate_hz):
            found |= {(track, channel), (next_track, next_channel)}
    return tuple(
        tuple(channel for one, channel in sorted(found) if one == track)
        for track in range(len(tracks))
    )


def _begin_bursts(words: Sequence[tuple[Places, Places]], rate_hz: int) -> bool:
    """Whether Pa and Pb of one length meet at the same places, often enough."""
    for one, other in words:
        places = np.intersect1d(one, other)
        spans = places[_BURSTS - 1 :] - places[: len(places) - _BURSTS + 1]
        if len(places) >= _BURSTS and spans.min() <= _WITHIN_S * rate_hz:
            return True
    return False


def _signed(word: int) -> np.float32:
    return np.float32((word - (word >> 23 << 24)) / _FULL_SCALE)


def _read(places: array[int]) -> Places:
    return np.frombuffer(places, np.int64) if places else np.zeros(0, np.int64)
