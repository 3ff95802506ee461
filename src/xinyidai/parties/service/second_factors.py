"""Second factors: enrolling one, checking its codes, giving it up."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.foundation.cipher import Cipher
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.settings import settings
from xinyidai.parties import queries
from xinyidai.parties.models import RecoveryCode, SecondFactor
from xinyidai.parties.rules import (
    Enrolment,
    EnrolmentNeeded,
    NotEnrolled,
    ProofRefused,
    SecondFactorDemanded,
    SignInStale,
    code_digest,
    demands_second_factor,
    enrolment_of,
    matching_step,
    new_recovery_codes,
    new_secret,
)
from xinyidai.parties.service.attempts import settle


async def begin_enrolment(session: AsyncSession, viewer: Viewer) -> Enrolment:
    """Return a new secret for the viewer's authenticator; the old one stays in force until the new one is confirmed."""
    return await offer_secret(session, viewer.principal_id, replaces=True)


async def confirm_enrolment(session: AsyncSession, viewer: Viewer, code: str, *, now: datetime) -> tuple[str, ...]:
    """Put the offered secret into force by its first code; return the recovery codes, shown this once.

    Raises
    ------
    NotEnrolled
        No enrolment was begun.
    ProofRefused
        The code is not the offered secret's.
    """
    codes = await take_secret(session, viewer.principal_id, code, replaces=True)
    await _write_down(session, viewer, "parties.second_factor_enrolled", now=now)
    return codes


async def renew_recovery_codes(session: AsyncSession, viewer: Viewer, *, now: datetime) -> tuple[str, ...]:
    """Return new recovery codes, shown this once, instead of all earlier ones.

    Raises
    ------
    NotEnrolled
        The viewer has no second factor.
    """
    async with platform_scope(session):
        row = await locked_second_factor(session, viewer.principal_id)
        if row is None or row.secret is None:
            raise NotEnrolled
        codes = await _new_codes(session, viewer.principal_id)
    await _write_down(session, viewer, "parties.recovery_codes_renewed", now=now)
    return codes


async def disable_second_factor(session: AsyncSession, viewer: Viewer, *, now: datetime) -> None:
    """Give the viewer's second factor up.

    Raises
    ------
    NotEnrolled
        There is none.
    SecondFactorDemanded
        An organisation of the viewer demands it.
    """
    held = await queries.organisations_of(session, viewer.principal_id)
    if is_demanded_by(one.kind for one in held):
        raise SecondFactorDemanded
    async with platform_scope(session):
        row = await locked_second_factor(session, viewer.principal_id)
        if row is None or row.secret is None:
            raise NotEnrolled
        await remove_second_factor(session, viewer.principal_id)
    await _write_down(session, viewer, "parties.second_factor_disabled", now=now)


def is_demanded_by(kinds: Iterable[OrganisationKind]) -> bool:
    """Say whether people of one of these kinds must have a second factor, by the settings of this platform."""
    return demands_second_factor(kinds, is_demanded=settings().staff_second_factor)


async def requires_enrolment(session: AsyncSession, user_id: UUID, kind: OrganisationKind) -> None:
    """Refuse with `EnrolmentNeeded` who may not act for this kind of organisation without a second factor."""
    if is_demanded_by([kind]) and not await queries.is_enrolled(session, user_id):
        raise EnrolmentNeeded


async def passes(session: AsyncSession, user_id: UUID, code: str) -> bool:
    """Check a one-time code or a recovery code and use it up; a wrong one counts as a wrong password does.

    Locks the second factor, then the account, so of two that present one code at once only the first passes. The
    caller must let its transaction commit, or neither the failure nor the use is kept.
    """
    async with platform_scope(session):
        row = await locked_second_factor(session, user_id)
        if row is None or row.secret is None:
            return False
        secret = _cipher().open(row.secret, bound_to=user_id.bytes).decode()
        step = matching_step(secret, code, wall_at=wall_now(), last_step=row.last_step)
        kept = None if step is not None else await unspent_code(session, user_id, code)
        if not await settle(session, user_id, is_right=step is not None or kept is not None):
            return False
        if step is not None:
            row.last_step = step
            session.add(row)
        if kept is not None:
            kept.spent_at = wall_now()
            session.add(kept)
    return True


async def offer_secret(session: AsyncSession, user_id: UUID, *, replaces: bool) -> Enrolment:
    """Keep a new secret until its first code comes; without `replaces` only for a person who has no second factor.

    Raises
    ------
    SignInStale
        The person has a second factor by now.
    """
    secret = new_secret()
    sealed = _cipher().seal(secret.encode(), bound_to=user_id.bytes)
    async with platform_scope(session):
        await session.execute(insert(SecondFactor).values(user_id=user_id).on_conflict_do_nothing())
        row = await locked_second_factor(session, user_id)
        assert row is not None, "just written"
        if row.secret is not None and not replaces:
            raise SignInStale
        row.offered_secret = sealed
        session.add(row)
    return enrolment_of(secret, email=await queries.email_of(session, user_id))


async def take_secret(session: AsyncSession, user_id: UUID, code: str, *, replaces: bool) -> tuple[str, ...]:
    """Put the offered secret into force by its first code, which is thereby used; return new recovery codes."""
    async with platform_scope(session):
        row = await locked_second_factor(session, user_id)
        if row is None or row.offered_secret is None:
            raise NotEnrolled
        if row.secret is not None and not replaces:
            raise SignInStale
        secret = _cipher().open(row.offered_secret, bound_to=user_id.bytes).decode()
        step = matching_step(secret, code, wall_at=wall_now(), last_step=None)
        if step is None:
            raise ProofRefused
        row.secret, row.offered_secret = row.offered_secret, None
        row.last_step, row.enrolled_at = step, wall_now()
        session.add(row)
        return await _new_codes(session, user_id)


async def remove_second_factor(session: AsyncSession, user_id: UUID) -> None:
    """Remove a second factor and its recovery codes; needs platform scope."""
    gone = {"secret": None, "offered_secret": None, "last_step": None, "enrolled_at": None}
    await session.execute(update(SecondFactor).where(col(SecondFactor.user_id) == user_id).values(gone))
    await _spend_all(session, user_id)


async def locked_second_factor(session: AsyncSession, user_id: UUID) -> SecondFactor | None:
    """Lock and return a person's row, also one that was never confirmed; needs platform scope."""
    return await session.get(SecondFactor, user_id, with_for_update=True, populate_existing=True)


async def unspent_code(session: AsyncSession, user_id: UUID, code: str) -> RecoveryCode | None:
    """Return the recovery code that was typed, if it is one and unspent; needs platform scope."""
    found = await session.execute(
        select(RecoveryCode).where(
            col(RecoveryCode.user_id) == user_id,
            col(RecoveryCode.code_digest) == code_digest(code, key=code_key(user_id)),
            col(RecoveryCode.spent_at).is_(None),
        )
    )
    return found.scalar_one_or_none()


async def _new_codes(session: AsyncSession, user_id: UUID) -> tuple[str, ...]:
    await _spend_all(session, user_id)
    codes, key, wall_at = new_recovery_codes(), code_key(user_id), wall_now()
    session.add_all(
        RecoveryCode(user_id=user_id, code_digest=code_digest(code, key=key), created_at=wall_at) for code in codes
    )
    await session.flush()
    return codes


async def _spend_all(session: AsyncSession, user_id: UUID) -> None:
    await session.execute(
        update(RecoveryCode)
        .where(col(RecoveryCode.user_id) == user_id, col(RecoveryCode.spent_at).is_(None))
        .values(spent_at=wall_now())
    )


def code_key(user_id: UUID) -> bytes:
    """Return the key of the digests of one person's codes."""
    return settings().secret(f"codes of {user_id}")


def _cipher() -> Cipher:
    return Cipher(settings().secret("second factor"))


async def _write_down(session: AsyncSession, viewer: Viewer, action: str, *, now: datetime) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[],
        object_kind="user",
        object_id=str(viewer.principal_id),
        now=now,
    )
