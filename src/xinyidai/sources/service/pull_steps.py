"""An item of a pull step by step: counted page by page, stored, refused, or left for another attempt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import UpdateCycle
from xinyidai.foundation.clock import business_date, wall_now
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PartyId
from xinyidai.sources.models import Pull, PullPart
from xinyidai.sources.rules import ConsentTakenBack, DeliveryKind, Fault
from xinyidai.sources.rules.pull_parts import (
    Cycle,
    PartState,
    PullReason,
    came_of_nothing,
    expected_by,
    is_stale,
)
from xinyidai.sources.rules.pulls import LEASE, AnswerStale, Going, PullSource
from xinyidai.sources.service.breaking import note_answer
from xinyidai.sources.service.files import apart, open_rows
from xinyidai.sources.service.pull_life import (
    THE_PLATFORM,
    end,
    end_part,
    is_open,
    may_go_on,
    parts_of,
    retotal,
    running,
)
from xinyidai.sources.service.receiving import layout_for, receive_source

_CYCLES = {UpdateCycle.MONTHLY: Cycle.MONTH, UpdateCycle.YEARLY: Cycle.YEAR}


@dataclass(frozen=True)
class PageRead:
    """How far an item's answer was read: pages done, pages in all, and the months that the pages so far spoke of."""

    done: int
    pages: int
    covers_from: date | None
    covers_to: date | None


async def note_page(session: AsyncSession, pull_id: UUID, item_code: str, page: PageRead, *, now: datetime) -> Going:
    """Write the progress down and say whether to go on; where the firm took its consent back, end item or pull.

    Locks the pull, and its source's breaker where an answer is news to it.

    Raises
    ------
    PullStopped
        It is not running any more.
    """
    return (await _noted(session, pull_id, item_code, page, now=now)).going


async def store_part(
    session: AsyncSession,
    pull_id: UUID,
    item_code: str,
    page: PageRead,
    rows: Sequence[Mapping[str, str | None]],
    *,
    now: datetime,
) -> Going:
    """Note an item's last page, store its rows as a delivery, by the door that every delivery takes, and end the part.

    What the platform holds already is counted and not kept aside: asking for the same months again is no fault. The
    consent is looked at before and after; without it nothing is kept, not even a row aside.

    Raises
    ------
    PullStopped
        It is not running any more.
    AnswerStale
        The answer ends before what the source has shown of the firm before; an older figure would replace a newer one.
    ConsentTakenBack, DeliveryInProgress
    """
    noted = await _noted(session, pull_id, item_code, page, now=now)
    if noted.going is not Going.ON:
        return noted.going
    row, parts = noted.row, noted.parts
    part = next(one for one in parts if one.item_code == item_code)
    if not is_open(part):
        return Going.ITEM_OVER
    if is_stale(part.covers_to, known_to=await _known_to(session, row, part)):
        raise AnswerStale
    due_on = await _due_on(session, row, part, has_rows=bool(rows), now=now)
    if rows:
        kind = DeliveryKind(item_code)
        source = apart(open_rows(rows, layout_for(kind)), f"pull:{pull_id}")
        report = await receive_source(session, THE_PLATFORM, source, kind=kind, now=now, keeps_repeats=False)
        if Fault.NO_CONSENT.value in report.rejected:
            raise ConsentTakenBack
        part.delivery_id, part.received = report.delivery_id, report.received
        part.loaded = 0 if report.is_repeat else report.loaded
        part.expected_by = due_on
        end_part(part, PartState.GOT, None, now=now)
    else:
        state = came_of_nothing(due_on, business_date(now))
        part.expected_by = due_on if state is PartState.EXPECTED else None
        end_part(part, state, None, now=now)
    retotal(row, parts)
    await session.flush()
    return Going.ON


@dataclass(frozen=True)
class _Noted:
    going: Going
    row: Pull
    parts: list[PullPart]


async def _noted(session: AsyncSession, pull_id: UUID, item_code: str, page: PageRead, *, now: datetime) -> _Noted:
    row = await running(session, pull_id)
    parts = await parts_of(session, row)
    for part in parts:
        if part.item_code == item_code and is_open(part):
            part.state, part.pages_done, part.pages = PartState.READING.value, page.done, page.pages
            part.covers_from, part.covers_to = page.covers_from, page.covers_to
    retotal(row, parts)
    row.touched_at = wall_now()
    row.leased_until = row.touched_at + LEASE
    await note_answer(session, PullSource(row.source))
    return _Noted(await may_go_on(session, row, parts, item_code, now=now), row, parts)


async def refuse_part(
    session: AsyncSession, pull_id: UUID, item_code: str, reason: PullReason, *, now: datetime
) -> Going:
    """End an item that the source or the firm refuses; the others go on while any of them may."""
    row = await running(session, pull_id)
    parts = await parts_of(session, row)
    for part in parts:
        if part.item_code == item_code and is_open(part):
            end_part(part, PartState.REFUSED, reason, now=now)
    retotal(row, parts)
    await session.flush()
    return await may_go_on(session, row, parts, None, now=now)


async def leave_part(
    session: AsyncSession, pull_id: UUID, item_code: str, reason: PullReason, *, has_answered: bool
) -> None:
    """Leave an item whose answer was of no use for the next attempt, with the reason; the others go on.

    `has_answered` says that the source itself is well and only what it said is of no use.
    """
    row = await running(session, pull_id)
    if has_answered:
        await note_answer(session, PullSource(row.source))
    parts = await parts_of(session, row)
    for part in parts:
        if part.item_code == item_code and is_open(part):
            part.state, part.reason, part.pages_done, part.pages = PartState.WAITING.value, reason.value, 0, None
            part.covers_from = part.covers_to = None
    retotal(row, parts)
    await session.flush()


async def finish_pull(session: AsyncSession, pull_id: UUID, *, now: datetime) -> None:
    """End a pull whose items have all ended."""
    row = await running(session, pull_id)
    await end(session, row, PartState.FAILED, PullReason.FAULTY, now=now)


async def _known_to(session: AsyncSession, row: Pull, part: PullPart) -> date | None:
    """Return the newest of the months asked for that the same item of the same firm was ever got to."""
    statement = select(func.max(col(PullPart.covers_to))).where(
        col(PullPart.firm_id) == part.firm_id,
        col(PullPart.item_code) == part.item_code,
        col(PullPart.state) == PartState.GOT.value,
        # A series that ended before the months asked for is no longer told, and nothing is stale about that.
        col(PullPart.covers_to) >= row.months_from,
    )
    return (await session.execute(statement)).scalar_one()


async def _due_on(session: AsyncSession, row: Pull, part: PullPart, *, has_rows: bool, now: datetime) -> date | None:
    item = await catalogue.item(session, part.item_code, business_date(now))
    rhythm = await catalogue.rhythm(session, item)
    if rhythm is None:
        return None
    firm = (await parties.parties_by_id(session, [row.firm_id]))[PartyId(row.firm_id)]
    return expected_by(
        part.covers_to if has_rows else None,
        since=max(row.months_from, firm.established_on or row.months_from),
        cycle=_CYCLES.get(rhythm.cycle),
        delay_days=rhythm.delay_days,
    )
