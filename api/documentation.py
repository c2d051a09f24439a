"""The interactive documentation: Swagger UI out of an installed package, nothing from outside."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib import resources

from fastapi import APIRouter, Response

from api.errors import TABLE

ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}

# `validatorUrl: null`: Swagger UI would otherwise fetch a badge from its makers' server. A key that
# is entered lasts as long as the page: kept in the browser, whoever comes after could use it.
SCRIPT = """
SwaggerUIBundle({
  url: "openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null,
  filter: true, displayRequestDuration: true, docExpansion: "list", defaultModelsExpandDepth: 0,
});
"""

DOCS_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Kapok API</title>
<link rel="icon" href="docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script>{SCRIPT}</script>
</body>
</html>
"""

ERRORS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Kapok: error codes · 错误码</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; }}
table {{ border-collapse: collapse; width: 100%; }}
td, th {{ border-bottom: 1px solid #ccc; padding: .4rem .8rem .4rem 0; text-align: left; }}
:target {{ background: #fff3c4; }}
</style>
</head>
<body>
<h1>Error codes · 错误码</h1>
<table>
<thead><tr><th>code</th><th>HTTP</th><th>meaning</th><th>含义</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""

# What `/docs` may do, with a key in it: its own scripts and calls to this API. Swagger UI sets
# styles of elements and has icons as `data:`.
DOCS_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src 'self' 'sha256-{b64encode(sha256(SCRIPT.encode()).digest()).decode()}'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
ERRORS_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)


def _page(html: str, policy: str) -> Response:
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
    return Response(html, media_type="text/html", headers=headers)


@router.get("/docs")
async def show_docs() -> Response:
    return _page(DOCS_PAGE, DOCS_POLICY)


@router.get("/docs/errors")
async def show_errors() -> Response:
    """Where `type` of every problem points; `docs/errors.md` says more."""
    rows = "\n".join(
        f'<tr id="{code}"><td><code>{code}</code></td><td>{row.status}</td>'
        f"<td>{escape(row.title_en)}</td><td>{escape(row.title_zh)}</td></tr>"
        for code, row in sorted(TABLE.items())
    )
    return _page(ERRORS_PAGE.format(rows=rows), ERRORS_POLICY)


def _asset(name: str, media_type: str) -> None:
    @router.get(f"/docs/assets/{name}")
    def serve() -> Response:
        content = resources.files("fastapi_swagger.resources").joinpath(name).read_bytes()
        return Response(
            content, media_type=media_type, headers={"Cache-Control": "public, max-age=86400"}
        )


for _name, _media_type in ASSETS.items():
    _asset(_name, _media_type)
