"""The nightly look at the books."""

from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.timetable import Rhythm, every
from xinyidai.ledger.queries import check_books

log = structlog.get_logger()


@every(Rhythm.DAY, name="ledger.check_books", comes_last=True)
async def check_books_daily(session: AsyncSession, now: datetime) -> None:
    """Check every journal, book and account; each fault is an error in the log, by name."""
    await act_as_platform(session, now=now)
    for fault in await check_books(session):
        log.error("book_fault", rule=fault.rule, ref=fault.ref, says=fault.says)
