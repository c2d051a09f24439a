"""Parameters and the shape that every list shares."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import Query

from api.models.common import Page, Sent
from storage.catalogue.pages import Page as StoredPage

Cursor = Annotated[
    str | None, Query(max_length=500, description="`next_cursor` of the page before.")
]
Limit = Annotated[int, Query(ge=1, le=200)]

Item = TypeVar("Item", bound=Sent)


def page(found: StoredPage[Any], kind: type[Item]) -> Page[Item]:
    """A page of the catalogue, its rows turned into what is sent."""
    return Page(
        data=[kind.model_validate(row) for row in found.data],
        next_cursor=found.next_cursor,
        has_more=found.has_more,
    )
