"""Ids that people can read out and databases can sort: `ast_01k…`."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, in lower case
LENGTH = 26
RANDOM_BITS = 80

_lock = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """A fresh id, `prefix_` + 26 characters: 48 bits of milliseconds, 80 of chance, as in a ULID.

    Ids of one process rise strictly, so rows made in one transaction sort in the order of making.
    """
    return f"{prefix}_{_encode(_next())}"


def made_at(identifier: str) -> datetime:
    """When an id was made, by its maker's clock."""
    number = 0
    for letter in identifier.rpartition("_")[2]:
        number = number << 5 | ALPHABET.index(letter)
    return datetime.fromtimestamp((number >> RANDOM_BITS) / 1000, UTC)


def _next() -> int:
    global _last  # noqa: PLW0603 - the order of ids is a fact of the process
    milliseconds = time.time_ns() // 1_000_000
    fresh = milliseconds << RANDOM_BITS | int.from_bytes(os.urandom(RANDOM_BITS // 8), "big")
    with _lock:
        # After a fork two processes share `_last`: the random step keeps them apart.
        _last = fresh if fresh > _last else _last + 1 + int.from_bytes(os.urandom(8), "big")
        return _last


def _encode(number: int) -> str:
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(LENGTH)))
