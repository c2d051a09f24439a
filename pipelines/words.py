"""Text that people read, in English and Chinese side by side: decisions, refusals, findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


class Words(str):
    """A text with its Chinese twin, `zh`.

    It is its English text wherever a plain one is wanted: compared, searched, logged. What is put
    together from several (an f-string, `join`) is English alone, so both are put together, or
    `joined` does it.
    """

    __slots__ = ("zh",)
    zh: str

    def __new__(cls, en: str, zh: str) -> Self:
        made = super().__new__(cls, en)
        made.zh = zh
        return made

    def __reduce__(self) -> tuple[type[Words], tuple[str, str]]:
        return (Words, (str(self), self.zh))

    def record(self) -> dict[str, str]:
        """As a plan or an inspection keeps it."""
        return {"en": str(self), "zh": self.zh}

    @classmethod
    def read(cls, value: object) -> Words:
        """What `record` wrote; older versions wrote the English text alone.

        Raises `ValueError` for anything else.
        """
        match value:
            case Words():
                return value
            case str():
                return cls(value, value)
            case Mapping() if set(value) == {"en", "zh"}:
                return cls(str(value["en"]), str(value["zh"]))
        message = f"no text in two languages: {value!r}"
        raise ValueError(message)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415 - heavy for `kapok --help`

        return core_schema.no_info_plain_validator_function(cls.read)


Said = Callable[[Words], Any]  # how a text is written into a record


def zh_of(text: str) -> str:
    """The Chinese twin of a text, or the text where it is a name or a number and has none."""
    return text.zh if isinstance(text, Words) else text


def joined(parts: Iterable[str], en: str = ", ", zh: str = "、") -> Words:
    """The parts in both languages, each with what stands between them there."""
    kept = list(parts)
    return Words(en.join(kept), zh.join(map(zh_of, kept)))
