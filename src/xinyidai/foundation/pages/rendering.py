"""Rendering: one environment a language, security headers on every page, and what every page's frame shows."""

import gzip
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Request, Response
from litestar.datastructures import State

from xinyidai.foundation.pages import charts, figures
from xinyidai.foundation.pages.assets import asset_url
from xinyidai.foundation.pages.words import Language, Message, Said, in_language, language_of, translations
from xinyidai.foundation.places import templates_folder

AnyRequest = Request[object, object, State]

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: browsers would then send `Origin: null` with our own forms, and no form could be told from a
    # foreign one where Sec-Fetch-Site is missing.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
SMALLEST_PACKED = 1_400

Context = Mapping[str, object]


def page(
    request: AnyRequest,
    template: str,
    context: Context | None = None,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> Response[bytes]:
    """Render a page, or a fragment of one for HTMX, in the reader's language.

    Every template sees `frame` (who is signed in, navigation, clock: what the application says of this request),
    `language`, `path` and its own context: a mapping, single names, or both.
    """
    language = language_of(request)
    frame_of: Callable[[AnyRequest], object] | None = request.app.state.get("frame_of")
    told: dict[str, object] = {
        "language": language,
        "path": request.url.path,
        "here": _here(request),
        "frame": frame_of(request) if frame_of else None,
        "flashes": take_flashes(request),
        "form": None,
    }
    told.update(context or {})
    told.update(more)
    body = environment(language).get_template(template).render(told).encode()
    out = dict(PAGE_HEADERS) | {"Vary": "Accept-Encoding, Accept-Language, Cookie", "Content-Language": language.tag}
    if len(body) >= SMALLEST_PACKED and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 5, mtime=0)
        out["Content-Encoding"] = "gzip"
    return Response(body, media_type=MediaType.HTML, status_code=status_code, headers=out | dict(headers or {}))


def see(path: str) -> Response[bytes]:
    """Send the browser on to a page of ours after an act (303), so that a reload does not act again."""
    assert is_own_path(path), "never to another site"
    return Response(
        b"", media_type=MediaType.HTML, status_code=303, headers=PAGE_HEADERS | {"Location": quote(path, "/?&=%#")}
    )


def is_own_path(path: str) -> bool:
    """Say whether a path that came from outside stays on this site."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and len(path) < 500


def own_path(path: str, otherwise: str = "/") -> str:
    """Return the path when it stays on this site, else `otherwise`."""
    return path if is_own_path(path) else otherwise


def wants_page(request: AnyRequest) -> bool:
    """Say whether a browser asks for a page: JSON stays JSON under /api, and for whoever did not ask for HTML."""
    if request.url.path.startswith(("/api", "/health")):
        return False
    return "text/html" in request.headers.get("accept", "") or request.headers.get("hx-request") == "true"


def flash(request: AnyRequest, message: Message) -> None:
    """Keep a sentence for the next page that the signed-in person sees."""
    kept = request.scope.get("session")
    if isinstance(kept, dict) and kept:
        kept.setdefault("flashes", []).append({"text": message.text, "facts": message.facts})


def take_flashes(request: AnyRequest) -> list[Message]:
    """Return the kept sentences and forget them."""
    kept = request.scope.get("session")
    if not isinstance(kept, dict) or "flashes" not in kept or request.headers.get("hx-request") == "true":
        return []
    return [Message(one["text"], one["facts"]) for one in kept.pop("flashes")]


@cache
def environment(language: Language) -> Environment:
    """Return the templates of a language; an undefined name in a template is an error."""
    made = Environment(
        loader=FileSystemLoader(templates_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    made.policies["ext.i18n.trimmed"] = True

    def said(sentence: Said | str) -> str:
        return in_language(sentence, language)

    def either(zh: str, en: str) -> str:
        return zh if language is Language.ZH else en

    made.globals.update(asset=asset_url, charts=charts, either=either)
    made.filters.update(
        said=said,
        yuan=figures.yuan,
        in_yuan=figures.in_yuan,
        wan=figures.wan,
        percent=figures.percent,
        ppm=figures.percent_of_ppm,
        grouped=figures.grouped,
        day=lambda moment: figures.day_in_text(moment, language),
        iso_day=figures.day_in_table,
        minute=figures.minute,
        masked=figures.masked_code,
        capital=figures.capital_amount,
    )
    return made


def _here(request: AnyRequest) -> str:
    """Return the page's own path with its query, for coming back to it; a form's page is its path alone."""
    query = request.url.query
    return f"{request.url.path}?{query}" if query and request.method == "GET" else request.url.path
