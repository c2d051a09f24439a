"""Frozen values as JSON records and back: how a plan or an inspection rests in the catalogue."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")

_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}  # costly to build


def to_json(value: object, *, defaults: bool = True) -> dict[str, Any]:
    """A frozen dataclass as a JSON-able dict; rationals become text with a slash, as `"25/1"`.

    Without `defaults` every field that has its default is left out, of the values in it too.
    """
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        message = f"only dataclass values have a record, not {type(value).__name__}"
        raise TypeError(message)
    return {
        field.name: _plain(getattr(value, field.name), defaults=defaults)
        for field in dataclasses.fields(value)
        if defaults or getattr(value, field.name) != field.default
    }


def from_json(kind: type[T], record: Mapping[str, Any]) -> T:
    """The value that `to_json` wrote; `pydantic.ValidationError` when the record is not one."""
    value: T = _adapter(kind).validate_python(dict(record))
    return value


def _plain(value: object, *, defaults: bool) -> Any:
    match value:
        case Fraction():
            return f"{value.numerator}/{value.denominator}"
        case Path():
            return str(value)
        case Mapping():
            return {str(key): _plain(item, defaults=defaults) for key, item in value.items()}
        case tuple() | list():
            return [_plain(item, defaults=defaults) for item in value]
        case _ if dataclasses.is_dataclass(value):
            return to_json(value, defaults=defaults)
        case _:
            return value


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
