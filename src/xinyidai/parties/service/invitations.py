"""Inviting people by a one-time link, and joining by it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Role, Viewer
from xinyidai.access.service import act_as, platform_scope
from xinyidai.audit import service as audit
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.errors import NotAllowed, NotFound, ValueRefused
from xinyidai.parties import queries
from xinyidai.parties.models import Invitation
from xinyidai.parties.rules import (
    INVITATION_LASTS,
    MAX_INVITATIONS,
    DuplicateMembership,
    InvitationForAnother,
    InvitationOver,
    Invited,
    Joined,
    PartyId,
    ProofRefused,
    SecondFactorNeeded,
    TooManyInvitations,
    UserId,
    checked_email,
    new_token,
    token_digest,
)
from xinyidai.parties.service.attempts import prove_password
from xinyidai.parties.service.people import add_membership, create_user, requires_administrator, stored_roles


async def invite(
    session: AsyncSession,
    viewer: Viewer,
    *,
    organisation_id: UUID,
    email: str,
    roles: Sequence[Role],
    now: datetime,
) -> Invited:
    """Invite an email to roles in an organisation, instead of any earlier invitation; the token is shown this once.

    An organisation's administrators invite; the operator's do for one that has no administrator yet. Nothing that is
    answered here depends on whether the email has an account. The invitation lasts INVITATION_LASTS of wall time.

    Raises
    ------
    DuplicateMembership
        The email is a member's, as the members' list shows.
    TooManyInvitations
        MAX_INVITATIONS are open.
    NotAllowed, NotFound, ValueRefused
        The viewer may not, there is no such organisation, the email or roles are not fit to be such.
    """
    requires_administrator(viewer, organisation_id)
    folded, kept_roles, token = checked_email(email), stored_roles(roles), new_token()
    async with platform_scope(session):
        await queries.party(session, organisation_id)
        await lock_key(session, f"parties.invitations:{organisation_id}")
        if viewer.organisation_id != organisation_id and await _has_administrator(session, organisation_id):
            raise NotAllowed
        if await _is_member(session, folded, organisation_id):
            raise DuplicateMembership
        await _withdraw(session, organisation_id, folded)
        if await _open_count(session, organisation_id) >= MAX_INVITATIONS:
            raise TooManyInvitations(most=MAX_INVITATIONS)
        row = Invitation(
            party_id=organisation_id,
            email=folded,
            roles=kept_roles,
            token_digest=token_digest(token),
            invited_by=viewer.principal_id,
            invited_at=now,
            expires_at=wall_now() + INVITATION_LASTS,
        )
        session.add(row)
    await _write_down(session, viewer, "parties.person_invited", row, now=now)
    return Invited(queries.invitation_view(row), token)


async def withdraw_invitation(session: AsyncSession, viewer: Viewer, invitation_id: UUID, *, now: datetime) -> None:
    """Withdraw an open invitation; its link is dead from the commit on.

    Raises
    ------
    NotFound
        No such open invitation of an organisation for which the viewer invites.
    """
    async with platform_scope(session):
        row = await session.get(Invitation, invitation_id, with_for_update=True)
        if row is None or not queries.is_open(row, wall_at=wall_now()):
            raise NotFound
        if row.party_id != viewer.organisation_id and row.invited_by != viewer.principal_id:
            raise NotFound
        requires_administrator(viewer, row.party_id)
        row.withdrawn_at = wall_now()
        session.add(row)
    await _write_down(session, viewer, "parties.invitation_withdrawn", row, now=now)


async def accept_invitation(
    session: AsyncSession,
    token: str,
    *,
    display_name: str | None = None,
    password: str | None = None,
    viewer: Viewer | None = None,
    now: datetime,
) -> Joined | ProofRefused | SecondFactorNeeded:
    """Join by an invitation's link: with name and password of a new account, the password of one's own, or signed in.

    Of two at the same moment one joins. A wrong password is returned as a refusal, not raised, because it must be
    counted and committed first; so is `SecondFactorNeeded`: an account with a second factor joins signed in.

    Raises
    ------
    InvitationOver
        The link is used, withdrawn, replaced, expired, or never was one.
    InvitationForAnother
        Somebody else is signed in.
    ValueRefused
        The name or password is missing or not fit to be one.
    DuplicateMembership
        The person was given roles there meanwhile.
    """
    shown = await queries.invitation_shown(session, token)
    user_id = await queries.user_of_email(session, shown.email)
    if viewer is not None and user_id != viewer.principal_id:
        raise InvitationForAnother
    if viewer is None and user_id is not None:
        refusal = await _refusal_of(session, shown.email, password)
        if refusal is not None:
            return refusal
    async with platform_scope(session):
        row = await _locked_open(session, token)
        if user_id is None:
            user_id = await _new_account(session, row.email, display_name, password, now=now)
        membership_id = await add_membership(session, user_id, row.party_id, [Role(one) for one in row.roles], now=now)
        row.accepted_by, row.accepted_at = user_id, wall_now()
        session.add(row)
    joined = await queries.viewer_for(session, user_id, row.party_id)
    assert joined is not None, "the membership was just begun"
    await act_as(session, joined, now=now)
    await _write_down(session, joined, "parties.invitation_accepted", row, now=now)
    return Joined(user_id, PartyId(row.party_id), membership_id)


async def _refusal_of(
    session: AsyncSession, email: str, password: str | None
) -> ProofRefused | SecondFactorNeeded | None:
    if password is None:
        raise ValueRefused(field="password", why="needed from a person who is not signed in")
    proved = await prove_password(session, email, password)
    if proved is None:
        return ProofRefused()
    return SecondFactorNeeded() if proved.is_enrolled else None


async def _new_account(
    session: AsyncSession, email: str, display_name: str | None, password: str | None, *, now: datetime
) -> UserId:
    for field, value in (("display_name", display_name), ("password", password)):
        if value is None:
            raise ValueRefused(field=field, why="needed for a new account")
    return await create_user(session, email=email, display_name=display_name or "", password=password, now=now)


async def _locked_open(session: AsyncSession, token: str) -> Invitation:
    found = await session.execute(
        select(Invitation).where(col(Invitation.token_digest) == token_digest(token)).with_for_update()
    )
    row = found.scalar_one_or_none()
    if row is None:
        raise InvitationOver
    await session.refresh(row)
    if not queries.is_open(row, wall_at=wall_now()):
        raise InvitationOver
    return row


async def _withdraw(session: AsyncSession, organisation_id: UUID, email: str) -> None:
    await session.execute(
        update(Invitation)
        .where(
            col(Invitation.party_id) == organisation_id,
            col(Invitation.email) == email,
            col(Invitation.accepted_at).is_(None),
            col(Invitation.withdrawn_at).is_(None),
        )
        .values(withdrawn_at=wall_now())
    )


async def _open_count(session: AsyncSession, organisation_id: UUID) -> int:
    counted = await session.execute(
        select(func.count()).where(
            col(Invitation.party_id) == organisation_id,
            col(Invitation.accepted_at).is_(None),
            col(Invitation.withdrawn_at).is_(None),
            col(Invitation.expires_at) > wall_now(),
        )
    )
    return counted.scalar_one()


async def _is_member(session: AsyncSession, email: str, organisation_id: UUID) -> bool:
    user_id = await queries.user_of_email(session, email)
    return user_id is not None and await queries.viewer_for(session, user_id, organisation_id) is not None


async def _has_administrator(session: AsyncSession, organisation_id: UUID) -> bool:
    found = await session.execute(
        text(
            "SELECT 1 FROM parties.membership WHERE party_id = :party_id AND ended_at IS NULL"
            " AND roles && ARRAY['owner', 'admin']::varchar[] LIMIT 1"
        ),
        {"party_id": organisation_id},
    )
    return found.scalar_one_or_none() is not None


async def _write_down(session: AsyncSession, viewer: Viewer, action: str, row: Invitation, *, now: datetime) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[row.party_id],
        object_kind="invitation",
        object_id=str(row.id),
        now=now,
    )
