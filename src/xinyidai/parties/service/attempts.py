"""Proving a password, and the one count of failures that passwords and codes of an account share."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation.clock import wall_now
from xinyidai.parties import queries
from xinyidai.parties.models import Credential
from xinyidai.parties.rules import MAX_PASSWORD, UserId, checked_password
from xinyidai.parties.service.passwords import hash_password, is_right_password

MAX_FAILURES = 5
LOCKED_FOR = timedelta(minutes=15)

_CREDENTIAL = text("SELECT user_id, password_hash FROM parties.credential_of(:email)")
_SETTLE = text("SELECT parties.settle_attempt(:user_id, :is_right, :is_last, :wall_at, :max_failures, :locked_for)")
_REHASH = text("SELECT parties.change_password_hash(:user_id, :new_hash)")


@dataclass(frozen=True)
class Proved:
    """Whose password was right, and whether a code of a second factor must follow."""

    user_id: UserId
    is_enrolled: bool


async def settle(session: AsyncSession, user_id: UUID, *, is_right: bool, is_last: bool = True) -> bool:
    """Count one proof under the lock of the account and say whether it passes; only the last one clears the count.

    After MAX_FAILURES wrong ones in a row the account is shut for LOCKED_FOR of wall time, to right ones too. The
    caller must let its transaction commit, or nothing was counted.
    """
    counted = {
        "user_id": user_id,
        "is_right": is_right,
        "is_last": is_last,
        "wall_at": wall_now(),
        "max_failures": MAX_FAILURES,
        "locked_for": LOCKED_FOR,
    }
    return bool((await session.execute(_SETTLE, counted)).scalar_one())


async def prove_password(session: AsyncSession, email: str, password: str) -> Proved | None:
    """Return whose email and password these are, None where they are nobody's or the account is shut.

    The hash is checked before the row is locked, so no lock is held for 150 ms of argon2; the outcome is then counted
    under the lock, so of a hundred guesses sent at once only those before the fifth failure can pass.
    """
    folded = email.strip().lower()
    found = (await session.execute(_CREDENTIAL, {"email": folded})).one_or_none()
    typed = password[: MAX_PASSWORD + 1]
    is_right, rehashed = await is_right_password(typed, found.password_hash if found else None)
    if found is None:
        return None
    is_enrolled = await queries.is_enrolled(session, found.user_id)
    if not await settle(session, found.user_id, is_right=is_right, is_last=not is_enrolled):
        return None
    if rehashed is not None:
        await session.execute(_REHASH, {"user_id": found.user_id, "new_hash": rehashed})
    return Proved(UserId(found.user_id), is_enrolled)


async def set_password(session: AsyncSession, user_id: UUID, password: str) -> None:
    """Set a password anew, which opens a shut account too; needs platform scope.

    Raises
    ------
    ValueRefused
        Not fit to be a password.
    """
    hashed = await hash_password(checked_password(password))
    # A person whose account was made without a password has no row yet; nobody may read whether it is there.
    fresh = insert(Credential).values(user_id=user_id, password_hash=hashed, failures=0).on_conflict_do_nothing()
    await session.execute(fresh)
    await session.execute(_REHASH, {"user_id": user_id, "new_hash": hashed})
