"""What acceptances and days do to loans."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.outbox import Envelope, consumes
from xinyidai.foundation.timetable import Rhythm, every
from xinyidai.loans import service
from xinyidai.matching.events import AcceptanceLapsed, OfferAccepted


@consumes(OfferAccepted, name="loans.open_line")
async def open_line(session: AsyncSession, envelope: Envelope) -> None:
    """Write down the credit line of an accepted offer."""
    await act_as_platform(session, now=envelope.delivered_at)
    await service.open_line(session, envelope.id_of("offer_id"))


@consumes(AcceptanceLapsed, name="loans.lapse_line")
async def lapse_line(session: AsyncSession, envelope: Envelope) -> None:
    """Close the credit line of an acceptance that lapsed."""
    await act_as_platform(session, now=envelope.delivered_at)
    await service.lapse_line(session, envelope.id_of("offer_id"))


@every(Rhythm.DAY, name="loans.count_days_past_due", finds=service.loans_to_count)
async def count_days_past_due(session: AsyncSession, now: datetime) -> None:
    """Count days past due of every loan that may be late."""
    await act_as_platform(session, now=now)
    await service.count_days_past_due(session, now=now)
