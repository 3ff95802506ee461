"""What wakes rights: requests, and links that end."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.outbox import Envelope, consumes
from xinyidai.foundation.timetable import Rhythm, every
from xinyidai.rights import service
from xinyidai.rights.events import RightAsked


@consumes(RightAsked, name="rights.carry_out")
async def carry_out(session: AsyncSession, envelope: Envelope) -> None:
    """Make the export, or delete what nothing holds."""
    await act_as_platform(session, now=envelope.delivered_at)
    await service.carry_out(session, envelope.id_of("request_id"), now=envelope.delivered_at)


@every(Rhythm.HOUR, name="rights.carry_out_waiting", finds=service.waiting_requests)
async def carry_out_waiting(session: AsyncSession, now: datetime) -> None:
    """Carry out what waited: for a delivery that was coming in, or because its event was lost."""
    await act_as_platform(session, now=now)
    await service.carry_out_waiting(session, now=now)


@every(Rhythm.HOUR, name="rights.end_archives", finds=service.archives_over)
async def end_archives(session: AsyncSession, now: datetime) -> None:
    """Destroy archives whose links have ended."""
    await act_as_platform(session, now=now)
    await service.end_archives(session, now=now)
