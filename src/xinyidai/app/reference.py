"""The API's reference page, rendered on the server from the OpenAPI document: no script, no other host."""

import json
from functools import cache

from jinja2 import Environment, FileSystemLoader, select_autoescape
from litestar import Litestar, MediaType, Request, Response, Router, get
from litestar.datastructures import State

from xinyidai.app.describing import describe
from xinyidai.foundation.canonical import Json
from xinyidai.foundation.places import templates_folder

AnyRequest = Request[object, object, State]
METHODS = ("get", "post", "put", "patch", "delete")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@get("/openapi.json", include_in_schema=False, media_type="application/vnd.oai.openapi+json", opt={"public": True})
async def openapi_document(request: AnyRequest) -> Response[bytes]:
    """Return the OpenAPI document."""
    return Response(_document(request.app), media_type="application/vnd.oai.openapi+json")


@get("/", include_in_schema=False, media_type=MediaType.HTML, opt={"public": True})
async def reference(request: AnyRequest) -> Response[str]:
    """Return the reference page: operations by tag, parameters, examples, schemas."""
    document = json.loads(_document(request.app))
    page = (
        _templates()
        .get_template("reference/page.html")
        .render(document=document, groups=_by_tag(document), pretty=_pretty)
    )
    return Response(page, media_type=MediaType.HTML, headers=_PAGE_HEADERS)


@get("/reference.css", include_in_schema=False, media_type="text/css", opt={"public": True})
async def stylesheet() -> Response[str]:
    """Return the page's style."""
    style = (templates_folder() / "reference" / "reference.css").read_text(encoding="utf-8")
    return Response(style, media_type="text/css", headers={"Cache-Control": "max-age=3600"})


def _document(app: Litestar) -> bytes:
    return json.dumps(describe(app), ensure_ascii=False).encode()


def _by_tag(document: dict[str, dict[str, dict[str, dict[str, object]]]]) -> dict[str, list[dict[str, object]]]:
    groups: dict[str, list[dict[str, object]]] = {}
    for path, item in sorted(document["paths"].items()):
        for method in METHODS:
            operation = item.get(method)
            if operation is not None:
                tags = operation.get("tags") or ["other"]
                assert isinstance(tags, list)
                groups.setdefault(tags[0], []).append(operation | {"path": path, "method": method.upper()})
    return dict(sorted(groups.items()))


def _pretty(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


@cache
def _templates() -> Environment:
    return Environment(loader=FileSystemLoader(templates_folder()), autoescape=select_autoescape())


reference_router = Router(path="/api", route_handlers=[reference, openapi_document, stylesheet])
