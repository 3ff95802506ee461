"""The parts of a pull, one an item: what became of each, and by when what is missing is expected. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID


class PartState(StrEnum):
    """What became of one item. Nothing there is an answer, and no figure of zero."""

    WAITING = "waiting"
    READING = "reading"
    GOT = "got"
    NOTHING = "nothing"
    EXPECTED = "expected"
    REFUSED = "refused"
    FAILED = "failed"


OPEN_PARTS: Final = (PartState.WAITING, PartState.READING)


class PullReason(StrEnum):
    """Why a pull or a part of it ended without facts, or waits for another try."""

    CODE_REFUSED = "code_refused"
    ACCESS_REFUSED = "access_refused"
    CONSENT_TAKEN_BACK = "consent_taken_back"
    NOT_CONSENTED = "not_consented"
    NOT_GRANTED = "not_granted"
    NOT_HELD_HERE = "not_held_here"
    QUOTA = "quota"
    SILENT = "silent"
    FAULTY = "faulty"
    CHANGED = "changed"
    UNTRUSTED = "untrusted"
    REPEATED_PAGES = "repeated_pages"
    STALE = "stale"
    SOURCE_AWAY = "source_away"
    AWAITED = "awaited"
    ENCODING = "encoding"
    ABANDONED = "abandoned"


@dataclass(frozen=True)
class PartView:
    """One item of a pull as its firm sees it.

    `covers_from` and `covers_to` are the first days of the first and last month (of yearly items: year) that the answer
    spoke of, None where it spoke of none. `received` and `loaded` are None unless rows came. `expected_by` is the day
    by which the owner should have the next period; a day that is past says that the source is behind.
    """

    item_code: str
    state: PartState
    reason: PullReason | None
    pages_done: int
    pages: int | None
    covers_from: date | None
    covers_to: date | None
    received: int | None
    loaded: int | None
    delivery_id: UUID | None
    expected_by: date | None
    ended_at: datetime | None


class Cycle(StrEnum):
    """Over which stretch an item's owner has something new; other items follow no calendar that a pull could name."""

    MONTH = "month"
    YEAR = "year"


def expected_by(newest_on: date | None, *, since: date, cycle: Cycle | None, delay_days: int) -> date | None:
    """Return by which day the period after the newest one should be there, or the first one where there is none.

    Parameters
    ----------
    newest_on : date or None
        First day of the newest month or year that came.
    since : date
        First day from which there can be anything at all: what was asked from, or the firm's own beginning.
    """
    if cycle is None:
        return None
    period = _begin(since, cycle) if newest_on is None else _after(_begin(newest_on, cycle), cycle)
    return _after(period, cycle) - timedelta(days=1) + timedelta(days=delay_days)


def came_of_nothing(due_on: date | None, today: date) -> PartState:
    """Return what an answer without rows means: expected while the very first period may still come."""
    return PartState.EXPECTED if due_on is not None and due_on >= today else PartState.NOTHING


def is_stale(newest_on: date | None, *, known_to: date | None) -> bool:
    """Say whether an answer ends before what the same source has shown before: months do not vanish."""
    return known_to is not None and (newest_on is None or newest_on < known_to)


def _begin(day: date, cycle: Cycle) -> date:
    return day.replace(day=1) if cycle is Cycle.MONTH else day.replace(month=1, day=1)


def _after(first_day: date, cycle: Cycle) -> date:
    if cycle is Cycle.YEAR:
        return first_day.replace(year=first_day.year + 1)
    return (first_day + timedelta(days=32)).replace(day=1)
