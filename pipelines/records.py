"""Frozen values as JSON records and back: how a plan or an inspection rests in the catalogue."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from pipelines.words import Said, Words

T = TypeVar("T")

_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}  # costly to build


def to_json(value: object, *, defaults: bool = True, said: Said = Words.record) -> dict[str, Any]:
    """A frozen dataclass as a JSON-able dict; rationals become text with a slash, as `"25/1"`.

    Without `defaults` every field that has its default is left out, of the values in it too.
    `said` writes the texts that people read; without it both languages are kept.
    """
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        message = f"only dataclass values have a record, not {type(value).__name__}"
        raise TypeError(message)
    return {
        field.name: _plain(getattr(value, field.name), defaults=defaults, said=said)
        for field in dataclasses.fields(value)
        if defaults or getattr(value, field.name) != field.default
    }


def from_json(kind: type[T], record: Mapping[str, Any]) -> T:
    """The value that `to_json` wrote; `pydantic.ValidationError` when the record is not one."""
    value: T = _adapter(kind).validate_python(dict(record))
    return value


def _plain(value: object, *, defaults: bool, said: Said) -> Any:
    match value:
        case Words():
            return said(value)
        case Fraction() | Path():
            return _text(value)
        case Mapping():
            return {
                str(key): _plain(item, defaults=defaults, said=said) for key, item in value.items()
            }
        case tuple() | list():
            return [_plain(item, defaults=defaults, said=said) for item in value]
        case _ if dataclasses.is_dataclass(value):
            return to_json(value, defaults=defaults, said=said)
        case _:
            return value


def _text(value: Fraction | Path) -> str:
    return str(value) if isinstance(value, Path) else f"{value.numerator}/{value.denominator}"


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
