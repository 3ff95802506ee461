"""Hashing passwords with argon2id, off the event loop and a few at a time."""

from functools import cache

import anyio
from anyio.lowlevel import RunVar
from anyio.to_thread import run_sync
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from xinyidai.foundation.settings import settings

AT_ONCE = 4
"""64 MiB each at the default cost: the thread pool's own 40 would ask for 2.5 GB when many sign in at once."""

_limiter: RunVar[anyio.CapacityLimiter] = RunVar("password_limiter")


async def hash_password(password: str) -> str:
    """Return the hash to store, with the cost of the settings."""
    return await run_sync(_hasher().hash, password, limiter=_limiter_of_loop())


async def is_right_password(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Say whether the password is the stored one, and return a new hash where the cost has changed since.

    Without a stored hash the same work is done on a stand-in, so that an unknown email takes as long as a known one.
    """
    return await run_sync(_verify, password, stored, limiter=_limiter_of_loop())


def _verify(password: str, stored: str | None) -> tuple[bool, str | None]:
    try:
        is_right, rehashed = _hasher().verify_and_update(password, stored or _stand_in())
    except UnknownHashError:
        return False, None
    return (is_right, rehashed) if stored else (False, None)


@cache
def _hasher() -> PasswordHash:
    chosen = settings()
    hasher = Argon2Hasher(time_cost=chosen.argon2_time_cost, memory_cost=chosen.argon2_memory_kib, parallelism=1)
    return PasswordHash((hasher,))


@cache
def _stand_in() -> str:
    return _hasher().hash("nobody has this password")


def _limiter_of_loop() -> anyio.CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(AT_ONCE)
        _limiter.set(limiter)
        return limiter
