"""Problem documents (RFC 9457): the only shape in which this API ever says no."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from api.errors import row_of
from api.language import prefers_chinese
from api.models.common import PATTERN_WORDS
from pipelines.errors import GateClosed, InvalidProfile, KapokError

MEDIA_TYPE = "application/problem+json"

# What these errors say of themselves (folders, servers, free bytes) is for the log, not for whoever
# uploads.
PUBLIC_DETAILS = {
    "disk_full": "There is no room for this on the server: ask whoever runs it to free some space, "
    "then try again.",
    "store_unavailable": "The object store does not answer: try again. If that does not help, ask "
    "whoever runs the service; its log says why.",
    "store_refused": "The object store refuses what Kapok asks: tell whoever runs the service; its "
    "log says why.",
    "catalogue_unavailable": "The catalogue does not answer: try again. If that does not help, ask "
    "whoever runs the service; its log says why.",
    "catalogue_full": "The disk of the catalogue is full: ask whoever runs the service to free "
    "some space, then try again.",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

log = logging.getLogger(__name__)


class WrongField(BaseModel):
    """One reason, with a JSON pointer (RFC 6901, a URI fragment) into the body or a parameter."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    code: str | None = Field(default=None, description="Set for each reason of a closed gate.")


class Problem(BaseModel):
    """Act on `code`; read `detail`; give `request_id` to whoever runs the service."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "/docs/errors#asset_not_found",
                    "title": "No such asset",
                    "status": 404,
                    "code": "asset_not_found",
                    "detail": "There is no asset ast_01k9z8q4m7c2v5x3n6b1h0t8ye.",
                    "request_id": "req_01k9z8q4m7c2v5x3n6b1h0t8yf",
                    "retryable": False,
                    "errors": [],
                }
            ]
        }
    )

    type: str = Field(description="Where the code is explained.")
    title: str = Field(description="In Chinese when Accept-Language prefers it.")
    status: int
    code: str
    detail: str
    request_id: str
    retryable: bool = Field(description="The same request may succeed later, unchanged.")
    errors: list[WrongField]


def problem(
    request: Request,
    code: str,
    detail: str,
    *,
    retryable: bool = False,
    errors: Sequence[WrongField] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer for a code; the status comes from the table in `api/errors.py`."""
    row = row_of(code)
    request_id = request.scope.get("state", {}).get("request_id", "")
    document = Problem(
        type=f"/docs/errors#{code}",
        title=row.title_zh if prefers_chinese(request) else row.title_en,
        status=row.status,
        code=code,
        detail=detail,
        request_id=request_id,
        retryable=retryable,
        errors=list(errors),
    )
    return Response(
        document.model_dump_json(),
        status_code=row.status,
        media_type=MEDIA_TYPE,
        headers={**_usual_headers(row.status), "X-Request-Id": request_id, **(headers or {})},
    )


def _usual_headers(status: int) -> dict[str, str]:
    if status == 401:
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": "5"} if status == 503 else {}


def refusal(request: Request, error: KapokError) -> Response:
    """The answer for an error of ours, less what only the log may know."""
    if row_of(error.code).status >= 500:
        log.error("%s: %s", error.code, error.detail)
    if isinstance(error, GateClosed):
        return _gate_closed(request, error)
    if isinstance(error, InvalidProfile):
        faults = [WrongField(detail=fault, pointer="#/toml") for fault in error.faults]
        return problem(request, error.code, error.detail, errors=faults)
    detail = PUBLIC_DETAILS.get(error.code, error.detail)
    return problem(request, error.code, detail, retryable=error.retryable)


def _gate_closed(request: Request, error: GateClosed) -> Response:
    """Every reason one by one, in the language of the title."""
    chinese = prefers_chinese(request)
    reasons = [
        WrongField(code=code, detail=zh if chinese else en) for code, en, zh in error.reasons
    ]
    detail = " ".join(reason.detail for reason in reasons) or error.detail
    return problem(request, error.code, detail, errors=reasons)


def _invalid(request: Request, error: RequestValidationError) -> Response:
    found = error.errors()
    broken = next((item for item in found if item["type"] == "json_invalid"), None)
    if broken is not None:
        what, where = broken["ctx"]["error"], broken["loc"][-1]
        detail = f"The body is not valid JSON: {what} at character {where}."
        return problem(request, "malformed_json", detail)
    if any(isinstance(item.get("input"), bytes) for item in found):  # the body, not read as JSON
        return _no_json(request)
    wrong = [_wrong_field(item["loc"], _in_words(item)) for item in found]
    count = "One field is" if len(wrong) == 1 else f"{len(wrong)} fields are"
    first = wrong[0].pointer or wrong[0].parameter or "#"
    detail = f"{count} wrong, the first is {first}: {wrong[0].detail}."
    return problem(request, "invalid_request", detail, errors=wrong)


def _in_words(item: Mapping[str, Any]) -> str:
    """Patterns are for machines: those that people type by hand are told in words."""
    pattern = item.get("ctx", {}).get("pattern")
    return PATTERN_WORDS.get(pattern, str(item["msg"]))


def _no_json(request: Request) -> Response:
    given = request.headers.get("content-type", "")[:100] or "no Content-Type"
    detail = f"The body came with {given}: send 'Content-Type: application/json'."
    return problem(request, "unsupported_content_type", detail)


def _wrong_field(location: tuple[str | int, ...], message: str) -> WrongField:
    message = message.removeprefix("Value error, ")
    place, *path = location
    if path[2:] == ["[key]"]:  # pydantic's mark for what is wrong with the name of a field
        path = path[:2]
    if place != "body":
        return WrongField(detail=message, parameter=str(path[0]) if path else str(place))
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in path]
    return WrongField(detail=message, pointer="#" + "".join(f"/{step}" for step in steps))


def _http(request: Request, error: HTTPException) -> Response:
    """What the framework itself refuses: routes, methods, bodies that it cannot parse."""
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return problem(
            request, "route_not_found", f"There is nothing at {request.scope['path']}: see /docs."
        )
    if error.status_code == 405:
        allowed = _allowed(request)
        detail = f"{request.method} does not work here: use {' or '.join(allowed)}."
        headers["Allow"] = ", ".join(allowed)
        return problem(request, "method_not_allowed", detail, headers=headers)
    if request.headers.get("content-type", "").startswith("application/json"):
        return problem(request, "malformed_json", "The body cannot be read as JSON.")
    return problem(request, "bad_request", str(error.detail), headers=headers)


def _allowed(request: Request) -> list[str]:
    """Every method of this path: the framework itself names those of the first route alone."""
    here = {"type": "http", "path": request.scope["path"], "root_path": ""}
    routes = request.app.routes
    return [
        method
        for method in METHODS
        if any(route.matches({**here, "method": method})[0] is Match.FULL for route in routes)
    ]


def _unforeseen(request: Request, error: Exception) -> Response:
    """The server's log has the traceback; the answer has only the id that finds it there."""
    request_id = request.scope.get("state", {}).get("request_id", "")
    log.error("request %s failed: %r", request_id, error)
    detail = f"Kapok failed in an unforeseen way. Its log knows more under {request_id}."
    return problem(request, "internal_error", detail)


def install(app: FastAPI) -> None:
    """Make problem documents of everything that can be raised in a request."""
    app.add_exception_handler(KapokError, refusal)  # type: ignore[arg-type] # Starlette types all as Exception
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _http)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, _unforeseen)
