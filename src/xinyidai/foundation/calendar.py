"""Working days in China: the public calendar where it is known, plain weekdays, marked provisional, where it is not."""

from dataclasses import dataclass
from datetime import date, timedelta

import chinese_calendar

MAX_WORKING_DAYS = 250
"""A year of working days: a longer promise is a mistake, and the walk below stays bounded."""

LONGEST_BREAK_DAYS = 15
"""No holiday joined with its weekends has been longer than ten days."""


@dataclass(frozen=True)
class WorkingDay:
    """A day, and whether it rests on weekdays alone because the holidays of its year are not announced yet."""

    day: date
    is_provisional: bool


def is_working_day(day: date) -> WorkingDay | None:
    """Return the day when people work on it, else None.

    The State Council announces a year's holidays (国务院办公厅放假通知) in the November before it. For years that
    `chinese_calendar` does not hold, Monday to Friday count and the answer is provisional.
    """
    try:
        works, is_provisional = chinese_calendar.is_workday(day), False
    except NotImplementedError:
        works, is_provisional = day.weekday() < 5, True
    return WorkingDay(day, is_provisional) if works else None


def add_working_days(day: date, count: int) -> WorkingDay:
    """Return the working day `count` working days after `day`, which itself does not count.

    Provisional as soon as one of the days passed over was: a term that crosses into an unknown year is not certain.

    Raises
    ------
    ValueError
        `count` is not between 1 and MAX_WORKING_DAYS.
    """
    if not 1 <= count <= MAX_WORKING_DAYS:
        raise ValueError(f"working days must be between 1 and {MAX_WORKING_DAYS}")
    left, is_provisional = count, False
    for offset in range(1, 2 * count + LONGEST_BREAK_DAYS + 1):
        passed = is_working_day(day + timedelta(days=offset))
        if passed is None:
            continue
        left -= 1
        is_provisional = is_provisional or passed.is_provisional
        if left == 0:
            return WorkingDay(passed.day, is_provisional)
    raise AssertionError("a span of more than twice the working days holds them all")
