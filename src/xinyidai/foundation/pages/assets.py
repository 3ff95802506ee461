"""Static files: an allow-list, named by the digest of their content, so that a browser may keep them for a year."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from litestar import Request, Response, Router, get
from litestar.datastructures import State
from litestar.params import FromPath

from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.places import templates_folder

INSTALLED = {
    "tabler.css": "@tabler/core/dist/css/tabler.min.css",
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "htmx-sse.js": "htmx-ext-sse/dist/sse.min.js",
    "htmx-targets.js": "htmx-ext-response-targets/dist/response-targets.min.js",
}
"""What of the installed packages is served, and nothing else of them."""

OWN_SUFFIXES = {".css", ".js", ".svg", ".png"}
FOR_A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A file as it is served."""

    digest: str
    media_type: str
    plain: bytes
    packed: bytes


@get("/{digest:str}/{name:str}", include_in_schema=False, opt={"public": True})
async def serve_asset(
    request: Request[object, object, State], digest: FromPath[str], name: FromPath[str]
) -> Response[bytes]:
    """Return a file by the digest of its content; one that changed since has another address."""
    found = _load(name)
    if found is None or found.digest != digest:
        raise NotFound
    takes_gzip = "gzip" in request.headers.get("accept-encoding", "")
    headers = {"Cache-Control": FOR_A_YEAR, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    if takes_gzip:
        headers["Content-Encoding"] = "gzip"
    return Response(found.packed if takes_gzip else found.plain, media_type=found.media_type, headers=headers)


def asset_url(name: str) -> str:
    """Return where a file is served; for one that is not installed, an address that answers 404."""
    found = _load(name)
    return f"/static/{found.digest if found else 'missing'}/{name}"


def missing_assets() -> list[str]:
    """Return the allowed files that are not installed: pages then have no style and no scripts."""
    return [path for path in INSTALLED.values() if not (_packages() / path).is_file()]


@cache
def _load(name: str) -> Asset | None:
    """Return a file by its name in the allow-list or in our own folder; names are matched, never joined to a path."""
    if name in INSTALLED:
        path = _packages() / INSTALLED[name]
    else:
        own = {one.name: one for one in (templates_folder() / "static").iterdir() if one.suffix in OWN_SUFFIXES}
        if name not in own:
            return None
        path = own[name]
    if not path.is_file():
        return None
    plain = path.read_bytes()
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Asset(hashlib.sha256(plain).hexdigest()[:16], media_type, plain, gzip.compress(plain, 9, mtime=0))


def _packages() -> Path:
    return templates_folder() / "node_modules"


assets_router = Router(path="/static", route_handlers=[serve_asset])
