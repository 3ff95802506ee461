"""The one sealing job: every stream of every room, a minute after it was written at the latest."""

from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.sealing import seal, streams
from xinyidai.foundation.timetable import Rhythm, every

log = structlog.get_logger()


@every(Rhythm.MINUTE, name="audit.seal", comes_last=True)
async def seal_streams(session: AsyncSession, now: datetime) -> None:
    """Seal what has committed since the last run into Merkle blocks."""
    await act_as_platform(session, now=now)
    for stream, rows in (await seal(session, *streams(), now=now)).items():
        log.info("sealed", stream=stream, rows=rows)
