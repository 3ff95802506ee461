"""What days do to reports."""

from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.timetable import Rhythm, every
from xinyidai.reporting import queries

log = structlog.get_logger()


@every(Rhythm.DAY, name="reporting.reconcile", comes_last=True)
async def reconcile(session: AsyncSession, now: datetime) -> None:
    """Compare loans, ledger and covers; a difference is logged with its reference for the operator."""
    await act_as_platform(session, now=now)
    found = await queries.reconcile(session)
    if found.is_whole:
        log.info("books_reconciled", loans_fen=found.loans_fen)
    for one in found.differences:
        log.error("books_differ", what=one.what, ref=one.ref, room_fen=one.room_fen, ledger_fen=one.ledger_fen)
