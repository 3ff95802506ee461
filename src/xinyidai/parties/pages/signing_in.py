"""Signing in with a password and, where one is enrolled or demanded, a second proof; choosing for whom one acts."""

from datetime import datetime
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import SignInNeeded, requires
from xinyidai.access.rules import PrincipalKind, Viewer
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.pages.forms import Form, answering
from xinyidai.foundation.pages.rendering import own_path, page, see
from xinyidai.foundation.pages.words import msg
from xinyidai.parties import queries, service
from xinyidai.parties.pages.beginning import NEXT_FIELD, RESUME_FIELD, agent_of, begin_session, go_on, way_back
from xinyidai.parties.pages.showing import refused_page, show_codes, show_enrolment
from xinyidai.parties.routes.session_ids import PARTY_NAME, TOKEN, token_of
from xinyidai.parties.routes.signing_in import waiting_token
from xinyidai.parties.rules import (
    MAX_CODE,
    MAX_PASSWORD,
    OrganisationToChoose,
    PartyId,
    ProofRefused,
    SessionStage,
    SignedIn,
    SignInPending,
    SignInStale,
)

AnyRequest = Request[object, object, State]
ANYBODY = {"public": True}
MAX_EMAIL = 254
DONE = {
    "joined": msg("您已加入该机构，请登录。"),
    "recovered": msg("新密码已生效，其他登录均已结束。请用新密码登录。"),
    "stale": msg("登录步骤已过期（须在 10 分钟内完成），请重新登录。"),
    "left": msg("您已离开该机构。"),
}
"""What the sign-in page says on top, by the query's word."""


@get("/sign-in", opt=ANYBODY)
async def sign_in_page(request: AnyRequest, next_path: FromQuery[str] = "") -> Response[bytes]:
    """Ask for email and password."""
    asked = request.query_params.get(NEXT_FIELD, next_path)
    return _show(request, Form({NEXT_FIELD: [own_path(asked, "")]}))


@post("/sign-in", opt=ANYBODY, status_code=200)
async def sign_in(request: AnyRequest, now: NamedDependency[datetime]) -> Response[bytes]:
    """Sign in and go on to where one was going, or to the form that the sign-in interrupted.

    In a transaction of its own: a failure must be counted and committed before the form is shown again.
    """
    form = await Form.read(request)
    with answering(form, lambda refused: _show(request, refused)):
        email = form.text("email", missing=msg("请输入邮箱"), most=MAX_EMAIL)
        form.text("password", missing=msg("请输入密码"), most=MAX_PASSWORD)
        form.require_sound()
    outcome = await _proved(request, email, form.first("password"), now=now)
    if isinstance(outcome, SignInPending):
        request.set_session({TOKEN: outcome.token})
        show = _show_code if outcome.stage is SessionStage.SECOND_FACTOR else _show_demand
        return show(request, Form({name: [value] for name, value in way_back(form).items()}))
    if isinstance(outcome, Refusal):
        return refused_page(form, outcome, "email", lambda refused: _show(request, refused))
    return _entered(request, form, outcome)


@post("/sign-in/code", opt=ANYBODY, status_code=200)
async def sign_in_by_code(request: AnyRequest, now: NamedDependency[datetime]) -> Response[bytes]:
    """Finish signing in by a code, in a transaction of its own: a failure must be counted before it is told."""
    form = await Form.read(request)
    with answering(form, lambda refused: _show_code(request, refused)):
        code = form.text("code", missing=msg("请输入验证码"), most=MAX_CODE)
        form.require_sound()
    try:
        token = waiting_token(request)
        async with in_transaction(request.app.state.sessions) as session:
            outcome = await service.complete_sign_in(session, token, code, now=now)
    except SignInStale:
        return see("/sign-in?done=stale")
    if isinstance(outcome, Refusal):
        return refused_page(form, outcome, "code", lambda refused: _show_code(request, refused))
    return _entered(request, form, outcome)


@post("/sign-in/enrolment", opt=ANYBODY, status_code=200)
async def begin_demanded_enrolment(request: AnyRequest) -> Response[bytes]:
    """Show a new secret to a person whose organisation demands a second factor."""
    form = await Form.read(request)
    try:
        token = waiting_token(request)
        async with in_transaction(request.app.state.sessions) as session:
            enrolment = await service.begin_enrolment_at_sign_in(session, token)
    except SignInStale:
        return see("/sign-in?done=stale")
    return show_enrolment(request, form, enrolment, action="/sign-in/enrolment/confirm")


@post("/sign-in/enrolment/confirm", opt=ANYBODY, status_code=200)
async def confirm_demanded_enrolment(request: AnyRequest, now: NamedDependency[datetime]) -> Response[bytes]:
    """Confirm the enrolment by its first code: the sign-in is finished and the recovery codes are shown once."""
    form = await Form.read(request)
    with answering(form, lambda refused: show_enrolment(request, refused, None, action="/sign-in/enrolment/confirm")):
        code = form.text("code", missing=msg("请输入验证码"), most=MAX_CODE)
        form.require_sound()
        try:
            token = waiting_token(request)
            async with in_transaction(request.app.state.sessions) as session:
                signed_in, codes = await service.confirm_enrolment_at_sign_in(session, token, code, now=now)
        except SignInStale:
            return see("/sign-in?done=stale")
        except ProofRefused as refusal:
            refusal.facts["field"] = "code"
            raise
    begin_session(request, signed_in)
    return show_codes(request, codes, form)


def _entered(request: AnyRequest, form: Form, signed_in: SignedIn) -> Response[bytes]:
    begin_session(request, signed_in)
    several = len(signed_in.organisations) > 1
    if several and not form.first(RESUME_FIELD):
        return see("/organisations")
    return go_on(request, form, otherwise="/desk")


async def _proved(
    request: AnyRequest, email: str, password: str, *, now: datetime
) -> SignedIn | SignInPending | Refusal:
    """Check the password; a person of several organisations begins with the first and chooses on the next page."""
    async with in_transaction(request.app.state.sessions) as session:
        outcome = await service.sign_in(session, email, password, agent=agent_of(request), now=now)
    if not isinstance(outcome, OrganisationToChoose):
        return outcome
    first = outcome.facts["organisation_ids"]
    assert isinstance(first, list), "the refusal lists the organisations"
    async with in_transaction(request.app.state.sessions) as session:
        return await service.sign_in(
            session, email, password, organisation_id=UUID(first[0]), agent=agent_of(request), now=now
        )


@post("/sign-out", opt=ANYBODY, status_code=200)
async def sign_out(request: AnyRequest, session: NamedDependency[AsyncSession]) -> Response[bytes]:
    """End the session; without one nothing happens."""
    token = token_of(request)  # type: ignore[arg-type]
    if token is not None:
        await service.sign_out(session, token)
    request.clear_session()
    return see("/")


@get("/organisations", guards=[requires()])
async def organisations(
    request: AnyRequest, viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> Response[bytes]:
    """List the organisations that one may act for."""
    is_person = viewer.principal_kind is PrincipalKind.USER
    held = await queries.organisations_of(session, viewer.principal_id) if is_person else []
    return page(request, "parties/organisations.html", held=held, current=viewer.organisation_id)


@post("/organisations", guards=[requires()], status_code=200)
async def choose_organisation(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Act for another organisation from now on."""
    form = await Form.read(request)
    held = await queries.organisations_of(session, viewer.principal_id)

    def show(refused: Form) -> Response[bytes]:
        return page(request, "parties/organisations.html", form=refused, held=held, current=viewer.organisation_id)

    with answering(form, show):
        chosen = form.ids("party_id", missing=msg("请选择机构"), among=[one.party_id for one in held], most=1)
        form.require_sound()
        token = token_of(request)  # type: ignore[arg-type]
        if token is None:
            raise SignInNeeded
        await service.switch_organisation(session, viewer, token, organisation_id=chosen[0], now=now)
        names = {one.party_id: one.name for one in held}
        request.set_session({TOKEN: token, PARTY_NAME: names[PartyId(chosen[0])]})
    return see("/desk")


def _show(request: AnyRequest, form: Form) -> Response[bytes]:
    said = DONE.get(request.query_params.get("done", ""))
    return page(
        request, "parties/sign_in.html", form=form, is_interrupted=bool(form.first(RESUME_FIELD)), said_before=said
    )


def _show_code(request: AnyRequest, form: Form) -> Response[bytes]:
    return page(request, "parties/sign_in_code.html", form=form, back=way_back(form))


def _show_demand(request: AnyRequest, form: Form) -> Response[bytes]:
    return page(request, "parties/enrolment_demanded.html", form=form, back=way_back(form))


ROUTES = (
    sign_in_page,
    sign_in,
    sign_in_by_code,
    begin_demanded_enrolment,
    confirm_demanded_enrolment,
    sign_out,
    organisations,
    choose_organisation,
)
