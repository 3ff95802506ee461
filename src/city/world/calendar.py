"""Months, working days and working hours in Shanghai, and the spring festival."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import chinese_calendar

SHANGHAI = ZoneInfo("Asia/Shanghai")
OPENS = time(9)
CLOSES = time(17)
HOURS_A_DAY = 8
MOST_DAYS = 400
"""A walk over days never goes further."""
DAYS_KEPT = 4_000
"""Every bank asks of every open loan each day, and the calendar's library checks its argument each time."""

SPRING_FESTIVALS = {
    2021: date(2021, 2, 12),
    2022: date(2022, 2, 1),
    2023: date(2023, 1, 22),
    2024: date(2024, 2, 10),
    2025: date(2025, 1, 29),
    2026: date(2026, 2, 17),
    2027: date(2027, 2, 6),
}
"""New Year's Day of the lunar calendar (春节)."""
FESTIVAL_BEFORE_DAYS = 9
FESTIVAL_AFTER_DAYS = 16
"""Small firms close about a week before and open after the lantern festival (元宵节)."""

FIRST_MONTH = 2021 * 12
MONTHS = 120
"""Everything has months from January 2021 to December 2030 and no others."""


class MonthUnknown(ValueError):
    """The world has no such month."""


def month_of(day: date) -> int:
    """Return a month as a number: twelve times the year plus 0 for January to 11 for December."""
    return day.year * 12 + day.month - 1


def month_named(text: str) -> int:
    """Return the month written as 2025-03.

    Raises
    ------
    ValueError
    """
    return month_of(datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date())


def name_of(month: int) -> str:
    """Return a month as 2025-03."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def first_day(month: int) -> date:
    """Return the first day of a month."""
    return date(month // 12, month % 12 + 1, 1)


def place_of(month: int) -> int:
    """Return the month's place among the months of the world.

    Raises
    ------
    MonthUnknown
    """
    place = month - FIRST_MONTH
    if not 0 <= place < MONTHS:
        raise MonthUnknown(name_of(month))
    return place


def festival_share(month: int) -> float:
    """Return the share of a month's days on which small firms are closed for the spring festival."""
    first, after = first_day(month), first_day(month + 1)
    festival = SPRING_FESTIVALS.get(first.year)
    if festival is None:
        return 0.4 if first.month == 2 else 0.0
    closes = max(first, festival - timedelta(days=FESTIVAL_BEFORE_DAYS))
    opens = min(after, festival + timedelta(days=FESTIVAL_AFTER_DAYS))
    return max(0, (opens - closes).days) / (after - first).days


@lru_cache(maxsize=DAYS_KEPT)
def is_working_day(day: date) -> bool:
    """Say whether people work on a day; Monday to Friday where no holidays are announced yet."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < 5


def is_open(moment: datetime) -> bool:
    """Say whether offices are open: 9 to 17 o'clock of a working day in Shanghai."""
    local = moment.astimezone(SHANGHAI)
    return OPENS <= local.time() < CLOSES and is_working_day(local.date())


def day_of(moment: datetime) -> date:
    """Return the Shanghai day of a moment."""
    return moment.astimezone(SHANGHAI).date()


@lru_cache(maxsize=DAYS_KEPT)
def last_working_day(day: date) -> date:
    """Return the last working day that is not after a day: when money due on that day is sent."""
    return next(one for one in (day - timedelta(days=back) for back in range(MOST_DAYS)) if is_working_day(one))


def next_working_day(day: date) -> date:
    """Return the first working day that is not before a day."""
    return next(one for one in (day + timedelta(days=on) for on in range(MOST_DAYS)) if is_working_day(one))


def after_hours(moment: datetime, hours: int) -> datetime:
    """Return the moment so many working hours later; the hours of a day are those in which offices are open."""
    if hours <= 0:
        return moment
    local = moment.astimezone(SHANGHAI)
    day, left = local.date(), timedelta(hours=hours)
    at = max(local, datetime.combine(day, OPENS, SHANGHAI))
    for _ in range(MOST_DAYS):
        closes = datetime.combine(day, CLOSES, SHANGHAI)
        if is_working_day(day) and at < closes:
            if left <= closes - at:
                return (at + left).astimezone(UTC)
            left -= closes - at
        day += timedelta(days=1)
        at = datetime.combine(day, OPENS, SHANGHAI)
    raise AssertionError("a year of working days is longer than any answer takes")
