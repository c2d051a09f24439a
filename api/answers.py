"""What each operation may answer beside its body: for `/openapi.json`, in one place.

Most refusals follow from what an operation takes (a key, a body, an id, a cursor); `OWN_CODES` adds
what only that operation says. Titles and statuses come from the table in `api/errors.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from api.errors import row_of

Operation = dict[str, Any]


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _parameter(place: str, name: str, description: str, kind: str = "string") -> dict[str, Any]:
    required = place == "query" and name != "file_name"
    return {
        "in": place,
        "name": name,
        "required": required,
        "description": description,
        "schema": {"type": kind},
    }


KEY_CODES = ("api_key_missing", "api_key_invalid", "catalogue_unavailable")
BODY_CODES = (
    "malformed_json",
    "invalid_request",
    "invalid_text",
    "body_too_large",
    "body_too_slow",
    "unsupported_content_type",
)
REPEAT_CODES = ("idempotency_key_reused",)
CURSORS = {"cursor", "since", "after"}
PATH_CODES = {
    "asset_id": "asset_not_found",
    "upload_id": "upload_not_found",
    "job_id": "job_not_found",
    "rendition_id": "rendition_not_found",
    "package_id": "package_not_found",
    "publication_id": "publication_not_found",
    "key_id": "api_key_not_found",
}
ANY_ROLE = {
    "GET /v1/profiles",
    "GET /v1/profiles/{name}",
    "GET /v1/ladders",
    "GET /v1/zones",
    "GET /v1/zones/{name}",
}
STORE_CODES = ("store_unavailable", "store_refused")
SIGNED_CODES = ("invalid_signature", "url_expired")
SUBTITLE_CODES = ("unsupported_media", "limit_exceeded")
FILE_CODES = (*SIGNED_CODES, "object_missing", "range_not_satisfiable")

OWN_CODES: Mapping[str, tuple[str, ...]] = {
    "POST /v1/uploads": (
        "upload_too_large",
        "empty_file",
        "unknown_profile",
        "profile_unavailable",
        "zone_not_found",
        "gate_closed",
        *SUBTITLE_CODES,
        *STORE_CODES,
        "disk_full",
    ),
    "POST /v1/uploads/{upload_id}/parts": (
        "upload_not_open",
        "unknown_part",
        *STORE_CODES,
        "disk_full",
    ),
    "GET /v1/uploads/{upload_id}/parts": (
        "upload_not_open",
        "multipart_not_found",
        *STORE_CODES,
        "disk_full",
    ),
    "POST /v1/uploads/{upload_id}/complete": (
        "upload_not_open",
        "part_missing",
        "part_too_small",
        "size_mismatch",
        "hash_mismatch",
        "multipart_not_found",
        *STORE_CODES,
        "disk_full",
    ),
    "DELETE /v1/uploads/{upload_id}": ("upload_not_open", "store_refused"),
    "PATCH /v1/assets/{asset_id}": ("version_conflict",),
    "POST /v1/assets/{asset_id}/jobs": (
        "unknown_profile",
        "profile_unavailable",
        "zone_not_found",
        "gate_closed",
        "already_published",
        "job_conflict",
        *SUBTITLE_CODES,
        *STORE_CODES,
        "disk_full",
    ),
    "GET /v1/assets/{asset_id}/posters": ("not_made_yet",),
    "GET /v1/assets/{asset_id}/storyboard": ("not_made_yet",),
    "GET /v1/assets/{asset_id}/waveform": ("not_made_yet",),
    "GET /v1/assets/{asset_id}/playback": ("package_not_found",),
    "POST /v1/jobs/{job_id}/cancel": ("job_conflict",),
    "POST /v1/jobs/{job_id}/retry": ("job_conflict",),
    "GET /v1/renditions/{rendition_id}/download": ("not_made_yet",),
    "GET /v1/profiles/{name}": ("unknown_profile",),
    "POST /v1/profiles": ("invalid_profile", "name_taken"),
    "DELETE /v1/profiles/{name}": ("unknown_profile",),
    "POST /v1/zones": ("unknown_profile", "name_taken"),
    "GET /v1/zones/{name}": ("zone_not_found",),
    "PATCH /v1/zones/{name}": ("zone_not_found", "unknown_profile"),
    "POST /v1/publications": (
        "asset_not_found",
        "zone_not_found",
        "gate_closed",
        "already_published",
        *STORE_CODES,
        "disk_full",
    ),
    "POST /v1/publications/{publication_id}/withdraw": ("not_published",),
    "POST /v1/centres/{name}/receipts": ("publication_not_found", "receipt_mismatch"),
    "POST /v1/organisations": ("name_taken",),
    "POST /v1/api-keys": ("organisation_not_found",),
    "DELETE /v1/api-keys/{key_id}": ("last_admin_key",),
    "GET /v1/playback/{token}/{path}": (*FILE_CODES, *STORE_CODES),
    "GET /health/ready": ("not_ready",),
    "PUT /store/parts/{upload_id}/{number}": (
        *SIGNED_CODES,
        "invalid_request",
        "multipart_not_found",
        "part_missing",
        "part_size_mismatch",
        "part_superseded",
        "body_cut_short",
        *STORE_CODES,
        "disk_full",
    ),
    "GET /store/objects/{key}": FILE_CODES,
}

LOCATION = {
    "POST /v1/uploads",
    "POST /v1/uploads/{upload_id}/complete",
    "POST /v1/assets/{asset_id}/jobs",
    "POST /v1/jobs/{job_id}/cancel",
    "POST /v1/jobs/{job_id}/retry",
    "POST /v1/profiles",
    "POST /v1/zones",
    "POST /v1/publications",
}
ETAG = {
    "GET /v1/assets/{asset_id}",
    "PATCH /v1/assets/{asset_id}",
    "PUT /store/parts/{upload_id}/{number}",
}
FILES = {"GET /v1/playback/{token}/{path}", "GET /store/objects/{key}"}
REDIRECTS = {"GET /v1/playback/{token}/{path}"}
RAW_BODIES = {"PUT /store/parts/{upload_id}/{number}"}
SIGNED = {"PUT /store/parts/{upload_id}/{number}", "GET /store/objects/{key}"}
NAMED = {"GET /store/objects/{key}"}

HEADERS: Mapping[str, Mapping[str, Any]] = {
    "X-Request-Id": _header("The id of this request, as it was sent or fresh; the log has it too."),
    "Location": _header("Where to follow or find it."),
    "ETag": _header("The version of what was read or stored."),
    "Idempotency-Replayed": _header("`true`: the answer of the first request with this key."),
    "Content-Range": _header("Which bytes these are, as `bytes 0-99/1000`, or `bytes */1000`."),
    "Accept-Ranges": _header("`bytes`"),
    "Last-Modified": _header("When the file was stored."),
    "Retry-After": _header("Seconds to wait before the next try."),
    "WWW-Authenticate": _header("`Bearer`"),
}

OF_FILES = ("X-Request-Id", "ETag", "Accept-Ranges", "Last-Modified")
OF_REFUSALS = {401: "WWW-Authenticate", 416: "Content-Range", 503: "Retry-After"}

SIGNATURE = (
    _parameter("query", "expires", "Seconds since 1970; part of the signed URL.", "integer"),
    _parameter("query", "signature", "Part of the signed URL."),
)
FILE_NAME = _parameter("query", "file_name", "What the file is saved as; part of the signed URL.")
RANGES = (
    _parameter("header", "range", "One range, as `bytes=0-99`."),
    _parameter("header", "if-range", "The ETag or date for which the range is meant."),
    _parameter("header", "if-none-match", "Known ETags: 304 if it is one of them."),
)
BYTES: Mapping[str, Any] = {"application/octet-stream": {}}


def complete(name: str, operation: Operation, refusal: Mapping[str, Any]) -> None:
    """Add to an operation (`GET /v1/assets`) what its signature in Python does not say."""
    operation.setdefault("parameters", []).extend(_parameters(name))
    if name in RAW_BODIES:
        operation["requestBody"] = {"required": True, "content": dict(BYTES)}
    answers = operation["responses"]
    answers.pop("422", None)  # FastAPI's own shape
    for status in [status for status in answers if status.startswith("2")]:
        answers[status]["headers"] = _headers(*_success_headers(name, operation))
    if name in FILES:
        answers.update(_file_answers(name))
    answers.update(_refusals(name, operation, refusal))
    answers["default"] = {**refusal, "headers": _headers("X-Request-Id")}


def _parameters(name: str) -> Iterator[Mapping[str, Any]]:
    if name in SIGNED:
        yield from SIGNATURE
    if name in NAMED:
        yield FILE_NAME
    if name in FILES:
        yield from RANGES


def _success_headers(name: str, operation: Operation) -> Iterator[str]:
    yield "X-Request-Id"
    if name in LOCATION:
        yield "Location"
    if name in ETAG:
        yield "ETag"
    if "idempotency-key" in _taken(operation, "header"):
        yield "Idempotency-Replayed"


def _file_answers(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    whole = _headers(*OF_FILES)
    part = _headers(*OF_FILES, "Content-Range")
    yield "200", {"description": "The whole file.", "headers": whole, "content": dict(BYTES)}
    yield "206", {"description": "The range.", "headers": part, "content": dict(BYTES)}
    yield "304", {"description": "The known version is the newest.", "headers": whole}
    if name in REDIRECTS:
        moved = _headers("X-Request-Id", "Location")
        yield "302", {"description": "With S3: fetch it from the store there.", "headers": moved}


def _refusals(
    name: str, operation: Operation, refusal: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """One answer for each status, its description with every code and title."""
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(_codes(name, operation)):
        row = row_of(code)
        by_status.setdefault(row.status, []).append(f"`{code}`: {row.title_en}.")
    for status, lines in sorted(by_status.items()):
        own = OF_REFUSALS.get(status)
        headers = _headers("X-Request-Id", *([own] if own else []))
        yield str(status), {**refusal, "description": "\n\n".join(lines), "headers": headers}


def _codes(name: str, operation: Operation) -> Iterator[str]:
    queries, headers = (_taken(operation, place) for place in ("query", "header"))
    if "security" in operation:
        yield from KEY_CODES
        yield from () if name in ANY_ROLE else ("forbidden",)
        yield from (PATH_CODES[one] for one in _taken(operation, "path") if one in PATH_CODES)
        yield "invalid_request"  # of a query that there is not, if of nothing else
    if queries or _taken(operation, "path"):
        yield "invalid_text"
    if CURSORS & queries:
        yield "invalid_cursor"
    if "requestBody" in operation and name not in RAW_BODIES:
        yield from BODY_CODES
    if "idempotency-key" in headers:
        yield from REPEAT_CODES
    yield from OWN_CODES.get(name, ())


def _taken(operation: Operation, place: str) -> set[str]:
    return {one["name"] for one in operation.get("parameters", []) if one["in"] == place}


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
