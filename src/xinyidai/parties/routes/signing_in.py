"""Signing in, in one step or two, and out."""

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
from xinyidai.parties.routes.session_ids import TOKEN, token_of
from xinyidai.parties.rules import SignInStale
from xinyidai.parties.schemas.people import MeOut
from xinyidai.parties.schemas.signing_in import CodeIn, EnrolledOut, EnrolmentOut, SignInIn, SignInOut

READS = "parties:read"
ANYBODY = {"public": True}

AnyRequest = Request[object, object, State]


@post(
    "/sign-in",
    operation_id="SignIn",
    summary="Sign in with a password",
    description=(
        "Start a session, kept in a cookie. Whatever is wrong - email, password, a locked account - the answer is the "
        "same. A person of several organisations names one, and may switch later. Where `stage` is not `open`, one "
        "more step is needed within ten minutes and nothing else is allowed: a code (`/sign-in/second-factor`), or the "
        "enrolment that the organisation demands (`/sign-in/enrolment`)."
    ),
    opt=ANYBODY,
    security=[{}],
    status_code=200,
)
async def sign_in(request: AnyRequest, data: JSONBody[SignInIn], now: NamedDependency[datetime]) -> SignInOut:
    """Sign in.

    In a transaction of its own: a failure must be counted and committed before the refusal is raised.
    """
    before = token_of(request)  # type: ignore[arg-type]
    async with in_transaction(request.app.state.sessions) as session:
        outcome = await service.sign_in(
            session,
            data.email,
            data.password,
            organisation_id=data.organisation_id,
            agent=request.headers.get("user-agent", ""),
            now=now,
        )
        if before is not None and not isinstance(outcome, Refusal):
            await service.sign_out(session, before)
    if isinstance(outcome, Refusal):
        raise outcome
    request.set_session({TOKEN: outcome.token})
    return SignInOut.of(outcome)


@post(
    "/sign-in/second-factor",
    operation_id="CompleteSignIn",
    summary="Finish signing in with a code",
    description="A code of the authenticator, or a recovery code, for a sign-in that waits for one. Each passes once.",
    opt=ANYBODY,
    security=[{}],
    status_code=200,
)
async def complete_sign_in(request: AnyRequest, data: JSONBody[CodeIn], now: NamedDependency[datetime]) -> SignInOut:
    """Finish signing in, in a transaction of its own: a failure must be counted before the refusal is raised."""
    token = waiting_token(request)
    async with in_transaction(request.app.state.sessions) as session:
        outcome = await service.complete_sign_in(session, token, data.code, now=now)
    if isinstance(outcome, Refusal):
        raise outcome
    request.set_session({TOKEN: outcome.token})
    return SignInOut.of(outcome)


@post(
    "/sign-in/enrolment",
    operation_id="BeginDemandedEnrolment",
    summary="Begin the enrolment that signing in demands",
    description="For a sign-in that waits for an enrolment: a new secret for an authenticator app, shown this once.",
    opt=ANYBODY,
    security=[{}],
    status_code=200,
)
async def begin_demanded_enrolment(request: AnyRequest, session: NamedDependency[AsyncSession]) -> EnrolmentOut:
    """Begin the demanded enrolment."""
    return EnrolmentOut.of(await service.begin_enrolment_at_sign_in(session, waiting_token(request)))


@post(
    "/sign-in/enrolment/confirm",
    operation_id="ConfirmDemandedEnrolment",
    summary="Confirm the enrolment and finish signing in",
    description="The first code of the new secret. The answer holds ten recovery codes, shown this once.",
    opt=ANYBODY,
    security=[{}],
    status_code=200,
)
async def confirm_demanded_enrolment(
    request: AnyRequest, data: JSONBody[CodeIn], session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> EnrolledOut:
    """Confirm the demanded enrolment."""
    signed_in, codes = await service.confirm_enrolment_at_sign_in(session, waiting_token(request), data.code, now=now)
    request.set_session({TOKEN: signed_in.token})
    return EnrolledOut(me=MeOut.of(signed_in.viewer, list(signed_in.organisations)), recovery_codes=list(codes))


@post(
    "/sign-out",
    operation_id="SignOut",
    summary="End the session",
    description="End the session; without one nothing happens.",
    opt=ANYBODY,
    security=[{}],
    status_code=204,
)
async def sign_out(request: AnyRequest, session: NamedDependency[AsyncSession]) -> None:
    """Sign out."""
    token = token_of(request)  # type: ignore[arg-type]
    if token is not None:
        await service.sign_out(session, token)
    request.clear_session()


@get("/me", operation_id="GetMe", summary="Who I am", guards=[requires(scope=READS)])
async def get_me(viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]) -> MeOut:
    """Say who is asking, for which organisation, in which roles."""
    is_person = viewer.principal_kind is PrincipalKind.USER
    return MeOut.of(viewer, await queries.organisations_of(session, viewer.principal_id) if is_person else [])


def waiting_token(request: AnyRequest) -> str:
    """Return the token of the request's session; refuse with `SignInStale` where there is none."""
    token = token_of(request)  # type: ignore[arg-type]
    if token is None:
        raise SignInStale
    return token


ROUTES = (
    sign_in,
    complete_sign_in,
    begin_demanded_enrolment,
    confirm_demanded_enrolment,
    sign_out,
    get_me,
)
