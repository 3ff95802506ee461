"""Time, and a batch before, wake the purge."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.outbox import Envelope, consumes
from xinyidai.foundation.timetable import Rhythm, every
from xinyidai.sources import service
from xinyidai.sources.events import PurgeGoesOn


@every(Rhythm.DAY, name="sources.purge", finds=service.past_keeping)
async def purge(session: AsyncSession, now: datetime) -> None:
    """Delete a batch of facts and rows kept aside that nothing lets the platform keep any longer."""
    await act_as_platform(session, now=now)
    await service.purge_due(session, now=now)


@consumes(PurgeGoesOn, name="sources.purge_on")
async def purge_on(session: AsyncSession, envelope: Envelope) -> None:
    """Delete the next batch: a batch is small so that grants and deliveries never wait long for it."""
    await act_as_platform(session, now=envelope.delivered_at)
    after = UUID(envelope.body["after"]) if envelope.body["after"] else None
    await service.purge_due(session, after=after, now=envelope.delivered_at)
