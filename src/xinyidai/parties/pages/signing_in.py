"""Signing in with a password, signing out, choosing for whom one acts."""

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
from xinyidai.foundation.pages.words import Both, msg
from xinyidai.parties import queries, service
from xinyidai.parties.pages.beginning import RESUME_FIELD, agent_of, begin_session, unpacked
from xinyidai.parties.routes.session_ids import PARTY_NAME, TOKEN, token_of
from xinyidai.parties.rules import (
    MAX_PASSWORD,
    OrganisationToChoose,
    PartyId,
    SecondFactorNeeded,
    SignedIn,
    SignInPending,
)

AnyRequest = Request[object, object, State]
ANYBODY = {"public": True}
MAX_EMAIL = 254


@get("/sign-in", opt=ANYBODY)
async def sign_in_page(request: AnyRequest, next_path: FromQuery[str] = "") -> Response[bytes]:
    """Ask for email and password."""
    asked = request.query_params.get("next", next_path)
    return _show(request, Form({"next": [own_path(asked, "")]}))


@post("/sign-in", opt=ANYBODY, status_code=200)
async def sign_in(request: AnyRequest, now: NamedDependency[datetime]) -> Response[bytes]:
    """Sign in and go on to where one was going, or to the form that the sign-in interrupted.

    In a transaction of its own: a failure must be counted and committed before the form is shown again. A second
    proof, where a person has one, is asked for here: after the password, before `begin_session`.
    """
    form = await Form.read(request)
    with answering(form, lambda refused: _show(request, refused)):
        email = form.text("email", missing=msg("请输入邮箱"), most=MAX_EMAIL)
        form.text("password", missing=msg("请输入密码"), most=MAX_PASSWORD)
        form.require_sound()
    outcome = await _proved(request, email, form.first("password"), now=now)
    if isinstance(outcome, SignInPending):
        raise SecondFactorNeeded
    if isinstance(outcome, Refusal):
        form.fault("email", Both(outcome.sentence("zh"), outcome.sentence("en")))
        response = _show(request, form)
        response.status_code = 422
        return response
    begin_session(request, outcome)
    interrupted = unpacked(form.first(RESUME_FIELD))
    if interrupted is not None:
        return page(request, "parties/resume.html", interrupted=interrupted)
    if len(outcome.organisations) > 1:
        return see("/organisations")
    return see(own_path(form.first("next"), "/desk"))


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
    return page(request, "parties/sign_in.html", form=form, is_interrupted=bool(form.first(RESUME_FIELD)))


ROUTES = (sign_in_page, sign_in, sign_out, organisations, choose_organisation)
