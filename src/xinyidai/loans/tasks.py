"""What acceptances and days do to loans."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.consents.events import ConsentRevoked, ItemWithdrawn
from xinyidai.consents.rules import Purpose
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


@consumes(ConsentRevoked, name="loans.note_ended_consent")
async def note_ended_consent(session: AsyncSession, envelope: Envelope) -> None:
    """Tell lender and fund of the firm's running loans that its post-loan consent is taken back."""
    await act_as_platform(session, now=envelope.delivered_at)
    if envelope.body["purpose"] == Purpose.POST_LOAN:
        await service.note_ended_consent(
            session, envelope.id_of("consent_id"), now=envelope.delivered_at, ended_at=envelope.occurred_at
        )


@consumes(ItemWithdrawn, name="loans.note_withdrawn_item")
async def note_withdrawn_item(session: AsyncSession, envelope: Envelope) -> None:
    """Tell them that one item of it is taken back."""
    await act_as_platform(session, now=envelope.delivered_at)
    if envelope.body["purpose"] == Purpose.POST_LOAN:
        await service.note_ended_consent(
            session,
            envelope.id_of("consent_id"),
            item_code=envelope.body["item_code"],
            now=envelope.delivered_at,
            ended_at=envelope.occurred_at,
        )


@every(Rhythm.DAY, name="loans.count_days_past_due", finds=service.loans_to_count)
async def count_days_past_due(session: AsyncSession, now: datetime) -> None:
    """Count days past due of every loan that may be late."""
    await act_as_platform(session, now=now)
    await service.count_days_past_due(session, now=now)
