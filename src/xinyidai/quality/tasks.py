"""What wakes the room: every delivery, and time."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.outbox import Envelope, consumes
from xinyidai.foundation.timetable import Rhythm, every
from xinyidai.quality import service
from xinyidai.quality.events import LinkingGoesOn
from xinyidai.sources.events import DeliveryLoaded


@consumes(DeliveryLoaded, name="quality.judge_delivery")
async def judge_delivery(session: AsyncSession, envelope: Envelope) -> None:
    """Judge what was just loaded; judging twice finds nothing left to do."""
    await act_as_platform(session, now=envelope.delivered_at)
    await service.judge_delivery(session, envelope.id_of("delivery_id"), now=envelope.delivered_at)


@every(Rhythm.HOUR, name="quality.link_firms", finds=service.unlinked_deliveries, comes_last=True)
async def link_firms(session: AsyncSession, now: datetime) -> None:
    """Judge firms over all their rows and sources after new deliveries."""
    await act_as_platform(session, now=now)
    await service.link_firms(session, now=now)


@consumes(LinkingGoesOn, name="quality.link_on")
async def link_on(session: AsyncSession, envelope: Envelope) -> None:
    """Judge the firms of the next deliveries that wait: an hour may bring more than one run takes."""
    await act_as_platform(session, now=envelope.delivered_at)
    await service.link_firms(session, now=envelope.delivered_at)


@every(Rhythm.WEEK, name="quality.note_silence", finds=service.heard_before, comes_last=True)
async def note_silence(session: AsyncSession, now: datetime) -> None:
    """Find the sources that fell silent."""
    await act_as_platform(session, now=now)
    await service.note_silence(session, now=now)


@every(Rhythm.DAY, name="quality.end_waivers", finds=service.ended_waivers)
async def end_waivers(session: AsyncSession, now: datetime) -> None:
    """Open the findings again whose waiver has ended."""
    await act_as_platform(session, now=now)
    await service.end_waivers(session, now=now)


@every(Rhythm.DAY, name="quality.withdraw_findings", finds=service.findings_of_ended_rules, comes_last=True)
async def withdraw_findings(session: AsyncSession, now: datetime) -> None:
    """Withdraw the open findings of rules that are in force no longer."""
    await act_as_platform(session, now=now)
    await service.withdraw_findings(session, now=now)
