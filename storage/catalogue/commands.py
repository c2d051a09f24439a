"""Commands as the catalogue keeps them: what many have in common once, and every word of each.

A programme of 600 chunks has 600 commands of some 5 kB, which differ in a few numbers and names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

Argv = Sequence[str]
_NAME = re.compile(r"([0-9A-Za-z]+)")


def packed(commands: Sequence[Argv]) -> list[Any]:
    """A lone command as it is; neighbours that differ in numbers and names as one record.

    `template` has their words, each a text or pieces of one with nulls between them, and `values`
    for each command what stands in the place of each null.
    """
    kept: list[Any] = []
    for _, alike in groupby(commands, key=_shape):
        group = [list(command) for command in alike]
        kept.append(group[0] if len(group) == 1 else _together(group))
    return kept


def unpacked(kept: Sequence[Any]) -> list[list[str]]:
    """Every command, word for word."""
    return [command for one in kept for command in _each(one)]


def _shape(command: Argv) -> tuple[tuple[str, ...], ...]:
    """What stands between the numbers and names of each word."""
    return tuple(tuple(_NAME.split(word)[::2]) for word in command)


def _together(group: Sequence[Argv]) -> dict[str, Any]:
    pieces = [[_NAME.split(word) for word in command] for command in group]
    varies = [
        [len({one[at][n] for one in pieces}) > 1 for n in range(len(word))]
        for at, word in enumerate(pieces[0])
    ]
    template = [_word(*both) for both in zip(pieces[0], varies, strict=True)]
    values = [
        [
            piece
            for word, own in zip(one, varies, strict=True)
            for piece, differs in zip(word, own, strict=True)
            if differs
        ]
        for one in pieces
    ]
    return {"template": template, "values": values}


def _word(pieces: Sequence[str], varies: Sequence[bool]) -> str | list[str | None]:
    if not any(varies):
        return "".join(pieces)
    made: list[str | None] = []
    for differs, run in groupby(zip(pieces, varies, strict=True), key=lambda pair: pair[1]):
        texts = [piece for piece, _ in run]
        made += [None] * len(texts) if differs else ["".join(texts)]
    return made


def _each(kept: Any) -> Iterator[list[str]]:
    if isinstance(kept, list):
        yield kept
        return
    for values in kept["values"]:
        left = iter(values)
        yield [
            word
            if isinstance(word, str)
            else "".join(next(left) if piece is None else piece for piece in word)
            for word in kept["template"]
        ]
