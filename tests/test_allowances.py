"""Allowances: counted by name within a minute that begins with the first request, and bounded in memory."""

from datetime import UTC, datetime, timedelta

import pytest

from xinyidai.app import allowances
from xinyidai.app.allowances import Allowances

NOON = datetime(2026, 1, 1, 4, tzinfo=UTC)


def test_each_name_has_a_minute_of_its_own() -> None:
    counted = Allowances(2)

    mine = [counted.take("a", at=NOON + timedelta(seconds=second)) for second in (0, 20, 40)]
    other = counted.take("b", at=NOON + timedelta(seconds=40))
    later = counted.take("a", at=NOON + timedelta(seconds=60))

    assert mine == [(1, 60), (0, 40), (-1, 20)]
    assert (other, later) == ((1, 60), (1, 60))


def test_many_names_fill_no_memory_and_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowances, "MAX_COUNTED", 3)
    counted = Allowances(10)

    for name in "abcd":
        counted.take(name, at=NOON)

    assert counted.take("d", at=NOON) == (8, 60)
    assert counted.take("a", at=NOON) == (9, 60)
