"""The two clocks: wall time, never simulated, and business time, which may be.

Only this module reads a clock. Business code takes `now` as a parameter; whoever opens a transaction (a route, a task,
a command) asks a `BusinessClock` once and passes the answer down.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def wall_now() -> datetime:
    """Return the wall time in UTC: for sessions, tokens, retries, locks and log stamps."""
    return datetime.now(UTC)


class BusinessClock(Protocol):
    """Where a process takes its business time from."""

    def now(self) -> datetime:
        """Return the business time in UTC."""
        ...


@dataclass(frozen=True)
class WallClock:
    """Business time is wall time: production."""

    def now(self) -> datetime:
        """Return the wall time."""
        return wall_now()


@dataclass(frozen=True)
class StandingClock:
    """Business time stands at one moment: for work that is done at a time its caller names."""

    moment: datetime

    def now(self) -> datetime:
        """Return the moment."""
        return self.moment


@dataclass(frozen=True)
class AnchoredClock:
    """Simulated time: at `wall_anchor` it was `business_anchor`, and it runs `rate` business seconds a wall second."""

    wall_anchor: datetime
    business_anchor: datetime
    rate: float = 1.0
    read_wall: Callable[[], datetime] = wall_now

    def now(self) -> datetime:
        """Return the simulated time."""
        return self.business_anchor + (self.read_wall() - self.wall_anchor) * self.rate


def clock_of(*, sandbox: bool, wall_anchor: datetime | None, business_anchor: datetime | None) -> BusinessClock:
    """Return a process's business clock: the wall's, or in a sandbox with both anchors a simulated one.

    Both anchors are given, so that every process of a platform reads the same time.
    """
    if sandbox and wall_anchor is not None and business_anchor is not None:
        return AnchoredClock(wall_anchor, business_anchor)
    return WallClock()


def business_date(moment: datetime) -> date:
    """Return the calendar day in Shanghai at `moment`; days and months are always Shanghai's."""
    return moment.astimezone(SHANGHAI).date()


def start_of_day(day: date) -> datetime:
    """Return the first moment of a Shanghai day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).astimezone(UTC)


def add_months(day: date, months: int) -> date:
    """Return the same day of the month `months` later, or that month's last day where it has no such day."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    last = (following - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))
