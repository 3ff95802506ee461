"""What wakes matching: submitted and ended demands, noes and silences, consents and authorities taken back, time."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.consents.events import ConsentRevoked, ItemWithdrawn
from xinyidai.consents.rules import Purpose
from xinyidai.demands import service as demands
from xinyidai.demands.events import DemandExpired, DemandSubmitted, DemandWithdrawn
from xinyidai.demands.rules import DemandState
from xinyidai.foundation.outbox import Envelope, consumes
from xinyidai.foundation.timetable import Rhythm, every
from xinyidai.matching import service
from xinyidai.matching.events import DispatchDeclined, DispatchTimedOut
from xinyidai.matching.rules.states import DispatchPath


@consumes(DemandSubmitted, name="matching.match")
async def match_submitted(session: AsyncSession, envelope: Envelope) -> None:
    """Match a demand once; a repeated delivery, or one withdrawn meanwhile, finds nothing to do."""
    await act_as_platform(session, now=envelope.delivered_at)
    demand = await demands.lock(session, envelope.id_of("demand_id"))
    if demand.state is DemandState.SUBMITTED:
        await service.match(session, demand.id, now=envelope.delivered_at)


@consumes(DemandWithdrawn, name="matching.end_withdrawn")
async def end_withdrawn(session: AsyncSession, envelope: Envelope) -> None:
    """End dispatches and offers of a withdrawn demand."""
    await act_as_platform(session, now=envelope.delivered_at)
    await service.end_for_demand(session, envelope.id_of("demand_id"), now=envelope.delivered_at)


@consumes(DemandExpired, name="matching.end_expired")
async def end_expired(session: AsyncSession, envelope: Envelope) -> None:
    """End dispatches and offers of an expired demand."""
    await act_as_platform(session, now=envelope.delivered_at)
    await service.end_for_demand(session, envelope.id_of("demand_id"), now=envelope.delivered_at)


@consumes(DispatchDeclined, name="matching.replace_declined")
async def replace_declined(session: AsyncSession, envelope: Envelope) -> None:
    """Ask the next lender after a no."""
    await _replace(session, envelope, DispatchPath.AFTER_DECLINE)


@consumes(DispatchTimedOut, name="matching.replace_timed_out")
async def replace_timed_out(session: AsyncSession, envelope: Envelope) -> None:
    """Ask the next lender after a silence."""
    await _replace(session, envelope, DispatchPath.AFTER_TIMEOUT)


@consumes(ConsentRevoked, name="matching.end_without_consent")
async def end_without_consent(session: AsyncSession, envelope: Envelope) -> None:
    """End dispatches to lenders that the firm's consent, or its authority for a credit query, no longer covers."""
    await act_as_platform(session, now=envelope.delivered_at)
    if envelope.body["purpose"] == Purpose.PRE_LOAN:
        await service.end_without_consent(session, envelope.id_of("subject_id"), now=envelope.delivered_at)
    if envelope.body["purpose"] == Purpose.CREDIT_QUERY:
        await service.end_without_authority(session, envelope.id_of("consent_id"), now=envelope.delivered_at)


@consumes(ItemWithdrawn, name="matching.end_without_item")
async def end_without_item(session: AsyncSession, envelope: Envelope) -> None:
    """End dispatches to lenders that what is left of the firm's consent no longer covers."""
    await act_as_platform(session, now=envelope.delivered_at)
    if envelope.body["purpose"] == Purpose.PRE_LOAN:
        await service.end_without_consent(session, envelope.id_of("subject_id"), now=envelope.delivered_at)


@every(Rhythm.HOUR, name="matching.time_out", finds=service.overdue_dispatches)
async def time_out(session: AsyncSession, now: datetime) -> None:
    """End what was not indicated or offered by its last day; what one run leaves, the next takes."""
    await act_as_platform(session, now=now)
    await service.time_out_due(session, now=now)


@every(Rhythm.HOUR, name="matching.expire_indications", finds=service.overdue_indications)
async def expire_indications(session: AsyncSession, now: datetime) -> None:
    """End indications whose time is over: their lenders were not chosen."""
    await act_as_platform(session, now=now)
    await service.expire_indications(session, now=now)


@every(Rhythm.HOUR, name="matching.expire_offers", finds=service.overdue_offers)
async def expire_offers(session: AsyncSession, now: datetime) -> None:
    """End offers whose time is over."""
    await act_as_platform(session, now=now)
    await service.expire_offers(session, now=now)


@every(Rhythm.HOUR, name="matching.lapse_acceptances", finds=service.overdue_acceptances)
async def lapse_acceptances(session: AsyncSession, now: datetime) -> None:
    """End acceptances that were not disbursed in time and free their capacity."""
    await act_as_platform(session, now=now)
    await service.lapse_due(session, now=now)


async def _replace(session: AsyncSession, envelope: Envelope, path: DispatchPath) -> None:
    await act_as_platform(session, now=envelope.delivered_at)
    await service.replace_dispatch(session, envelope.id_of("dispatch_id"), path=path, now=envelope.delivered_at)
