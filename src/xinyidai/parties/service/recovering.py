"""Recovering an account whose password or second factor is lost."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer, requires_role, requires_two_people
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.outbox import announce
from xinyidai.foundation.settings import settings
from xinyidai.parties import queries
from xinyidai.parties.events import AccountRecovered, AccountRecoveryAsked
from xinyidai.parties.models import AccountRecovery, SimulatedText
from xinyidai.parties.rules import (
    ASKING_LASTS,
    LINK_LASTS,
    MESSAGE_LASTS,
    AccountRecoveryNeedsOperator,
    AccountRecoveryOver,
    AccountRecoveryRefused,
    RecoveryKind,
    RecoveryLink,
    UserId,
    checked_email,
    checked_password,
    code_digest,
    may_recover_alone,
    new_message_code,
    new_token,
    recovery_kind,
    token_digest,
)
from xinyidai.parties.service.attempts import set_password, settle
from xinyidai.parties.service.passwords import is_right_password
from xinyidai.parties.service.people import ADMINISTRATORS
from xinyidai.parties.service.second_factors import (
    code_key,
    locked_second_factor,
    remove_second_factor,
    unspent_code,
)
from xinyidai.parties.service.sessions import end_sessions, lock_sessions


async def ask_recovery(session: AsyncSession, viewer: Viewer, *, email: str, now: datetime) -> UUID:
    """Ask for a person's account to be recovered, instead of any earlier asking; another administrator confirms.

    An administrator asks for a member who belongs to no other organisation; the operator's for anybody.

    Raises
    ------
    NotFound
        Nobody by this email whom the viewer may recover.
    AccountRecoveryNeedsOperator
        The person belongs to other organisations too.
    SamePersonTwice
        The viewer asks for themselves.
    """
    requires_role(viewer, *ADMINISTRATORS)
    user_id = await queries.user_of_email(session, checked_email(email))
    if user_id is None:
        raise NotFound
    requires_two_people(viewer.principal_id, user_id)
    kind = await _kind(session, viewer, user_id)
    async with platform_scope(session):
        await _end_earlier(session, user_id, RecoveryKind.DESK, RecoveryKind.OPERATOR)
        wall_at = wall_now()
        row = AccountRecovery(
            kind=kind.value,
            user_id=user_id,
            party_id=viewer.organisation_id,
            asked_by=viewer.principal_id,
            asked_at=wall_at,
            expires_at=wall_at + ASKING_LASTS,
        )
        session.add(row)
    await announce(session, AccountRecoveryAsked(str(row.id), str(user_id), kind.value), occurred_at=now)
    await _write_down(session, viewer, "parties.recovery_asked", row, now=now)
    return row.id


async def confirm_recovery(session: AsyncSession, viewer: Viewer, recovery_id: UUID, *, now: datetime) -> RecoveryLink:
    """Confirm what another administrator of the same desk asked; return the one-time link, shown this once.

    The link lasts LINK_LASTS of wall time and is handed to the person outside the platform.

    Raises
    ------
    NotFound
        No such recovery at the viewer's desk.
    AccountRecoveryOver
        It was confirmed, replaced or has expired.
    SamePersonTwice
        The viewer asked it, or is the person.
    """
    requires_role(viewer, *ADMINISTRATORS)
    token, wall_at = new_token(), wall_now()
    async with platform_scope(session):
        row = await session.get(AccountRecovery, recovery_id, with_for_update=True, populate_existing=True)
        if row is None or row.party_id != viewer.organisation_id or row.asked_by is None:
            raise NotFound
        if row.confirmed_by is not None or not _is_open(row, wall_at=wall_at):
            raise AccountRecoveryOver
        requires_two_people(viewer.principal_id, row.asked_by)
        requires_two_people(viewer.principal_id, row.user_id)
        await _kind(session, viewer, row.user_id)
        row.confirmed_by, row.secret_digest, row.expires_at = (
            viewer.principal_id,
            token_digest(token),
            wall_at + LINK_LASTS,
        )
        session.add(row)
    await _write_down(session, viewer, "parties.recovery_confirmed", row, now=now)
    return RecoveryLink(row.id, token, row.expires_at)


async def complete_recovery(session: AsyncSession, token: str, *, password: str, now: datetime) -> None:
    """Set a new password by a recovery's link: the second factor is removed, all sessions end. Needs no scope.

    Locks the recovery, then sessions, second factor and account; of two at the same moment one succeeds.

    Raises
    ------
    AccountRecoveryOver
        Used, replaced, expired, never made, or the person has joined another organisation since.
    ValueRefused
        The password is not fit to be one.
    """
    checked_password(password)
    async with platform_scope(session):
        found = await session.execute(
            select(AccountRecovery).where(col(AccountRecovery.secret_digest) == token_digest(token)).with_for_update()
        )
        row = found.scalar_one_or_none()
        if row is None:
            raise AccountRecoveryOver
        await session.refresh(row)
        if not _is_open(row, wall_at=wall_now()) or not await _still_theirs(session, row):
            raise AccountRecoveryOver
        await lock_sessions(session, row.user_id)
        await locked_second_factor(session, row.user_id)
        await remove_second_factor(session, row.user_id)
        await _renew(session, row.user_id, password)
        row.used_at = row.ended_at = wall_now()
        session.add(row)
        await announce(session, AccountRecovered(str(row.id), str(row.user_id), row.kind), occurred_at=now)
        await _write_down(session, None, "parties.account_recovered", row, now=now)


async def send_recovery_code(session: AsyncSession, *, email: str, now: datetime) -> None:
    """Send a one-time code to a person of a one-person desk: in a sandbox only, as a simulated text message.

    The answer is the same whether the email has an account or not. Needs no scope.

    Raises
    ------
    AccountRecoveryNeedsOperator
        This is no sandbox: nothing is connected that could send a message, so two people of the operator must help.
    """
    if not settings().sandbox:
        raise AccountRecoveryNeedsOperator
    user_id = await _alone(session, email)
    if user_id is None:
        return
    code, wall_at = new_message_code(), wall_now()
    async with platform_scope(session):
        await _end_earlier(session, user_id, RecoveryKind.MESSAGE)
        row = AccountRecovery(
            kind=RecoveryKind.MESSAGE.value,
            user_id=user_id,
            asked_at=wall_at,
            secret_digest=code_digest(code, key=code_key(user_id)),
            expires_at=wall_at + MESSAGE_LASTS,
        )
        session.add(row)
        session.add(
            SimulatedText(
                user_id=user_id,
                text_zh=f"【信易贷】您的账户恢复验证码为 {code}，10 分钟内有效。如非本人操作，请忽略。",
                text_en=f"xinyidai: your recovery code is {code}, valid for 10 minutes. Not you? Ignore this.",
                sent_at=wall_at,
            )
        )
        await session.flush()
        await announce(session, AccountRecoveryAsked(str(row.id), str(user_id), row.kind), occurred_at=now)
        await _write_down(session, None, "parties.recovery_asked", row, now=now)


async def recover_alone(
    session: AsyncSession, *, email: str, code: str, password: str, now: datetime
) -> AccountRecoveryRefused | None:
    """Set a new password by a recovery code, or in a sandbox by the code of a message; all sessions end.

    For people of one-person desks only. The second factor stays: the next sign-in asks for its code, or for another
    recovery code. A refusal is returned, not raised, because failures must be committed; it is the same for an unknown
    email, a wrong code, a shut account and a person whose desk recovers them. Needs no scope.

    Raises
    ------
    ValueRefused
        The password is not fit to be one.
    """
    checked_password(password)
    user_id = await _alone(session, email)
    if user_id is None:
        # The same work as setting a password, so that the time tells nothing of the email.
        await is_right_password(password, None)
        return AccountRecoveryRefused()
    async with platform_scope(session):
        await lock_sessions(session, user_id)
        await locked_second_factor(session, user_id)
        kept, sent = await unspent_code(session, user_id, code), await _sent(session, user_id, code)
        if not await settle(session, user_id, is_right=kept is not None or sent is not None):
            await is_right_password(password, None)
            return AccountRecoveryRefused()
        for used in (one for one in (kept, sent) if one is not None):
            session.add(used)
        if kept is not None:
            kept.spent_at = wall_now()
        if sent is not None:
            sent.used_at = sent.ended_at = wall_now()
        await _renew(session, user_id, password)
        recovery_id = str(sent.id) if sent is not None else ""
        await announce(session, AccountRecovered(recovery_id, str(user_id), "code"), occurred_at=now)
        await audit.write_down(
            session,
            None,
            action="parties.account_recovered",
            subject_ids=[],
            object_kind="user",
            object_id=str(user_id),
            now=now,
        )
    return None


async def _kind(session: AsyncSession, viewer: Viewer, user_id: UUID) -> RecoveryKind:
    """Return in which capacity the viewer's desk recovers a person; somebody who is not theirs does not exist."""
    held = [one.party_id for one in await queries.organisations_of(session, user_id)]
    is_operator = viewer.is_one_of(OrganisationKind.OPERATOR)
    if viewer.organisation_id not in held and not is_operator:
        raise NotFound
    return recovery_kind(viewer.organisation_id, is_operator=is_operator, held=held)  # type: ignore[arg-type]


async def _still_theirs(session: AsyncSession, row: AccountRecovery) -> bool:
    held = {one.party_id for one in await queries.organisations_of(session, row.user_id)}
    return row.kind == RecoveryKind.OPERATOR or held == {row.party_id}


async def _alone(session: AsyncSession, email: str) -> UserId | None:
    """Return the account of an email if its person may recover it by a code alone."""
    user_id = await queries.user_of_email(session, email.strip().lower())
    if user_id is None:
        return None
    held = await queries.organisations_of(session, user_id)
    return user_id if may_recover_alone([one.kind for one in held]) else None


async def _sent(session: AsyncSession, user_id: UUID, code: str) -> AccountRecovery | None:
    found = await session.execute(
        select(AccountRecovery)
        .where(
            col(AccountRecovery.user_id) == user_id,
            col(AccountRecovery.kind) == RecoveryKind.MESSAGE,
            col(AccountRecovery.secret_digest) == code_digest(code, key=code_key(user_id)),
            col(AccountRecovery.ended_at).is_(None),
            col(AccountRecovery.expires_at) > wall_now(),
        )
        .with_for_update()
    )
    return found.scalar_one_or_none()


async def _renew(session: AsyncSession, user_id: UUID, password: str) -> None:
    await end_sessions(session, user_id)
    await set_password(session, user_id, password)


async def _end_earlier(session: AsyncSession, user_id: UUID, *kinds: RecoveryKind) -> None:
    await session.execute(
        update(AccountRecovery)
        .where(
            col(AccountRecovery.user_id) == user_id,
            col(AccountRecovery.kind).in_([kind.value for kind in kinds]),
            col(AccountRecovery.ended_at).is_(None),
        )
        .values(ended_at=wall_now())
    )


def _is_open(row: AccountRecovery, *, wall_at: datetime) -> bool:
    return row.ended_at is None and row.expires_at > wall_at


async def _write_down(
    session: AsyncSession, viewer: Viewer | None, action: str, row: AccountRecovery, *, now: datetime
) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[row.party_id] if row.party_id is not None else [],
        object_kind="account_recovery",
        object_id=str(row.id),
        now=now,
    )
