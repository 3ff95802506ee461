"""Working days: holidays and make-up Saturdays where they are known, weekdays where they are not."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.foundation.calendar import MAX_WORKING_DAYS, WorkingDay, add_working_days, is_working_day


def test_ten_working_days_step_over_weekends() -> None:
    due = add_working_days(date(2025, 6, 16), 10)

    assert due == WorkingDay(date(2025, 6, 30), is_provisional=False)


def test_the_national_week_is_stepped_over_and_the_make_up_days_count() -> None:
    due = add_working_days(date(2025, 9, 26), 3)

    assert due == WorkingDay(date(2025, 9, 30), is_provisional=False)
    assert is_working_day(date(2025, 9, 28)) == WorkingDay(date(2025, 9, 28), is_provisional=False)
    assert is_working_day(date(2025, 10, 3)) is None


def test_a_year_without_announced_holidays_is_provisional() -> None:
    assert is_working_day(date(2031, 1, 6)) == WorkingDay(date(2031, 1, 6), is_provisional=True)
    assert is_working_day(date(2031, 1, 5)) is None


def test_a_term_that_crosses_into_an_unknown_year_is_provisional() -> None:
    due = add_working_days(date(2026, 12, 30), 5)

    assert due.is_provisional


@pytest.mark.parametrize("count", [0, -1, MAX_WORKING_DAYS + 1])
def test_a_term_of_no_days_or_of_years_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="working days"):
        add_working_days(date(2025, 6, 16), count)


@given(st.dates(date(2004, 1, 1), date(2040, 1, 1)), st.integers(1, 60), st.integers(1, 60))
def test_terms_add_up(start: date, first: int, second: int) -> None:
    middle = add_working_days(start, first)

    assert add_working_days(middle.day, second).day == add_working_days(start, first + second).day


@given(st.dates(date(2000, 1, 1), date(2045, 1, 1)), st.integers(1, MAX_WORKING_DAYS))
def test_a_term_ends_on_a_working_day_after_the_start(start: date, count: int) -> None:
    due = add_working_days(start, count)

    assert due.day > start
    assert is_working_day(due.day) is not None
