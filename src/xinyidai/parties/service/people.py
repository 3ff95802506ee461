"""People: accounts, and their roles in organisations."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import CursorResult, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Role, Viewer, requires_role
from xinyidai.access.service import act_as_platform, platform_scope
from xinyidai.audit import service as audit
from xinyidai.foundation.errors import NotAllowed, NotFound, ValueRefused
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.paging import MAX_PAGE, Page
from xinyidai.parties import queries
from xinyidai.parties.models import Credential, Membership, User
from xinyidai.parties.rules import (
    PLATFORM_ID,
    Desk,
    DuplicateMembership,
    DuplicateUser,
    InvitationView,
    LastAdministrator,
    MembershipView,
    PartyId,
    UserId,
    checked_email,
    checked_name,
    checked_password,
)
from xinyidai.parties.service.passwords import hash_password
from xinyidai.parties.service.sessions import end_sessions

ADMINISTRATORS = (Role.ADMIN, Role.OWNER)


async def create_user(
    session: AsyncSession, *, email: str, display_name: str, password: str | None, now: datetime
) -> UserId:
    """Make an account; without a password the person cannot sign in with one.

    Raises
    ------
    DuplicateUser
        The email has an account; of two at the same moment exactly one succeeds.
    ValueRefused
        The email, name or password is not fit to be one.
    """
    user_id = UserId(new_id())
    row = {
        "id": user_id,
        "email": checked_email(email),
        "display_name": checked_name(display_name, field="display_name"),
        "created_at": now,
    }
    hashed = await hash_password(checked_password(password)) if password is not None else None
    # No RETURNING: the new row is nobody's yet, so row-level security would not show it to the session that made it.
    written = await session.execute(insert(User).values(row).on_conflict_do_nothing())
    if cast(CursorResult[None], written).rowcount == 0:
        raise DuplicateUser
    if hashed is not None:
        await session.execute(insert(Credential).values(user_id=user_id, password_hash=hashed, failures=0))
    return user_id


async def add_membership(
    session: AsyncSession, user_id: UUID, party_id: UUID, roles: Sequence[Role], *, now: datetime
) -> UUID:
    """Give a person roles in an organisation; the verbs around this one check who may.

    Raises
    ------
    DuplicateMembership
        The person has an active membership there: change its roles instead.
    """
    membership_id = new_id()
    row = {
        "id": membership_id,
        "user_id": user_id,
        "party_id": party_id,
        "roles": stored_roles(roles),
        "begun_at": now,
    }
    statement = insert(Membership).values(row).on_conflict_do_nothing().returning(col(Membership.id))
    written = await session.execute(statement)
    if written.scalar_one_or_none() is None:
        raise DuplicateMembership
    return membership_id


async def admit_person(
    session: AsyncSession,
    viewer: Viewer,
    *,
    organisation_id: UUID,
    email: str,
    display_name: str,
    password: str,
    roles: Sequence[Role],
    now: datetime,
) -> UserId:
    """Make an account with roles in the organisation: by its own administrator, or by the operator's."""
    requires_administrator(viewer, organisation_id)
    async with platform_scope(session):
        await queries.party(session, organisation_id)
        user_id = await create_user(session, email=email, display_name=display_name, password=password, now=now)
        membership_id = await add_membership(session, user_id, organisation_id, roles, now=now)
    await _write_down(session, viewer, "parties.person_admitted", organisation_id, membership_id, now=now)
    return user_id


async def give_membership(
    session: AsyncSession,
    viewer: Viewer,
    *,
    organisation_id: UUID,
    email: str,
    roles: Sequence[Role],
    now: datetime,
) -> UUID:
    """Give a person who has an account roles in one more organisation.

    Raises
    ------
    NotFound
        No account has this email.
    """
    requires_administrator(viewer, organisation_id)
    user_id = await queries.user_of_email(session, checked_email(email))
    if user_id is None:
        raise NotFound
    async with platform_scope(session):
        await queries.party(session, organisation_id)
        membership_id = await add_membership(session, user_id, organisation_id, roles, now=now)
    await _write_down(session, viewer, "parties.membership_given", organisation_id, membership_id, now=now)
    return membership_id


async def change_roles(
    session: AsyncSession, viewer: Viewer, membership_id: UUID, *, roles: Sequence[Role], now: datetime
) -> UUID:
    """End a membership and begin another with other roles, so that who held which role when stays readable."""
    ended = await _ended(session, viewer, membership_id, now=now)
    async with platform_scope(session):
        begun_id = await add_membership(session, ended.user_id, ended.party_id, roles, now=now)
        await _requires_an_administrator_left(session, ended.party_id)
    await _write_down(session, viewer, "parties.roles_changed", ended.party_id, begun_id, now=now)
    return begun_id


async def end_membership(session: AsyncSession, viewer: Viewer, membership_id: UUID, *, now: datetime) -> None:
    """End a person's roles in an organisation; their next request is refused, whatever session they still hold.

    Raises
    ------
    NotFound
        No such active membership in an organisation that the viewer administers.
    LastAdministrator
        Nobody would be left to administer the organisation.
    """
    ended = await _ended(session, viewer, membership_id, now=now)
    async with platform_scope(session):
        await _requires_an_administrator_left(session, ended.party_id)
        await end_sessions(session, ended.user_id, organisation_id=ended.party_id)
    await _write_down(session, viewer, "parties.membership_ended", ended.party_id, membership_id, now=now)


async def leave_organisation(session: AsyncSession, viewer: Viewer, *, organisation_id: UUID, now: datetime) -> None:
    """End the viewer's own roles in an organisation; sessions that act for it end, the others stay.

    Raises
    ------
    NotFound
        The viewer has no roles there.
    LastAdministrator
        Nobody would be left to administer the organisation.
    """
    async with platform_scope(session):
        own = await session.execute(
            select(Membership).where(
                col(Membership.user_id) == viewer.principal_id,
                col(Membership.party_id) == organisation_id,
                col(Membership.ended_at).is_(None),
            )
        )
        held = own.scalar_one_or_none()
        if held is None:
            raise NotFound
        await _end(session, held, now=now)
        await _requires_an_administrator_left(session, organisation_id)
        await end_sessions(session, viewer.principal_id, organisation_id=organisation_id)
    await _write_down(session, viewer, "parties.organisation_left", organisation_id, held.id, now=now)


async def create_operator(
    session: AsyncSession, *, email: str, display_name: str, password: str, now: datetime
) -> UserId:
    """Make a person of the operator's desk, from the command line only; sets platform scope.

    The first two get every role, because the first agreement already needs a maker and a checker.
    """
    await act_as_platform(session, now=now)
    user_id = await create_user(session, email=email, display_name=display_name, password=password, now=now)
    roles = [Role.ADMIN, Role.OFFICER, Role.APPROVER]
    membership_id = await add_membership(session, user_id, PLATFORM_ID, roles, now=now)
    await _write_down(session, None, "parties.operator_created", PLATFORM_ID, membership_id, now=now)
    return user_id


async def members_of(
    session: AsyncSession,
    viewer: Viewer,
    organisation_id: UUID,
    *,
    cursor: str | None = None,
    limit: int = MAX_PAGE,
    now: datetime,
) -> tuple[Page[MembershipView], Desk]:
    """Return an organisation's people and whether its desk has two, to its administrators or the operator's.

    The operator's look at others is written down.
    """
    requires_administrator(viewer, organisation_id)
    async with platform_scope(session):
        found = await queries.members(session, organisation_id, cursor=cursor, limit=limit)
        desk = await queries.desk(session, organisation_id)
    await _write_down_look(session, viewer, "parties.members_read", organisation_id, now=now)
    return found, desk


async def invitations_of(
    session: AsyncSession,
    viewer: Viewer,
    organisation_id: UUID,
    *,
    cursor: str | None = None,
    limit: int = MAX_PAGE,
    now: datetime,
) -> Page[InvitationView]:
    """Return an organisation's open invitations, to its administrators or the operator's, as `members_of` does."""
    requires_administrator(viewer, organisation_id)
    async with platform_scope(session):
        found = await queries.open_invitations(session, organisation_id, cursor=cursor, limit=limit)
    await _write_down_look(session, viewer, "parties.invitations_read", organisation_id, now=now)
    return found


async def _write_down_look(
    session: AsyncSession, viewer: Viewer, action: str, organisation_id: UUID, *, now: datetime
) -> None:
    if viewer.organisation_id == organisation_id:
        return
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[organisation_id],
        object_kind="party",
        object_id=str(organisation_id),
        now=now,
    )


def requires_administrator(viewer: Viewer, organisation_id: UUID) -> None:
    """Refuse unless the viewer administers this organisation or is an administrator of the operator's."""
    requires_role(viewer, *ADMINISTRATORS)
    if not _concerns(viewer, organisation_id):
        raise NotAllowed


def _concerns(viewer: Viewer, organisation_id: UUID) -> bool:
    return viewer.organisation_id == organisation_id or viewer.is_one_of(OrganisationKind.OPERATOR)


async def _ended(session: AsyncSession, viewer: Viewer, membership_id: UUID, *, now: datetime) -> Membership:
    async with platform_scope(session):
        held = await session.get(Membership, membership_id)
        if held is None or not _concerns(viewer, held.party_id):
            raise NotFound
        requires_administrator(viewer, held.party_id)
        await _end(session, held, now=now)
    return held


async def _end(session: AsyncSession, held: Membership, *, now: datetime) -> None:
    """End a membership under the lock of all of its organisation's; needs platform scope."""
    # Every membership, in id order, so that the last two administrators cannot end each other at once.
    await session.execute(
        select(col(Membership.id))
        .where(col(Membership.party_id) == held.party_id, col(Membership.ended_at).is_(None))
        .order_by(col(Membership.id))
        .with_for_update()
    )
    await session.refresh(held)
    if held.ended_at is not None:
        raise NotFound
    held.ended_at = now
    session.add(held)
    await session.flush()


async def _requires_an_administrator_left(session: AsyncSession, party_id: UUID) -> None:
    left = await session.execute(
        text(
            "SELECT 1 FROM parties.membership WHERE party_id = :party_id AND ended_at IS NULL"
            " AND roles && ARRAY['owner', 'admin']::varchar[] LIMIT 1"
        ),
        {"party_id": party_id},
    )
    if left.scalar_one_or_none() is None:
        raise LastAdministrator


async def _write_down(
    session: AsyncSession, viewer: Viewer | None, action: str, party_id: UUID, membership_id: UUID, *, now: datetime
) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[PartyId(party_id)],
        object_kind="membership",
        object_id=str(membership_id),
        now=now,
    )


def stored_roles(roles: Sequence[Role]) -> list[str]:
    """Return roles as they are kept: in order, without repeats; refuse none at all."""
    if not roles:
        raise ValueRefused(field="roles", why="at least one role")
    return sorted({role.value for role in roles})
