"""Whom a sandbox's time waits for: signed-in people with something to do, and firms that wait for banks."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import platform_scope
from xinyidai.foundation.clock import wall_now
from xinyidai.matching import queries as matching
from xinyidai.parties import queries as parties
from xinyidai.risk_sharing import queries as risk_sharing

PRESENT_FOR: Final = timedelta(minutes=2)
"""Wall time after a person's last request in which time may wait for them."""


@dataclass(frozen=True)
class Pending:
    """Organisations that somebody is signed in for: those that are to act, and firms that wait for banks; or both."""

    to_act: tuple[UUID, ...]
    waiting: tuple[UUID, ...]


async def pending(session: AsyncSession, *, now: datetime) -> Pending:
    """Return whom the time should wait for, each in order of id."""
    async with platform_scope(session):
        present = sorted(await parties.organisations_present(session, since=wall_now() - PRESENT_FOR))
        if not present:
            return Pending((), ())
        to_act = await matching.organisations_to_act(session, present, now=now)
        to_act |= await risk_sharing.funds_to_act(session, present)
        waiting = await matching.firms_waiting(session, present)
    return Pending(tuple(sorted(to_act)), tuple(sorted(waiting)))
