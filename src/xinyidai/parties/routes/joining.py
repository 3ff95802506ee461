"""Invitations by link."""

from datetime import datetime
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import PrincipalKind, Role, Viewer
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.parties import queries, service
from xinyidai.parties.schemas.joining import (
    AcceptanceIn,
    InvitationIn,
    InvitationOut,
    InvitationPageOut,
    InvitationShownOut,
    InvitedOut,
    JoinedOut,
    TokenIn,
)

BY_ADMINISTRATOR = requires(roles=(Role.ADMIN, Role.OWNER))
BY_ADMINISTRATOR_PROVED = requires(roles=(Role.ADMIN, Role.OWNER), fresh=True)
ANYBODY = {"public": True}

AnyRequest = Request[object, object, State]


@post(
    "/invitations",
    operation_id="Invite",
    summary="Invite a person by link",
    description=(
        "For seven days, instead of any earlier invitation of the same email. The link is in this answer and nowhere "
        "else, and is handed over outside the platform. The operator invites the first administrator of an "
        "organisation. The answer does not depend on whether the email has an account."
    ),
    guards=[BY_ADMINISTRATOR_PROVED],
)
async def invite(
    data: JSONBody[InvitationIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> InvitedOut:
    """Invite a person."""
    invited = await service.invite(
        session,
        viewer,
        organisation_id=data.organisation_id or viewer.organisation_id,
        email=data.email,
        roles=data.roles,
        now=now,
    )
    return InvitedOut.of(invited)


@get(
    "/invitations",
    operation_id="ListInvitations",
    summary="Open invitations of my organisation",
    description="Neither accepted nor withdrawn nor expired, oldest first; never their tokens. The operator may name"
    " another organisation, which is written down.",
    guards=[BY_ADMINISTRATOR],
)
async def list_invitations(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    organisation_id: FromQuery[UUID | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> InvitationPageOut:
    """List open invitations."""
    asked = organisation_id or viewer.organisation_id
    page = await service.invitations_of(session, viewer, asked, cursor=cursor, limit=limit, now=now)
    return InvitationPageOut(
        invitations=[InvitationOut.of(view) for view in page.rows],
        next_cursor=page.next_cursor,
    )


@post(
    "/invitations/{invitation_id:uuid}/withdraw",
    operation_id="WithdrawInvitation",
    summary="Withdraw an invitation",
    description="Its link is dead at once.",
    guards=[BY_ADMINISTRATOR],
    status_code=204,
)
async def withdraw_invitation(
    invitation_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> None:
    """Withdraw an invitation."""
    await service.withdraw_invitation(session, viewer, invitation_id, now=now)


@post(
    "/invitations/show",
    operation_id="ShowInvitation",
    summary="What an invitation is for",
    description="For the holder of the link, before accepting. The token travels in the body, so that no log has it.",
    opt=ANYBODY,
    security=[{}],
    status_code=200,
)
async def show_invitation(data: JSONBody[TokenIn], session: NamedDependency[AsyncSession]) -> InvitationShownOut:
    """Show an invitation."""
    return InvitationShownOut.of(await queries.invitation_shown(session, data.token))


@post(
    "/invitations/accept",
    operation_id="AcceptInvitation",
    summary="Join by an invitation",
    description=(
        "A new person gives name and password; a person with an account gives its password, or is signed in, which is "
        "the only way where a second factor is enrolled. Of two at the same moment one joins. Signing in comes next."
    ),
    opt=ANYBODY,
    security=[{}],
)
async def accept_invitation(
    request: AnyRequest, data: JSONBody[AcceptanceIn], now: NamedDependency[datetime]
) -> JoinedOut:
    """Accept an invitation, in a transaction of its own: a wrong password must be counted before it is refused."""
    viewer = request.scope.get("user")
    is_person = isinstance(viewer, Viewer) and viewer.principal_kind is PrincipalKind.USER
    async with in_transaction(request.app.state.sessions) as session:
        outcome = await service.accept_invitation(
            session,
            data.token,
            display_name=data.display_name,
            password=data.password,
            viewer=viewer if is_person else None,
            now=now,
        )
    if isinstance(outcome, Refusal):
        raise outcome
    return JoinedOut.of(outcome)


ROUTES = (invite, list_invitations, withdraw_invitation, show_invitation, accept_invitation)
