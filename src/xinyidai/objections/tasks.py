"""What time does to objections: who owes an answer since before today is noted."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.timetable import Rhythm, every
from xinyidai.objections import service


@every(Rhythm.HOUR, name="objections.note_overdue", finds=service.overdue_objections)
async def note_overdue(session: AsyncSession, now: datetime) -> None:
    """Note overdue objections; what one run leaves, the next takes."""
    await act_as_platform(session, now=now)
    await service.note_overdue_objections(session, now=now)


@every(Rhythm.HOUR, name="objections.note_overdue_repairs", finds=service.overdue_repairs)
async def note_overdue_repairs(session: AsyncSession, now: datetime) -> None:
    """Note overdue repairs; what one run leaves, the next takes."""
    await act_as_platform(session, now=now)
    await service.note_overdue_repairs(session, now=now)
