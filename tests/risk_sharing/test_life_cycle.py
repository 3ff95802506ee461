"""Random lives of a line on a committed database: lend, repay, default, claim, pay, recover in any order."""

from datetime import datetime

import pytest
from conftest import Database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lives_of_lines import STEPS, Step, begin, check, take

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.ledger import queries as ledger

QUICK = settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
WHOLE_STORY: list[Step] = [
    ("pay_in", 2_000_000, 0),
    ("pay_in", 2_000_000, 1),
    ("lend", 1_000_003, 6),
    ("lend", 7, 1),
    ("lend", 999_999, 3),
    ("wait", 35, 0),
    ("repay", 0, 500),
    ("wait", 75, 0),
    ("file", 0, 0),
    ("file", 2, 0),
    ("pay", 0, 0),
    ("approve", 0, 0),
    ("approve", 0, 0),
    ("approve", 0, 1),
    ("deny", 1, 0),
    ("repay", 2, 300),
    ("pay", 0, 0),
    ("pay", 0, 0),
    ("recover", 0, 333),
    ("recover", 0, 1),
    ("close", 1, 0),
    ("file", 0, 0),
    ("approve", 0, 0),
    ("approve", 0, 1),
    ("pay", 0, 0),
    ("recover", 0, 1_300),
    ("recover", 0, 10),
    ("recover", 1, 1_300),
    ("close", 0, 0),
]


REFUSED = [
    "claim_step_refused",  # paid before it is approved
    "not_allowed",  # the second review by an officer
    "claim_step_refused",  # paid twice
    "claim_step_refused",  # recovered after it is settled
    "loan_takes_no_payment",  # repaid after it is recovered
]


async def live(database: Database, steps: list[Step], now: datetime) -> list[str]:
    life = await begin(database, now)
    await take(database, life, ("pay_in", 1, 0))
    await take(database, life, ("pay_in", 1, 1))
    for step in steps:
        await take(database, life, step)
        await check(database, life)
    return life.refused


async def test_a_whole_story_keeps_every_invariant_at_every_step(database: Database, noon: datetime) -> None:
    refused = await live(database, WHOLE_STORY, noon)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        assert await ledger.check_books(session) == []
    assert refused == REFUSED


@QUICK
@given(steps=st.lists(STEPS, min_size=5, max_size=20))
async def test_no_order_of_steps_breaks_an_invariant(database: Database, noon: datetime, steps: list[Step]) -> None:
    await live(database, [("lend", 500_001, 2), *steps], noon)


@pytest.mark.long
@settings(QUICK, max_examples=300)
@given(steps=st.lists(STEPS, min_size=20, max_size=60))
async def test_no_long_order_of_steps_breaks_an_invariant(
    database: Database, noon: datetime, steps: list[Step]
) -> None:
    await live(database, [("lend", 500_001, 2), *steps], noon)
