"""Jobs of decisions: what is past its retention becomes unreadable."""

from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.decisions import service
from xinyidai.foundation.timetable import Rhythm, every

log = structlog.get_logger()


@every(Rhythm.DAY, name="decisions.end_retentions", finds=service.keys_past_shortest_retention)
async def end_retentions(session: AsyncSession, now: datetime) -> None:
    """Destroy the keys of subjects about whom nothing is within its retention."""
    await act_as_platform(session, now=now)
    destroyed = await service.end_retentions(session, now=now)
    if destroyed:
        log.info("keys_destroyed", keys=destroyed)
