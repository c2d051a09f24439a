"""Chinese or English, by `--lang`, `KAPOK_LANG` or the locale. Both texts stand side by side."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from pipelines.words import Words

Language = Literal["en", "zh"]
LOCALE_VARIABLES = ("KAPOK_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def choose(argv: Sequence[str], environment: Mapping[str, str]) -> Language:
    """The language of this run. `--lang` is read before the parser, because help texts need it."""
    for word, following in itertools.pairwise([*argv, ""]):
        given = following if word == "--lang" else word.removeprefix("--lang=")
        if given != word and given[:2] in ("en", "zh"):
            return cast("Language", given[:2])
    spoken = next((environment[name] for name in LOCALE_VARIABLES if environment.get(name)), "en")
    return "zh" if spoken.lower().startswith("zh") else "en"


class _Current:
    """The chosen language; a class so that a test can choose without touching the environment."""

    language: Language = choose(sys.argv[1:], os.environ)


def use(language: Language) -> None:
    _Current.language = language


def language() -> Language:
    return _Current.language


def told(words: Words) -> str:
    """What the pipelines say, in the language of this run."""
    return t(words, words.zh)


def t(english: str, chinese: str) -> str:
    """The text in the language of this run."""
    return chinese if _Current.language == "zh" else english
