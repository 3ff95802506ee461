"""Jobs of partners: what is kept for the retries of API clients is kept for a while only."""

from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.idempotency import forget_answers, old_answers
from xinyidai.foundation.timetable import Rhythm, every

log = structlog.get_logger()


@every(Rhythm.HOUR, name="partners.forget_answers", finds=old_answers)
async def forget_old_answers(session: AsyncSession, now: datetime) -> None:
    """Forget answers to money calls that nobody retries any more."""
    await act_as_platform(session, now=now)
    forgotten = await forget_answers(session, wall_at=wall_now())
    if forgotten:
        log.info("answers_forgotten", rows=forgotten)
