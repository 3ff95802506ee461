"""Daily files step by step: wanted, claimed, stored or refused; the calls lie between transactions."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.consents import queries as consents
from xinyidai.consents.rules import Permission, Purpose
from xinyidai.foundation import outbox
from xinyidai.foundation.clock import business_date, wall_now
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources.events import DayFilesDue
from xinyidai.sources.models.offices import DayFile
from xinyidai.sources.queries.day_files import told_later
from xinyidai.sources.rules import DeliveryKind, Fault
from xinyidai.sources.rules.delivery import ConsentTakenBack
from xinyidai.sources.rules.offices import AnswerFault
from xinyidai.sources.rules.offices.day_files import FILES, NAME, FileEntry, KeptRows
from xinyidai.sources.rules.subscriptions import (
    LEASE,
    MAX_TRIES,
    WANTED,
    DayFileState,
    Trouble,
    days_wanted,
    is_lost,
    wait_before,
)
from xinyidai.sources.service.files import open_csv
from xinyidai.sources.service.pull_life import THE_PLATFORM
from xinyidai.sources.service.receiving import layout_for, receive_source
from xinyidai.sources.service.subscribing import first_listed, list_anew

_WANTED = [state.value for state in WANTED]


@dataclass(frozen=True)
class ClaimedDays:
    """The files that a worker took, in the order to fetch them; or how long to wait, where another worker has them."""

    files: tuple[tuple[date, str], ...]
    wait: timedelta | None = None


async def order_day_files(session: AsyncSession, *, now: datetime) -> None:
    """Wake who sends the list and fetches the files; tries are counted anew each day. Needs platform scope."""
    for row in await _wanted(session):
        row.tries, row.leased_until = 0, None
    await session.flush()
    await outbox.announce(session, DayFilesDue(business_date(now).isoformat()), occurred_at=now)


async def claim_day_files(session: AsyncSession, *, now: datetime) -> ClaimedDays:
    """Take the files that are wanted today, and give up those that the office keeps no more. Needs platform scope."""
    today, wall = business_date(now), wall_now()
    await _want(session, today)
    rows = await _wanted(session)
    for row in [one for one in rows if is_lost(one.day, today=today)]:
        row.state, row.settled_at, row.leased_until = DayFileState.LOST.value, now, None
        await list_anew(session, row.day, now=now)
    left = [row for row in rows if row.state in _WANTED and row.tries < MAX_TRIES]
    leased = [row.leased_until for row in left if row.leased_until is not None and row.leased_until > wall]
    if leased:
        return ClaimedDays((), max(leased) - wall)
    for row in left:
        row.tries += 1
        row.leased_until, row.touched_at = wall + LEASE, wall
    await session.flush()
    # What made trouble last time comes last: a day that hangs must not keep the days after it from ever coming.
    ordered = sorted(left, key=lambda row: (row.reason is not None, row.day, row.item_code))
    return ClaimedDays(tuple((row.day, row.item_code) for row in ordered))


async def store_day_file(
    session: AsyncSession, day: date, item_code: str, entry: FileEntry, kept: KeptRows, *, now: datetime
) -> None:
    """Store the rows of a file by the door that every delivery takes. A file that is loaded stays as it is.

    Needs platform scope.

    Raises
    ------
    ConsentTakenBack, DeliveryInProgress
    """
    row = await _locked(session, day, item_code)
    if row.state == DayFileState.LOADED:
        return
    fresh = await _without_outdated(session, day, item_code, kept, now=now)
    row.received, row.discarded, row.loaded = kept.received, kept.discarded, 0
    row.outdated = len(kept.lines) - len(fresh.lines)
    if fresh.lines:
        kind = DeliveryKind(item_code)
        # Named by its day: a day that says again what another said is a delivery of its own.
        digest = hashlib.sha256(f"{NAME}/{day.isoformat()}/{item_code}/{entry.sha256}".encode()).digest()
        source = replace(open_csv(fresh.content, layout_for(kind)), digest=digest)
        report = await receive_source(session, THE_PLATFORM, source, kind=kind, now=now, keeps_repeats=False)
        if Fault.NO_CONSENT.value in report.rejected:
            raise ConsentTakenBack
        row.delivery_id, row.loaded = report.delivery_id, report.loaded
    row.state, row.reason, row.digest = DayFileState.LOADED.value, None, bytes.fromhex(entry.sha256)
    row.leased_until, row.settled_at = None, now
    await session.flush()


async def refuse_day_files(
    session: AsyncSession, files: Sequence[tuple[date, str]], fault: AnswerFault, *, now: datetime
) -> None:
    """Write down why files were not believed; they are asked for again tomorrow. Needs platform scope."""
    for day, item_code in files:
        row = await _locked(session, day, item_code)
        if row.state in _WANTED:
            row.state, row.reason, row.settled_at = DayFileState.REFUSED.value, fault.value, now
            row.tries, row.leased_until = MAX_TRIES, None
    await session.flush()


async def put_off_day_files(
    session: AsyncSession,
    files: Sequence[tuple[date, str]],
    trouble: Trouble,
    *,
    retry_after: timedelta | None = None,
) -> timedelta | None:
    """Give files back and return in how long to try again; None when tries are used up until tomorrow.

    Needs platform scope.
    """
    tries = 0
    for day, item_code in files:
        row = await _locked(session, day, item_code)
        if row.state in _WANTED:
            row.reason, row.leased_until, row.touched_at = trouble.value, None, wall_now()
            tries = max(tries, row.tries)
    await session.flush()
    return None if tries >= MAX_TRIES else wait_before(tries, trouble, retry_after)


async def _without_outdated(
    session: AsyncSession, day: date, item_code: str, kept: KeptRows, *, now: datetime
) -> KeptRows:
    """Leave out what files of later days, which came first, told of the same firms and months."""
    later = select(col(DayFile.day)).where(
        col(DayFile.item_code) == item_code, col(DayFile.day) > day, col(DayFile.delivery_id).is_not(None)
    )
    if not kept.lines or (await session.execute(later.limit(1))).first() is None:
        return kept
    codes = sorted({line.split(b",", 1)[0].decode() for line in kept.lines})
    firms = await parties.firms_by_credit_code(session, codes)
    by_id = {firm_id: code for code, firm_id in firms.items()}
    permission = Permission(frozenset(by_id), (), Purpose.PRE_LOAN, PLATFORM_ID, (item_code,), now)
    await consents.present(session, permission)
    told = await told_later(session, day, item_code)
    return kept.without({(by_id[firm_id], month) for firm_id, month in told if firm_id in by_id})


async def _want(session: AsyncSession, today: date) -> None:
    first = await first_listed(session)
    if first is None or first > today:
        return
    known = (await session.execute(select(func.max(DayFile.day)))).scalar_one_or_none()
    for day in days_wanted(first_day=first, known_until=known, today=today):
        session.add_all([DayFile(day=day, item_code=item_code) for item_code in FILES])
    await session.flush()


async def _wanted(session: AsyncSession) -> list[DayFile]:
    statement = (
        select(DayFile).where(col(DayFile.state).in_(_WANTED)).order_by(col(DayFile.day), col(DayFile.item_code))
    )
    locked = statement.with_for_update().execution_options(populate_existing=True)
    return list((await session.execute(locked)).scalars())


async def _locked(session: AsyncSession, day: date, item_code: str) -> DayFile:
    return await session.get_one(DayFile, (day, item_code), with_for_update=True, populate_existing=True)
