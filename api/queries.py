"""Queries that a route does not declare are refused, as fields of a body are."""

from __future__ import annotations

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError

from api.auth import known_caller


def _refuse_unknown(request: Request) -> None:
    """A filter with a slip in its name would answer with everything. Raises
    `RequestValidationError`, which names each.
    """
    if not request.query_params:
        return
    known = _declared(request.scope["route"].dependant)
    only = f"only {', '.join(known)}" if known else "and no other one"
    wrong = [
        {
            "type": "extra_forbidden",
            "loc": ("query", name),
            "msg": f"there is no such parameter here, {only}",
        }
        for name in request.query_params
        if name not in known
    ]
    if wrong:
        raise RequestValidationError(wrong)


def _declared(dependant: Dependant) -> list[str]:
    """The names of the route's own signature, in its order, and of what it depends on."""
    own = [field.alias for field in dependant.query_params]
    return own + [name for one in dependant.dependencies for name in _declared(one)]


# The key comes first: whoever has none learns nothing of a route.
KNOWN_QUERIES = (known_caller, Depends(_refuse_unknown))
