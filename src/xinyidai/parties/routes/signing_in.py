"""Signing in and out."""

from datetime import datetime

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import PrincipalKind, Viewer
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.parties import queries, service
from xinyidai.parties.routes.session_ids import IS_NEW
from xinyidai.parties.schemas.people import MeOut, SignInIn

READS = "parties:read"
ANYBODY = {"public": True}

AnyRequest = Request[object, object, State]


@post(
    "/sign-in",
    operation_id="SignIn",
    summary="Sign in with a password",
    description=(
        "Start a session, kept in a cookie. Whatever is wrong - email, password, a locked account - the answer is the "
        "same. A person of several organisations names one, and signs in again to act for another."
    ),
    opt=ANYBODY,
    security=[{}],
    status_code=200,
)
async def sign_in(request: AnyRequest, data: JSONBody[SignInIn], now: NamedDependency[datetime]) -> MeOut:
    """Sign in.

    In a transaction of its own: a failure must be counted and committed before the refusal is raised.
    """
    async with in_transaction(request.app.state.sessions) as session:
        outcome = await service.sign_in(
            session, data.email, data.password, organisation_id=data.organisation_id, now=now
        )
    if isinstance(outcome, Refusal):
        raise outcome
    request.set_session(
        {"user_id": str(outcome.user_id), "party_id": str(outcome.viewer.organisation_id), IS_NEW: True}
    )
    return MeOut.of(outcome.viewer, list(outcome.organisations))


@post(
    "/sign-out",
    operation_id="SignOut",
    summary="End the session",
    description="End the session; without one nothing happens.",
    opt=ANYBODY,
    security=[{}],
    status_code=204,
)
async def sign_out(request: AnyRequest) -> None:
    """Sign out."""
    request.clear_session()


@get("/me", operation_id="GetMe", summary="Who I am", guards=[requires(scope=READS)])
async def get_me(viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]) -> MeOut:
    """Say who is asking, for which organisation, in which roles."""
    is_person = viewer.principal_kind is PrincipalKind.USER
    return MeOut.of(viewer, await queries.organisations_of(session, viewer.principal_id) if is_person else [])


ROUTES = (sign_in, sign_out, get_me)
