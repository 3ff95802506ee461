"""Time, and a batch before, wake the purge."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.outbox import Envelope, consumes
from xinyidai.foundation.timetable import Rhythm, every
from xinyidai.sources import service
from xinyidai.sources.events import FactsPurged


@every(Rhythm.DAY, name="sources.purge", finds=service.past_keeping)
async def purge(session: AsyncSession, now: datetime) -> None:
    """Delete a batch of facts and rows kept aside that nothing lets the platform keep any longer."""
    await act_as_platform(session, now=now)
    await service.purge_due(session, now=now)


@consumes(FactsPurged, name="sources.purge_on")
async def purge_on(session: AsyncSession, envelope: Envelope) -> None:
    """Delete the next batch, if there is one: a batch is small so that grants and deliveries never wait for it."""
    await act_as_platform(session, now=envelope.delivered_at)
    await service.purge_due(session, now=envelope.delivered_at)
