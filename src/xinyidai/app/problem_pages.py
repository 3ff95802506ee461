"""Errors as pages: a sentence, what can be done, a reference, a way back; and signing in or proving for a bare no."""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.types import ASGIApp, Receive, Scope, Send

from xinyidai.access.rules import Viewer
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.pages.forms import Form
from xinyidai.foundation.pages.rendering import PAGE_HEADERS, page
from xinyidai.foundation.pages.words import Language, Message, in_language, language_of, msg
from xinyidai.parties import queries
from xinyidai.parties.pages.beginning import NEXT_FIELD, RESUME_FIELD, Interrupted
from xinyidai.parties.pages.proving import show_proof

AnyRequest = Request[object, object, State]

_TITLES: Mapping[int, Message] = {
    400: msg("请求无法读取"),
    403: msg("您没有权限"),
    404: msg("页面不存在"),
    405: msg("页面不存在"),
    409: msg("操作未能完成"),
    410: msg("链接已失效"),
    413: msg("内容过大"),
    422: msg("操作未能完成"),
    429: msg("操作过于频繁"),
    500: msg("系统出现意外错误"),
    503: msg("系统繁忙"),
}
_ADVICE: Mapping[int, Message] = {
    403: msg("如果您认为应当有此权限，请联系本机构的管理员。"),
    404: msg("链接可能已失效，或您无权查看该内容。"),
    410: msg("请向发给您链接的人索取新的链接。"),
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
    return _elsewhere_first(request, "/sign-in", _KeepingForm(b"", _sign_in_with))


def prove_first(request: AnyRequest) -> Response[bytes]:
    """Send to the proof of identity and back, as `sign_in_first` does."""
    return _elsewhere_first(request, "/me/proof", _KeepingForm(b"", _proof_with))


def _elsewhere_first(request: AnyRequest, path: str, with_form: Response[bytes]) -> Response[bytes]:
    if request.headers.get("hx-request") == "true":
        return Response(b"", status_code=401, headers=PAGE_HEADERS | {"HX-Redirect": path})
    if request.method == "POST":
        return with_form
    query = f"?{request.url.query}" if request.url.query else ""
    target = quote(request.url.path + query, safe="")
    return Response(b"", status_code=303, headers=PAGE_HEADERS | {"Location": f"{path}?next={target}"})


async def _sign_in_with(request: AnyRequest, packed: str) -> Response[bytes]:
    asked = Form({RESUME_FIELD: [packed], NEXT_FIELD: [""]})
    return page(request, "parties/sign_in.html", status_code=401, form=asked, is_interrupted=bool(packed))


async def _proof_with(request: AnyRequest, packed: str) -> Response[bytes]:
    viewer = request.scope.get("user")
    assert isinstance(viewer, Viewer), "who is not signed in is not asked to prove it anew"
    async with in_transaction(request.app.state.sessions) as session:
        is_enrolled = await queries.is_enrolled(session, viewer.principal_id)
    return show_proof(request, Form({RESUME_FIELD: [packed]}), is_enrolled=is_enrolled, status_code=403)


class _KeepingForm(Response[bytes]):
    """A page that carries on the form that was sent; it is read only here, since error handlers cannot wait."""

    def __init__(self, content: bytes, show: Callable[[AnyRequest, str], Awaitable[Response[bytes]]]) -> None:
        super().__init__(content)
        self._show = show

    def to_asgi_response(self, app: Litestar | None, request: AnyRequest, **_others: object) -> ASGIApp:  # type: ignore[override]
        """Return the application that reads the form and answers."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            packed = Interrupted(request.url.path, await Form.read(request)).packed()
            shown = await self._show(request, packed)
            await shown.to_asgi_response(app, request)(scope, receive, send)

        return answer
