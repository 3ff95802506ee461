"""How errors become answers (RFC 9457), once for the whole application."""

import uuid

import asyncpg
import structlog
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException, TooManyRequestsException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ExceptionHandlersMap
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import DBAPIError

from xinyidai.access.rules import StepUpNeeded
from xinyidai.app.problem_pages import problem_page, prove_first, sign_in_first
from xinyidai.foundation.errors import Refusal, TooManyRequests
from xinyidai.foundation.pages.forms import FormRefused
from xinyidai.foundation.pages.rendering import wants_page

log = structlog.get_logger()

PROBLEM_JSON = "application/problem+json"
AnyRequest = Request[object, object, State]

RETRIABLE = frozenset({"busy", "ledger_busy", "twin_in_flight"})
_TEXT_STATES = {"22021": "character_not_in_repertoire", "22P05": "untranslatable_character"}
_BUSY_STATES = {"55P03": "lock_not_available", "40P01": "deadlock_detected", "40001": "serialization_failure"}


class InputRefused(Refusal):
    """The request does not have the shape that the operation documents."""

    code = "input_refused"
    status = 422
    title_zh = "请求内容不符合接口要求"
    title_en = "The request does not have the documented shape"


class BodyUnreadable(Refusal):
    """The body is not JSON in UTF-8, is too large, or the parameters cannot be read."""

    code = "request_refused"
    status = 400
    title_zh = "请求无法读取"
    title_en = "The request cannot be read"


class Busy(Refusal):
    """Another transaction held what this one needs for longer than the lock time-out."""

    code = "busy"
    status = 503
    title_zh = "系统繁忙，请稍后以相同请求重试"
    title_en = "The row is busy; send the same request again shortly"


class Unexpected(Refusal):
    """Something that should be impossible happened; the reference finds it in the log."""

    code = "unexpected"
    status = 500
    title_zh = "系统出现意外错误，请凭参考号联系平台"
    title_en = "Something went wrong; give the reference to the platform"


class FieldFault(BaseModel):
    """One field that was refused and why."""

    field: str
    why: str


class Problem(BaseModel):
    """The body of every error answer (RFC 9457), with a stable `code` and the sentence in both languages."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:xinyidai:refusal:not_found",
                "title": "Not found, or not yours to see",
                "title_zh": "未找到，或您无权查看",
                "status": 404,
                "code": "not_found",
                "reference": "0b5f6c1e9d9c4c35",
                "fields": [],
                "facts": {},
            }
        }
    )

    type: str
    title: str
    title_zh: str
    status: int
    code: str
    reference: str
    fields: list[FieldFault]
    facts: dict[str, str | int | list[str]]


Answered = Response[Problem] | Response[bytes]


def problem_responses() -> dict[int, ResponseSpec]:
    """Return the error answers that every operation may give, for the API description."""
    meanings = {
        400: "The request cannot be read",
        401: "Sign in, or present a valid API key",
        403: "Not yours to do",
        404: "Not found, or not yours to see",
        409: "A fact stands against it",
        410: "The link or code is over",
        422: "A value is refused",
        429: "Too many requests",
        503: "Busy; try again",
    }
    return {
        status: ResponseSpec(Problem, description=meaning, media_type=PROBLEM_JSON, generate_examples=False)
        for status, meaning in meanings.items()
    }


def error_map() -> ExceptionHandlersMap:
    """Return the application's one map from exceptions to answers."""
    return {
        Refusal: _answer_refusal,
        FormRefused: _answer_form,
        ValidationException: _answer_validation,
        TooManyRequestsException: _answer_too_many,
        HTTPException: _answer_http,
        DBAPIError: _answer_database,
        asyncpg.PostgresError: _answer_database,
        RecursionError: _answer_too_deep,
        UnicodeDecodeError: _answer_not_utf8,
        Exception: _answer_unexpected,
    }


def answer(
    request: AnyRequest,
    refusal: Refusal,
    *,
    fields: list[FieldFault] | None = None,
    status: int | None = None,
    headers: dict[str, str] | None = None,
    reference: str | None = None,
) -> Answered:
    """Make the answer to a refusal: a page for a browser, else a problem document."""
    extra = {"Retry-After": "1"} if refusal.code in RETRIABLE else {}
    if wants_page(request):
        status = status or refusal.status
        if status == 401:
            return sign_in_first(request)
        if isinstance(refusal, StepUpNeeded):
            return prove_first(request)
        reference = reference or uuid.uuid4().hex[:16]
        return problem_page(request, refusal, status=status, reference=reference, headers=extra | (headers or {}))
    problem = Problem(
        type=f"urn:xinyidai:refusal:{refusal.code}",
        title=refusal.sentence("en"),
        title_zh=refusal.sentence("zh"),
        status=status or refusal.status,
        code=refusal.code,
        reference=reference or uuid.uuid4().hex[:16],
        fields=fields or [],
        facts=refusal.facts,
    )
    if problem.status == 401:
        extra["WWW-Authenticate"] = 'Bearer realm="xinyidai"'
    return Response(problem, status_code=problem.status, media_type=PROBLEM_JSON, headers=extra | (headers or {}))


def _answer_refusal(request: AnyRequest, refusal: Refusal) -> Answered:
    if isinstance(refusal, StepUpNeeded) and wants_page(request):
        return prove_first(request)
    wait_s = refusal.facts.get("retry_after_s")
    return answer(request, refusal, headers={} if wait_s is None else {"Retry-After": str(wait_s)})


def _answer_form(_request: AnyRequest, refused: FormRefused) -> Response[bytes]:
    return refused.response()


def _answer_validation(request: AnyRequest, error: ValidationException) -> Answered:
    found = error.extra if isinstance(error.extra, list) else []
    fields = [
        FieldFault(field=str(one.get("key", "")), why=str(one.get("message", "")))
        for one in found
        if isinstance(one, dict)
    ]
    return answer(request, InputRefused(), fields=fields)


def _answer_too_many(request: AnyRequest, error: TooManyRequestsException) -> Answered:
    return answer(request, TooManyRequests(), headers=dict(error.headers or {}))


def _answer_http(request: AnyRequest, error: HTTPException) -> Answered:
    by_status: dict[int, type[Refusal]] = {
        code.status: code for code in (Refusal.registry["not_found"], Refusal.registry["sign_in_needed"])
    }
    refusal = by_status.get(error.status_code, BodyUnreadable)()
    if error.status_code >= 500:
        return _answer_unexpected(request, error)
    return answer(request, refusal, status=error.status_code, headers=dict(error.headers or {}))


def _answer_too_deep(request: AnyRequest, error: RecursionError) -> Answered:
    # A body of ten thousand brackets: the JSON reader gives up by the interpreter's own limit.
    log.warning("too_deep", error=type(error).__name__)
    return answer(request, BodyUnreadable())


def _answer_not_utf8(request: AnyRequest, error: UnicodeDecodeError) -> Answered:
    # The JSON reader passes this one on as it is. Not the error itself: it holds the body.
    log.warning("not_utf8", at=error.start)
    return answer(request, BodyUnreadable())


def _answer_database(request: AnyRequest, error: DBAPIError | asyncpg.PostgresError) -> Answered:
    state = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
    if state in _BUSY_STATES:
        return answer(request, Busy())
    if state in _TEXT_STATES:
        # A NUL in a path or a query; bodies were looked at before. No text of the platform's own can cause it.
        return answer(request, InputRefused())
    return _answer_unexpected(request, error)


def _answer_unexpected(request: AnyRequest, error: Exception) -> Answered:
    reference = uuid.uuid4().hex[:16]
    # The route's template, not the URL: a path may hold an id, and ids of people stay out of logs.
    log.error("unexpected", reference=reference, route=request.scope.get("path_template", ""), exc_info=error)
    return answer(request, Unexpected(), reference=reference)
