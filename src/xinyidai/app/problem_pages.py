"""Errors as pages: a sentence, what can be done, a reference and a way back; and signing in instead of a bare 401."""

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.types import ASGIApp, Receive, Scope, Send

from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.pages.forms import Form
from xinyidai.foundation.pages.rendering import PAGE_HEADERS, own_path, page
from xinyidai.foundation.pages.words import Language, Message, in_language, language_of, msg
from xinyidai.parties.pages.beginning import RESUME_FIELD, Interrupted

AnyRequest = Request[object, object, State]

_TITLES: Mapping[int, Message] = {
    400: msg("请求无法读取"),
    403: msg("您没有权限"),
    404: msg("页面不存在"),
    405: msg("页面不存在"),
    409: msg("操作未能完成"),
    413: msg("内容过大"),
    422: msg("操作未能完成"),
    429: msg("操作过于频繁"),
    500: msg("系统出现意外错误"),
    503: msg("系统繁忙"),
}
_ADVICE: Mapping[int, Message] = {
    403: msg("如果您认为应当有此权限，请联系本机构的管理员。"),
    404: msg("链接可能已失效，或您无权查看该内容。"),
    429: msg("请等待一分钟后再试。"),
    500: msg("没有数据丢失。请凭下方参考号联系平台，我们会据此查找原因。"),
    503: msg("请稍等片刻后重试，您刚才的操作没有生效。"),
}
_ELSE = msg("请返回上一页核对后重试。")


def problem_page(
    request: AnyRequest, refusal: Refusal, *, status: int, reference: str, headers: Mapping[str, str]
) -> Response[bytes]:
    """Return an error as a page in the reader's language."""
    language = language_of(request)
    return page(
        request,
        "errors/problem.html",
        status_code=status,
        headers=headers,
        title=in_language(_TITLES.get(status, _TITLES[500] if status >= 500 else _TITLES[400]), language),
        sentence=refusal.sentence("zh" if language is Language.ZH else "en"),
        advice=in_language(_ADVICE.get(status, _ELSE), language),
        reference=reference,
    )


def sign_in_first(request: AnyRequest) -> Response[bytes]:
    """Send to the sign-in and back: by address where a page was asked for, with the form where one was sent."""
    if request.headers.get("hx-request") == "true":
        return Response(b"", status_code=401, headers=PAGE_HEADERS | {"HX-Redirect": "/sign-in"})
    if request.method == "POST":
        return _SignInKeepingForm(b"")
    query = f"?{request.url.query}" if request.url.query else ""
    target = quote(request.url.path + query, safe="")
    return Response(b"", status_code=303, headers=PAGE_HEADERS | {"Location": f"/sign-in?next={target}"})


def prove_first(request: AnyRequest) -> Response[bytes]:
    """Send to the page that asks for a fresh proof, and from there back to the page where the act is begun.

    Pages with a form that needs the proof ask for it before they show the form, so that nothing typed is lost; a button
    leads back to the page that it stands on.
    """
    came_from = urlsplit(request.headers.get("referer", ""))
    begun_at = came_from if request.method == "POST" else request.url
    query = f"?{begun_at.query}" if begun_at.query else ""
    target = quote(own_path(begun_at.path + query), safe="")
    address = f"/me/proof?next={target}"
    if request.headers.get("hx-request") == "true":
        return Response(b"", status_code=403, headers=PAGE_HEADERS | {"HX-Redirect": address})
    return Response(b"", status_code=303, headers=PAGE_HEADERS | {"Location": address})


class _SignInKeepingForm(Response[bytes]):
    """The sign-in page carrying the form that was sent; it is read only here, since error handlers cannot wait."""

    def to_asgi_response(self, app: Litestar | None, request: AnyRequest, **_others: object) -> ASGIApp:  # type: ignore[override]
        """Return the application that reads the form and answers."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            form = await Form.read(request)
            packed = Interrupted(request.url.path, form).packed()
            asked = Form({RESUME_FIELD: [packed], "next": [""]})
            shown = page(request, "parties/sign_in.html", status_code=401, form=asked, is_interrupted=bool(packed))
            await shown.to_asgi_response(app, request)(scope, receive, send)

        return answer
