"""What there is of an item, and why not: nothing known is never zero."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from builders_consents import NOW
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.consents.rules.terms import Term
from xinyidai.sources.rules.coverage import Asking, Delivered, WhyNot, coverage, coverages

DAY = timedelta(days=1)
IN_FORCE = Term(UUID(int=1), True, NOW - DAY, NOW + DAY, 30)
ENDED = Term(UUID(int=2), True, NOW - 3 * DAY, NOW - DAY, 30)
THERE = Delivered(3, "2025-01-01", "2025-06-01")
NOTHING = Asking("gas", True, False, (IN_FORCE,), None, None, True, False, 0)

askings = st.builds(
    Asking,
    st.sampled_from(["gas", "water"]),
    st.booleans(),
    st.booleans(),
    st.lists(st.sampled_from([IN_FORCE, ENDED]), max_size=2).map(tuple),
    st.sampled_from([None, ENDED.ended_at]),
    st.sampled_from([None, THERE]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2),
)


@pytest.mark.parametrize(
    ("asking", "why_not"),
    [
        (replace(NOTHING, is_asked=False, terms=()), WhyNot.NOT_ASKED),
        (replace(NOTHING, terms=()), WhyNot.REFUSED),
        (replace(NOTHING, terms=(ENDED,)), WhyNot.EXPIRED),
        (replace(NOTHING, terms=(ENDED,), taken_back_at=ENDED.ended_at), WhyNot.TAKEN_BACK),
        (replace(NOTHING, purged=4), WhyNot.PURGED),
        (replace(NOTHING, is_connected=False), WhyNot.NOT_CONNECTED),
        (replace(NOTHING, is_silent=True), WhyNot.SILENT),
        (NOTHING, WhyNot.NOTHING_THERE),
        (replace(NOTHING, delivered=THERE), None),
    ],
)
def test_each_reason_is_told_by_its_own_name(asking: Asking, why_not: WhyNot | None) -> None:
    assert coverage(asking, at=NOW).why_not is why_not


@given(askings)
def test_an_item_has_data_or_a_reason_and_never_both(asking: Asking) -> None:
    found = coverage(asking, at=NOW)

    assert (found.delivered is None) == (found.why_not is not None)
    assert found.is_granted or found.delivered is None
    assert found.delivered is None or found.delivered.facts > 0
    assert found.is_stale == (found.delivered is not None and asking.is_silent)


@given(st.lists(askings, max_size=5))
def test_items_asked_for_come_first(some: list[Asking]) -> None:
    asked = [one.is_asked for one in coverages(some, at=NOW)]

    assert asked == sorted(asked, reverse=True)
