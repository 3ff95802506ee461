"""What is owed since before today is noted once, with who owed it, and stays noted after the answer."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.foundation.timetable import Found, Moment, moment_of
from xinyidai.objections.models import Objection, Repair
from xinyidai.objections.rules import ObjectionState
from xinyidai.objections.service.desk import write_down
from xinyidai.parties.rules import PLATFORM_ID

BATCH = 500


def overdue_objections(moment: Moment) -> Found:
    """Return the statement of open objections whose last day is past and not noted yet."""
    return select(Objection).where(
        col(Objection.settled_at).is_(None), col(Objection.due_on) < moment.today, col(Objection.overdue_at).is_(None)
    )


def overdue_repairs(moment: Moment) -> Found:
    """Return the statement of open repairs whose last day is past and not noted yet."""
    return select(Repair).where(
        col(Repair.settled_at).is_(None), col(Repair.due_on) < moment.today, col(Repair.overdue_at).is_(None)
    )


async def note_overdue_objections(session: AsyncSession, *, now: datetime) -> int:
    """Note up to BATCH objections as overdue, with who has to act; return how many. Needs platform scope."""
    found = overdue_objections(moment_of(now)).order_by(col(Objection.id)).limit(BATCH)
    rows = (await session.execute(found.with_for_update(skip_locked=True))).scalars().all()
    for row in rows:
        row.overdue_at = now
        row.late_party_id = row.sender_id if row.state == ObjectionState.ASKED else PLATFORM_ID
        session.add(row)
        await write_down(session, None, row, "objections.overdue", now=now)
    await session.flush()
    return len(rows)


async def note_overdue_repairs(session: AsyncSession, *, now: datetime) -> int:
    """Note up to BATCH repairs as overdue; return how many. Needs platform scope."""
    found = overdue_repairs(moment_of(now)).order_by(col(Repair.id)).limit(BATCH)
    rows = (await session.execute(found.with_for_update(skip_locked=True))).scalars().all()
    for row in rows:
        row.overdue_at = now
        session.add(row)
        await write_down(session, None, row, "objections.repair_overdue", now=now)
    await session.flush()
    return len(rows)
