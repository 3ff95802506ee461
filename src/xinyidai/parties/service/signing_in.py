"""Signing in with a password. What fails looks the same and takes the same time, whatever failed."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as
from xinyidai.audit import service as audit
from xinyidai.foundation.clock import wall_now
from xinyidai.parties import queries
from xinyidai.parties.rules import MAX_PASSWORD, OrganisationToChoose, SignedIn, SignInRefused, UserId
from xinyidai.parties.service.passwords import is_right_password

MAX_FAILURES = 5
LOCKED_FOR = timedelta(minutes=15)

_CREDENTIAL = text("SELECT user_id, password_hash FROM parties.credential_of(:email)")
_SETTLE = text("SELECT parties.settle_attempt(:user_id, :is_right, :wall_at, :max_failures, :locked_for)")
_REHASH = text("SELECT parties.change_password_hash(:user_id, :new_hash)")


async def sign_in(
    session: AsyncSession, email: str, password: str, *, organisation_id: UUID | None = None, now: datetime
) -> SignedIn | SignInRefused | OrganisationToChoose:
    """Check a password and return the viewer it makes, acting for the organisation or for the person's only one.

    A refusal is returned, not raised, because the count of failures must be committed first: the caller raises it
    after the transaction. After MAX_FAILURES wrong passwords in a row the account is shut for LOCKED_FOR of wall
    time, to the right password too.
    """
    user_id = await _proved(session, email, password)
    if user_id is None:
        return SignInRefused()
    held = await queries.organisations_of(session, user_id)
    if organisation_id is None and len(held) > 1:
        return OrganisationToChoose(organisation_ids=[str(one.party_id) for one in held])
    chosen = organisation_id or (held[0].party_id if held else None)
    viewer = await queries.viewer_for(session, user_id, chosen) if chosen else None
    if viewer is None:
        return SignInRefused()
    await act_as(session, viewer, now=now)
    await audit.write_down(
        session,
        viewer,
        action="parties.signed_in",
        subject_ids=[],
        object_kind="user",
        object_id=str(user_id),
        now=now,
    )
    return SignedIn(user_id=user_id, viewer=viewer, organisations=tuple(held))


async def _proved(session: AsyncSession, email: str, password: str) -> UserId | None:
    """Return whose email and password these are.

    The hash is checked before the row is locked, so no lock is held for 150 ms of argon2; the outcome is then counted
    under the lock, so of a hundred guesses sent at once only those before the fifth failure can pass.
    """
    folded = email.strip().lower()
    found = (await session.execute(_CREDENTIAL, {"email": folded})).one_or_none()
    typed = password[: MAX_PASSWORD + 1]
    is_right, rehashed = await is_right_password(typed, found.password_hash if found else None)
    if found is None:
        return None
    passed = await session.execute(
        _SETTLE,
        {
            "user_id": found.user_id,
            "is_right": is_right,
            "wall_at": wall_now(),
            "max_failures": MAX_FAILURES,
            "locked_for": LOCKED_FOR,
        },
    )
    if not passed.scalar_one():
        return None
    if rehashed is not None:
        await session.execute(_REHASH, {"user_id": found.user_id, "new_hash": rehashed})
    return UserId(found.user_id)
