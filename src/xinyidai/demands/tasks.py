"""What time does to demands."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.demands import service
from xinyidai.foundation.timetable import Rhythm, every


@every(Rhythm.HOUR, name="demands.expire", finds=service.overdue)
async def expire(session: AsyncSession, now: datetime) -> None:
    """End demands whose last day is past; what one run leaves, the next takes."""
    await act_as_platform(session, now=now)
    await service.expire_due(session, now=now)
