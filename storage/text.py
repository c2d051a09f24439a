"""Text of users on its way into the catalogue and into searches."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from storage.errors import InvalidText

_WORD = re.compile(r"[^\W_]+")
LONGEST_GRAM = 3


def storable(text: str, what: str) -> str:
    """`text` itself, if both databases can keep it; `what` names the field in the error."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidText(f"{what} holds half of a surrogate pair: send valid UTF-8") from error
    if "\0" in text:
        raise InvalidText(f"{what} holds a NUL character: remove it")
    return text


def normalise(text: str) -> str:
    """What searches compare: compatibility forms made one (full-width letters too), case folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def words(text: str) -> list[str]:
    """The runs of letters and digits of normalised text; a run of Chinese is one word."""
    return _WORD.findall(normalise(text))


def grams(of: Iterable[str]) -> set[str]:
    """Every 1-, 2- and 3-character piece of the words: what an index must hold to find substrings.

    Pieces of 2 are needed as most Chinese words have two characters.
    """
    return {
        word[start : start + length]
        for word in of
        for length in range(1, LONGEST_GRAM + 1)
        for start in range(len(word) - length + 1)
    }


def longest_grams(of: Iterable[str]) -> set[str]:
    """The most selective pieces of each word: its 3-character ones, or a shorter word itself."""
    return {
        word[start : start + LONGEST_GRAM]
        for word in of
        for start in range(max(1, len(word) - LONGEST_GRAM + 1))
    }
