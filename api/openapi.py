"""What `/openapi.json` says beyond the routes themselves: tags, problems, and how a call begins."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import answers
from api.problems import MEDIA_TYPE, Problem

DESCRIPTION = """
Kapok (木棉) takes programmes and archive masters, makes verified renditions of them, and publishes
these to zones from which media centres pull.

- **Keys.** Send `Authorization: Bearer kpk_…`. What belongs to another organisation does not exist
  for you: 404.
- **Errors** are problem documents (RFC 9457). Act on `code`, show `detail`, quote `request_id`.
  All codes: [/docs/errors](docs/errors).
- **Repeating.** A POST that makes or changes something takes an `Idempotency-Key`: the same key and
  body get the same answer.
- **Pages.** Lists are `{data, next_cursor, has_more}`; pass `next_cursor` back as `cursor`.
- **Slow work** answers 202 with `Location`: follow the job there, or listen to `/v1/events`.
- Times are RFC 3339 in UTC. Frame rates are rationals in text (`"30000/1001"`). Units stand in
  names.

一次上传：`POST /v1/uploads` → 签名分片 → 直接向存储 PUT 分片 → `complete` → 关注任务。
"""

TAGS = [
    {"name": "uploads", "description": "Bring a file in, part by part, resumable. 上传"},
    {"name": "assets", "description": "Sources with what was measured and made of them. 素材"},
    {"name": "jobs", "description": "Plans being executed, and their steps. 任务"},
    {"name": "renditions", "description": "The files that were made, with proof and scores. 成品"},
    {"name": "profiles", "description": "Recipes and ladders. 编码方案"},
    {"name": "zones", "description": "Publish targets and their gates. 专区"},
    {"name": "publications", "description": "Assets in zones. 发布"},
    {"name": "centres", "description": "What media centres pull. 融媒体中心"},
    {"name": "events", "description": "The hash-chained record of what happened, live. 事件"},
    {"name": "keys", "description": "Organisations and API keys. 机构与密钥"},
    {"name": "store", "description": "Signed URLs of the embedded store, and playback. 存储与播放"},
    {"name": "health", "description": "Whether this process lives and can work. 健康检查"},
]


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 document, made once; every operation says how it refuses."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        routes=app.routes,
        tags=TAGS,
    )
    schemas = document["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own shape of a 422
        schemas.pop(unused, None)
    document["components"]["headers"] = dict(answers.HEADERS)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            answers.complete(f"{method.upper()} {path}", operation, _REFUSAL)
    app.openapi_schema = document
    return document


_REFUSAL = {
    "description": "Refused, with the reason and the way out.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
