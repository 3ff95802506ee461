"""When a job's next period begins, and how many processes need somebody."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.foundation.clock import SHANGHAI
from xinyidai.foundation.running import next_begins
from xinyidai.foundation.timetable import Rhythm, period_of
from xinyidai.operations.rules import Processes, ProcessView, is_starting


@given(rhythm=st.sampled_from(Rhythm), seconds=st.integers(0, 300_000_000))
def test_the_next_period_is_another_and_nothing_lies_between(rhythm: Rhythm, seconds: int) -> None:
    at = datetime(2020, 1, 1, tzinfo=SHANGHAI) + timedelta(seconds=seconds)

    begins = next_begins(rhythm, at)

    assert begins > at
    assert period_of(rhythm, begins) > period_of(rhythm, at)
    assert period_of(rhythm, begins - timedelta(seconds=1)) == period_of(rhythm, at)


@pytest.mark.parametrize(
    ("processes", "faults"),
    [
        (Processes((), (), ("web",), is_broker_away=False), 1),
        (Processes((), ("worker", "beat"), ("web",), is_broker_away=False), 1),
        (Processes((), (), ("web", "worker", "beat"), is_broker_away=True), 1),
    ],
)
def test_a_broker_that_is_away_is_one_fault_and_not_four(processes: Processes, faults: int) -> None:
    assert processes.faults == faults


def test_a_late_process_counts(noon: datetime) -> None:
    late = ProcessView("beat@here", noon, 90, is_late=True)
    fresh = ProcessView("worker@here", noon, 2, is_late=False)

    assert Processes((late, fresh), (), (), is_broker_away=False).faults == 1


@pytest.mark.parametrize(("seconds", "starting"), [(0, True), (14, True), (15, False)])
def test_who_was_not_heard_may_be_starting_for_a_while(noon: datetime, seconds: int, starting: bool) -> None:
    assert is_starting(noon, wall_at=noon + timedelta(seconds=seconds)) is starting
    assert is_starting(None, wall_at=noon)
