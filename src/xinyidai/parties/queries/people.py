"""People: as the viewer every other room is given, their sessions, memberships and invitations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, PrincipalKind, Role, Viewer
from xinyidai.access.service import platform_scope
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.paging import MAX_PAGE, Page, after_id, limit_of, page_of
from xinyidai.parties.models import (
    AccountRecovery,
    Invitation,
    Membership,
    Party,
    SecondFactor,
    SimulatedText,
    User,
    WebSession,
)
from xinyidai.parties.queries.registry import party
from xinyidai.parties.rules import (
    IDLE_LASTS,
    ONE_PERSON_DESKS,
    SEEN_COARSE,
    Desk,
    InvitationOver,
    InvitationShown,
    InvitationView,
    MembershipView,
    OrganisationHeld,
    PartyId,
    PartyView,
    RecoveryKind,
    RecoveryView,
    SessionStage,
    SessionView,
    SimulatedMessage,
    UserId,
    desk_of,
    token_digest,
)

_VIEWER = text(
    "SELECT user_id, party_id, party_kind, roles, proved_at"
    " FROM parties.viewer_of_session(:digest, :wall_at, :coarse, :idle)"
)


async def viewer_of_session(session: AsyncSession, token: str) -> Viewer | None:
    """Return the person whose open session this token is of, acting for its organisation; None when it is over.

    Needs no scope. One query: it also sees that the membership is active, and notes the session's use coarsely.
    """
    asked = {"digest": token_digest(token), "wall_at": wall_now(), "coarse": SEEN_COARSE, "idle": IDLE_LASTS}
    row = (await session.execute(_VIEWER, asked)).one_or_none()
    if row is None:
        return None
    return Viewer(
        principal_id=row.user_id,
        principal_kind=PrincipalKind.USER,
        organisation_id=row.party_id,
        organisation_kind=OrganisationKind(row.party_kind),
        roles=frozenset(Role(role) for role in row.roles),
        proved_at=row.proved_at,
    )


async def viewer_for(session: AsyncSession, user_id: UUID, party_id: UUID) -> Viewer | None:
    """Return a person as the viewer acting for an organisation, or None without an active membership in it.

    Needs no scope: it is asked before there is a viewer, through a function that answers for one person only.
    """
    found = await session.execute(
        text("SELECT party_kind, roles FROM parties.memberships_of(:user_id) WHERE party_id = :party_id"),
        {"user_id": user_id, "party_id": party_id},
    )
    row = found.one_or_none()
    if row is None:
        return None
    return Viewer(
        principal_id=user_id,
        principal_kind=PrincipalKind.USER,
        organisation_id=party_id,
        organisation_kind=OrganisationKind(row.party_kind),
        roles=frozenset(Role(role) for role in row.roles),
    )


async def organisations_of(session: AsyncSession, user_id: UUID) -> list[OrganisationHeld]:
    """Return the organisations a person may act for; needs no scope."""
    found = await session.execute(
        text("SELECT party_id, party_kind, party_name, roles FROM parties.memberships_of(:user_id)"),
        {"user_id": user_id},
    )
    return [
        OrganisationHeld(
            PartyId(row.party_id),
            OrganisationKind(row.party_kind),
            row.party_name,
            frozenset(Role(role) for role in row.roles),
        )
        for row in found
    ]


async def members(
    session: AsyncSession, party_id: UUID, *, cursor: str | None = None, limit: int = MAX_PAGE
) -> Page[MembershipView]:
    """Return one page of the active memberships of an organisation, as far as the session's scope shows them."""
    asked = limit_of(limit)
    statement = (
        select(Membership, col(User.email), col(User.display_name))
        .join(User, col(User.id) == col(Membership.user_id))
        .where(
            col(Membership.party_id) == party_id,
            col(Membership.ended_at).is_(None),
            col(Membership.id) > after_id(cursor),
        )
        .order_by(col(Membership.id))
        .limit(asked + 1)
    )
    views = [
        MembershipView(
            id=row.id,
            user_id=UserId(row.user_id),
            party_id=PartyId(row.party_id),
            email=email,
            display_name=display_name,
            roles=frozenset(Role(role) for role in row.roles),
            begun_at=row.begun_at,
        )
        for row, email, display_name in (await session.execute(statement))
    ]
    return page_of(views, limit=asked, id_of=lambda view: view.id)


async def desk(session: AsyncSession, party_id: UUID) -> Desk:
    """Say whether an organisation's desk has the two people that four eyes need; needs its scope or the platform's."""
    kind = (await party(session, party_id)).kind
    rows = await session.execute(
        select(col(Membership.user_id), col(Membership.roles)).where(
            col(Membership.party_id) == party_id,
            col(Membership.ended_at).is_(None),
        )
    )
    return desk_of(kind, {UserId(user_id): frozenset(map(Role, roles)) for user_id, roles in rows})


async def organisations_present(session: AsyncSession, *, since: datetime) -> frozenset[UUID]:
    """Return the organisations for which somebody signed in was seen since a wall time; platform scope.

    A session is marked as seen once in SEEN_COARSE.
    """
    statement = (
        select(col(WebSession.party_id))
        .where(
            col(WebSession.ended_at).is_(None),
            col(WebSession.stage) == SessionStage.OPEN.value,
            col(WebSession.seen_at) >= since,
        )
        .distinct()
    )
    return frozenset((await session.execute(statement)).scalars())


async def incomplete_desks(session: AsyncSession, *, limit: int) -> list[tuple[PartyView, Desk]]:
    """Return the first institutions whose desk lacks one of the two people that four eyes need; platform scope."""
    found: list[tuple[PartyView, Desk]] = []
    statement = select(col(Party.id)).where(col(Party.kind).not_in(ONE_PERSON_DESKS)).order_by(col(Party.id))
    for party_id in (await session.execute(statement)).scalars().all():
        standing = await desk(session, party_id)
        if not standing.is_complete:
            found.append((await party(session, party_id), standing))
        if len(found) == limit:
            break
    return found


async def user_of_email(session: AsyncSession, email: str) -> UserId | None:
    """Return the account of a folded email; needs no scope."""
    found = await session.execute(text("SELECT parties.user_id_of(:email)"), {"email": email})
    user_id = found.scalar_one()
    return UserId(user_id) if user_id is not None else None


async def email_of(session: AsyncSession, user_id: UUID) -> str:
    """Return the email a person signs in with."""
    async with platform_scope(session):
        found = await session.execute(select(col(User.email)).where(col(User.id) == user_id))
    return found.scalar_one()


async def is_enrolled(session: AsyncSession, user_id: UUID) -> bool:
    """Say whether a person has a second factor."""
    async with platform_scope(session):
        found = await session.execute(
            select(col(SecondFactor.secret).is_not(None)).where(col(SecondFactor.user_id) == user_id)
        )
    return bool(found.scalar_one_or_none())


async def web_sessions(
    session: AsyncSession, viewer: Viewer, *, current_token: str, cursor: str | None = None, limit: int = MAX_PAGE
) -> Page[SessionView]:
    """Return one page of the viewer's own open sessions, oldest first."""
    asked, wall_at = limit_of(limit), wall_now()
    statement = (
        select(WebSession, col(Party.name))
        .join(Party, col(Party.id) == col(WebSession.party_id))
        .where(
            col(WebSession.user_id) == viewer.principal_id,
            col(WebSession.stage) == SessionStage.OPEN,
            col(WebSession.ended_at).is_(None),
            col(WebSession.expires_at) > wall_at,
            col(WebSession.seen_at) > wall_at - IDLE_LASTS,
            col(WebSession.id) > after_id(cursor),
        )
        .order_by(col(WebSession.id))
        .limit(asked + 1)
    )
    current = token_digest(current_token)
    async with platform_scope(session):
        views = [
            SessionView(
                id=row.id,
                organisation_id=PartyId(row.party_id),
                organisation_name=name,
                agent=row.agent,
                created_at=row.created_at,
                seen_at=row.seen_at,
                expires_at=row.expires_at,
                is_current=row.token_digest == current,
            )
            for row, name in await session.execute(statement)
        ]
    return page_of(views, limit=asked, id_of=lambda view: view.id)


async def open_invitations(
    session: AsyncSession, organisation_id: UUID, *, cursor: str | None = None, limit: int = MAX_PAGE
) -> Page[InvitationView]:
    """Return one page of an organisation's open invitations, as far as the session's scope shows them."""
    asked = limit_of(limit)
    statement = (
        select(Invitation)
        .where(
            col(Invitation.party_id) == organisation_id,
            col(Invitation.accepted_at).is_(None),
            col(Invitation.withdrawn_at).is_(None),
            col(Invitation.expires_at) > wall_now(),
            col(Invitation.id) > after_id(cursor),
        )
        .order_by(col(Invitation.id))
        .limit(asked + 1)
    )
    views = [invitation_view(row) for row in (await session.execute(statement)).scalars()]
    return page_of(views, limit=asked, id_of=lambda view: view.id)


async def invitation_shown(session: AsyncSession, token: str) -> InvitationShown:
    """Return what the holder of an invitation's link may know; needs no scope.

    Raises
    ------
    InvitationOver
        Used, withdrawn, replaced, expired, or never made.
    """
    statement = (
        select(Invitation, col(Party.name), col(Party.kind))
        .join(Party, col(Party.id) == col(Invitation.party_id))
        .where(col(Invitation.token_digest) == token_digest(token))
    )
    async with platform_scope(session):
        found = (await session.execute(statement)).one_or_none()
    if found is None or not is_open(found[0], wall_at=wall_now()):
        raise InvitationOver
    row, name, kind = found
    return InvitationShown(name, OrganisationKind(kind), row.email, frozenset(map(Role, row.roles)), row.expires_at)


def is_open(row: Invitation, *, wall_at: datetime) -> bool:
    """Say whether an invitation can be accepted."""
    return row.accepted_at is None and row.withdrawn_at is None and row.expires_at > wall_at


def invitation_view(row: Invitation) -> InvitationView:
    """Return an invitation as its organisation sees it."""
    return InvitationView(
        id=row.id,
        organisation_id=PartyId(row.party_id),
        email=row.email,
        roles=frozenset(map(Role, row.roles)),
        invited_by=UserId(row.invited_by),
        invited_at=row.invited_at,
        expires_at=row.expires_at,
    )


async def open_recoveries(
    session: AsyncSession, organisation_id: UUID, *, cursor: str | None = None, limit: int = MAX_PAGE
) -> Page[RecoveryView]:
    """Return one page of the recoveries that wait for an organisation's second administrator."""
    asked = limit_of(limit)
    statement = (
        select(AccountRecovery, col(User.email), col(User.display_name))
        .join(User, col(User.id) == col(AccountRecovery.user_id))
        .where(
            col(AccountRecovery.party_id) == organisation_id,
            col(AccountRecovery.confirmed_by).is_(None),
            col(AccountRecovery.ended_at).is_(None),
            col(AccountRecovery.expires_at) > wall_now(),
            col(AccountRecovery.id) > after_id(cursor),
        )
        .order_by(col(AccountRecovery.id))
        .limit(asked + 1)
    )
    async with platform_scope(session):
        views = [
            RecoveryView(
                id=row.id,
                kind=RecoveryKind(row.kind),
                user_id=UserId(row.user_id),
                email=email,
                display_name=display_name,
                asked_by=UserId(row.asked_by),
                asked_at=row.asked_at,
                expires_at=row.expires_at,
            )
            for row, email, display_name in await session.execute(statement)
            if row.asked_by is not None
        ]
    return page_of(views, limit=asked, id_of=lambda view: view.id)


async def simulated_messages(session: AsyncSession, *, limit: int = 50) -> list[SimulatedMessage]:
    """Return the newest text messages of the sandbox, newest first; outside a sandbox there are none."""
    statement = (
        select(SimulatedText, col(User.email))
        .join(User, col(User.id) == col(SimulatedText.user_id))
        .order_by(col(SimulatedText.id).desc())
        .limit(limit_of(limit))
    )
    async with platform_scope(session):
        rows = (await session.execute(statement)).all()
    return [SimulatedMessage(row.id, email, row.text_zh, row.text_en, row.sent_at) for row, email in rows]
