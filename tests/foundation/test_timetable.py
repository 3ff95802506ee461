"""The timetable: each period once, whoever ticks and however often."""

import asyncio
from datetime import datetime, timedelta

import pytest
from conftest import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation import timetable
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.timetable import MAX_ATTEMPTS, Rhythm, every, period_of, retry_after, tick

ran: list[datetime] = []


@pytest.fixture(autouse=True)
def only_our_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    ran.clear()
    monkeypatch.setattr(timetable, "_jobs", {})


async def remember(session: AsyncSession, now: datetime) -> None:
    await session.execute(text("SELECT 1"))
    ran.append(now)


async def fail(_session: AsyncSession, _now: datetime) -> None:
    raise RuntimeError("the job is broken")


async def test_a_days_job_runs_once_a_day_however_often_beat_ticks(database: Database, noon: datetime) -> None:
    every(Rhythm.DAY, name="tests.remember")(remember)

    for minute in range(3):
        await tick(database.worker, now=noon + timedelta(minutes=minute))
    await tick(database.worker, now=noon + timedelta(days=1))

    assert ran == [noon, noon + timedelta(days=1)]


async def test_two_beats_at_once_run_a_period_once(database: Database, noon: datetime) -> None:
    every(Rhythm.HOUR, name="tests.remember")(remember)

    await asyncio.gather(*(tick(database.worker, now=noon) for _ in range(4)))

    assert ran == [noon]


async def test_what_a_worker_that_died_was_running_is_run_at_the_next_tick(database: Database, noon: datetime) -> None:
    async def die(_session: AsyncSession, _now: datetime) -> None:
        raise asyncio.CancelledError

    every(Rhythm.DAY, name="tests.remember")(die)
    with pytest.raises(asyncio.CancelledError):
        await tick(database.worker, now=noon)
    every(Rhythm.DAY, name="tests.remember")(remember)
    await tick(database.worker, now=noon)

    assert ran == [noon]
    assert (await job_row(database))[0] == 2


async def test_a_job_that_kills_its_worker_uses_up_no_other_jobs_tries(database: Database, noon: datetime) -> None:
    async def die(_session: AsyncSession, _now: datetime) -> None:
        raise asyncio.CancelledError

    every(Rhythm.DAY, name="tests.a")(die)
    every(Rhythm.DAY, name="tests.b")(remember)
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(asyncio.CancelledError):
            await tick(database.worker, now=noon)
    await tick(database.worker, now=noon)

    assert ran == [noon]


async def test_a_failing_job_rests_before_it_is_tried_again(database: Database, noon: datetime) -> None:
    every(Rhythm.MONTH, name="tests.fail")(fail)

    for _ in range(3):
        await tick(database.worker, now=noon)

    assert await job_row(database) == (1, None, "RuntimeError")


async def test_a_failing_job_is_left_to_a_person_after_its_last_attempt(database: Database, noon: datetime) -> None:
    every(Rhythm.MONTH, name="tests.fail")(fail)

    for _ in range(MAX_ATTEMPTS + 2):
        await tick(database.worker, now=noon)
        await let_it_rest(database)

    assert await job_row(database) == (MAX_ATTEMPTS, None, "RuntimeError")


def test_rests_double_up_to_the_longest() -> None:
    rests = [retry_after(attempts).total_seconds() for attempts in (1, 2, 3, 6, 7, 11)]

    assert rests == [15, 30, 60, 480, 600, 600]


async def job_row(database: Database) -> tuple[object, ...]:
    async with in_transaction(database.worker) as session:
        row = (await session.execute(text("SELECT attempts, done_at, last_error FROM foundation.job_due"))).one()
    return tuple(row)


async def let_it_rest(database: Database) -> None:
    async with in_transaction(database.worker) as session:
        await session.execute(text("UPDATE foundation.job_due SET leased_until = leased_until - interval '1 hour'"))


def test_periods_are_named_in_shanghai(noon: datetime) -> None:
    late = noon + timedelta(hours=13)

    assert period_of(Rhythm.DAY, late) == "2025-06-17"
    assert period_of(Rhythm.MONTH, noon) == "2025-06"
    assert period_of(Rhythm.MINUTE, noon) == "2025-06-16T12:00"
