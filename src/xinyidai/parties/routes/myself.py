"""What a signed-in person does about their own account: proof, second factor, password, sessions, organisations."""

from datetime import datetime
from uuid import UUID

from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.parties import queries, service
from xinyidai.parties.routes.signing_in import waiting_token
from xinyidai.parties.schemas.people import MeOut
from xinyidai.parties.schemas.signing_in import (
    CodeIn,
    EnrolmentOut,
    PasswordIn,
    ProvedOut,
    RecoveryCodesOut,
    RevokedOut,
    SessionOut,
    SessionPageOut,
    StepUpIn,
    SwitchIn,
)

BY_PERSON = requires()
BY_PERSON_PROVED = requires(fresh=True)

AnyRequest = Request[object, object, State]


@post(
    "/step-up",
    operation_id="StepUp",
    summary="Prove anew who I am",
    description=(
        "A code of the authenticator where a second factor is enrolled, else the password. Acts that move money or "
        "rights demand a proof of the last five minutes, and are refused with `step_up_needed` without one."
    ),
    guards=[BY_PERSON],
    status_code=200,
)
async def step_up(
    request: AnyRequest, data: JSONBody[StepUpIn], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
) -> ProvedOut:
    """Prove identity anew, in a transaction of its own: a failure must be counted before the refusal is raised."""
    token = waiting_token(request)
    async with in_transaction(request.app.state.sessions) as session:
        await act_as(session, viewer, now=now)
        outcome = await service.step_up(session, viewer, token, password=data.password, code=data.code, now=now)
    if isinstance(outcome, Refusal):
        raise outcome
    return ProvedOut(proved_at=outcome)


@post(
    "/me/password",
    operation_id="ChangePassword",
    summary="Change my password",
    description="With the current one. Every other session of mine ends at once.",
    guards=[BY_PERSON],
    status_code=204,
)
async def change_password(
    request: AnyRequest, data: JSONBody[PasswordIn], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
) -> None:
    """Change the password, in a transaction of its own: a failure must be counted before the refusal is raised."""
    token = waiting_token(request)
    async with in_transaction(request.app.state.sessions) as session:
        await act_as(session, viewer, now=now)
        refusal = await service.change_password(session, viewer, token, current=data.current, new=data.new, now=now)
    if refusal is not None:
        raise refusal


@post(
    "/me/second-factor",
    operation_id="BeginEnrolment",
    summary="Begin to enrol a second factor",
    description="A new secret for an authenticator app, shown once; until confirmed an earlier one stays in force.",
    guards=[BY_PERSON_PROVED],
    status_code=200,
)
async def begin_enrolment(viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]) -> EnrolmentOut:
    """Begin an enrolment."""
    return EnrolmentOut.of(await service.begin_enrolment(session, viewer))


@post(
    "/me/second-factor/confirm",
    operation_id="ConfirmEnrolment",
    summary="Confirm the second factor by its first code",
    description="From now on signing in asks for a code. The answer holds ten recovery codes, shown this once.",
    guards=[BY_PERSON_PROVED],
    status_code=200,
)
async def confirm_enrolment(
    data: JSONBody[CodeIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> RecoveryCodesOut:
    """Confirm an enrolment."""
    return RecoveryCodesOut(
        recovery_codes=list(await service.confirm_enrolment(session, viewer, data.code, now=now)),
    )


@post(
    "/me/second-factor/recovery-codes",
    operation_id="RenewRecoveryCodes",
    summary="Get new recovery codes",
    description="Ten new ones, shown this once; all earlier ones are dead.",
    guards=[BY_PERSON_PROVED],
    status_code=200,
)
async def renew_recovery_codes(
    viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> RecoveryCodesOut:
    """Renew the recovery codes."""
    return RecoveryCodesOut(recovery_codes=list(await service.renew_recovery_codes(session, viewer, now=now)))


@post(
    "/me/second-factor/disable",
    operation_id="DisableSecondFactor",
    summary="Give the second factor up",
    description="Refused where an organisation of mine demands one: enrol another instead.",
    guards=[BY_PERSON_PROVED],
    status_code=204,
)
async def disable_second_factor(
    viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> None:
    """Disable the second factor."""
    await service.disable_second_factor(session, viewer, now=now)


@post(
    "/me/organisation",
    operation_id="SwitchOrganisation",
    summary="Act for another of my organisations",
    description="From the next request on this session acts for it, in the roles held there.",
    guards=[BY_PERSON],
    status_code=200,
)
async def switch_organisation(
    request: AnyRequest,
    data: JSONBody[SwitchIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> MeOut:
    """Switch the acting organisation."""
    switched = await service.switch_organisation(
        session, viewer, waiting_token(request), organisation_id=data.organisation_id, now=now
    )
    return MeOut.of(switched, await queries.organisations_of(session, viewer.principal_id))


@post(
    "/me/organisations/{organisation_id:uuid}/leave",
    operation_id="LeaveOrganisation",
    summary="Leave an organisation",
    description="My roles there end, and every session that acts for it. The last administrator cannot leave.",
    guards=[BY_PERSON_PROVED],
    status_code=204,
)
async def leave_organisation(
    organisation_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> None:
    """Leave an organisation."""
    await service.leave_organisation(session, viewer, organisation_id=organisation_id, now=now)


@get(
    "/me/sessions",
    operation_id="ListSessions",
    summary="My open sessions",
    description="Where I am signed in: browser and system, since when, last seen, for which organisation.",
    guards=[BY_PERSON],
)
async def list_sessions(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> SessionPageOut:
    """List the viewer's sessions."""
    page = await queries.web_sessions(session, viewer, current_token=waiting_token(request), cursor=cursor, limit=limit)
    return SessionPageOut(sessions=[SessionOut.of(view) for view in page.rows], next_cursor=page.next_cursor)


@delete(
    "/me/sessions/{session_id:uuid}",
    operation_id="RevokeSession",
    summary="End one of my sessions",
    description="Its next request is refused.",
    guards=[BY_PERSON],
)
async def revoke_session(
    session_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> None:
    """Revoke a session."""
    await service.revoke_session(session, viewer, session_id, now=now)


@post(
    "/me/sessions/revoke-others",
    operation_id="RevokeOtherSessions",
    summary="End all my other sessions",
    description="Every session of mine but this one.",
    guards=[BY_PERSON],
    status_code=200,
)
async def revoke_other_sessions(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> RevokedOut:
    """Revoke all other sessions."""
    return RevokedOut(revoked=await service.revoke_other_sessions(session, viewer, waiting_token(request), now=now))


ROUTES = (
    step_up,
    change_password,
    begin_enrolment,
    confirm_enrolment,
    renew_recovery_codes,
    disable_second_factor,
    switch_organisation,
    leave_organisation,
    list_sessions,
    revoke_session,
    revoke_other_sessions,
)
