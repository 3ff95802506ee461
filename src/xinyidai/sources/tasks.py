"""What wakes the room: its own deliveries, to be sealed."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.outbox import Envelope, consumes
from xinyidai.foundation.timetable import Rhythm, every
from xinyidai.sources import service
from xinyidai.sources.events import DeliveryLoaded


@consumes(DeliveryLoaded, name="sources.seal_delivery")
async def seal_delivery(session: AsyncSession, envelope: Envelope) -> None:
    """Seal what was just loaded; sealing twice finds nothing left to do."""
    await act_as_platform(session, now=envelope.delivered_at)
    await service.seal_facts(session, now=envelope.delivered_at)


@every(Rhythm.HOUR, name="sources.seal_facts")
async def seal_what_is_left(session: AsyncSession, now: datetime) -> None:
    """Seal deliveries whose event was lost or whose sealing failed."""
    await act_as_platform(session, now=now)
    await service.seal_facts(session, now=now)
