"""The timetable: each period once, whoever ticks and however often."""

import asyncio
from datetime import datetime, timedelta

import pytest
from conftest import Database
from sqlalchemy import false, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.foundation import timetable
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.timetable import MAX_ATTEMPTS, Rhythm, RunJob, every, period_of, retry_after, tick

ran: list[datetime] = []


@pytest.fixture(autouse=True)
def only_our_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    ran.clear()
    monkeypatch.setattr(timetable, "_jobs", {})


async def tick_at(database: Database, now: datetime) -> int:
    return await tick(database.worker, now=now, act_as=act_as_platform)


async def remember(session: AsyncSession, now: datetime) -> None:
    await session.execute(text("SELECT 1"))
    ran.append(now)


async def fail(_session: AsyncSession, _now: datetime) -> None:
    raise RuntimeError("the job is broken")


async def test_a_days_job_runs_once_a_day_however_often_beat_ticks(database: Database, noon: datetime) -> None:
    every(Rhythm.DAY, name="tests.remember")(remember)

    for minute in range(3):
        await tick_at(database, noon + timedelta(minutes=minute))
    await tick_at(database, noon + timedelta(days=1))

    assert ran == [noon, noon + timedelta(days=1)]


async def test_two_beats_at_once_run_a_period_once(database: Database, noon: datetime) -> None:
    every(Rhythm.HOUR, name="tests.remember")(remember)

    await asyncio.gather(*(tick_at(database, noon) for _ in range(4)))

    assert ran == [noon]


async def test_what_a_worker_that_died_was_running_is_run_at_the_next_tick(database: Database, noon: datetime) -> None:
    async def die(_session: AsyncSession, _now: datetime) -> None:
        raise asyncio.CancelledError

    every(Rhythm.DAY, name="tests.remember")(die)
    with pytest.raises(asyncio.CancelledError):
        await tick_at(database, noon)
    every(Rhythm.DAY, name="tests.remember")(remember)
    await tick_at(database, noon)

    assert ran == [noon]
    assert (await job_row(database))[0] == 2


async def test_a_job_that_kills_its_worker_uses_up_no_other_jobs_tries(database: Database, noon: datetime) -> None:
    async def die(_session: AsyncSession, _now: datetime) -> None:
        raise asyncio.CancelledError

    every(Rhythm.DAY, name="tests.a")(die)
    every(Rhythm.DAY, name="tests.b")(remember)
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(asyncio.CancelledError):
            await tick_at(database, noon)
    await tick_at(database, noon)

    assert ran == [noon]


async def test_a_failing_job_rests_before_it_is_tried_again(database: Database, noon: datetime) -> None:
    every(Rhythm.MONTH, name="tests.fail")(fail)

    for _ in range(3):
        await tick_at(database, noon)

    assert await job_row(database) == (1, None, "RuntimeError")


async def test_a_failing_job_is_left_to_a_person_after_its_last_attempt(database: Database, noon: datetime) -> None:
    every(Rhythm.MONTH, name="tests.fail")(fail)

    for _ in range(MAX_ATTEMPTS + 2):
        await tick_at(database, noon)
        await let_it_rest(database)

    assert await job_row(database) == (MAX_ATTEMPTS, None, "RuntimeError")


async def test_a_job_that_finds_no_work_is_over_without_a_run(database: Database, noon: datetime) -> None:
    every(Rhythm.DAY, name="tests.idle", finds=lambda _at: select(literal(1)).where(false()))(fail)
    every(Rhythm.DAY, name="tests.remember", finds=lambda at: select(literal(1)).where(at.now == literal(noon)))(
        remember
    )

    ran_then = await tick_at(database, noon)

    assert (ran_then, ran) == (1, [noon])
    assert await done_jobs(database) == {"tests.idle", "tests.remember"}


async def test_what_only_watches_runs_after_the_others_of_its_tick(database: Database, noon: datetime) -> None:
    order: list[str] = []

    def noted(name: str) -> RunJob:
        async def run(_session: AsyncSession, _now: datetime) -> None:
            order.append(name)

        return run

    every(Rhythm.DAY, name="tests.a", comes_last=True)(noted("a"))
    every(Rhythm.DAY, name="tests.b")(noted("b"))

    await tick_at(database, noon)

    assert order == ["b", "a"]


async def test_a_look_that_fails_keeps_no_job_from_running(database: Database, noon: datetime) -> None:
    every(Rhythm.DAY, name="tests.broken", finds=lambda _at: select(text("1 / 0")).where(text("1 / 0 = 1")))(fail)
    every(Rhythm.DAY, name="tests.remember", finds=lambda _at: select(literal(1)))(remember)

    await tick_at(database, noon)

    assert ran == [noon]
    assert await done_jobs(database) == {"tests.remember"}


async def test_a_period_that_another_worker_runs_is_not_ended_as_idle(database: Database, noon: datetime) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def run_long(session: AsyncSession, now: datetime) -> None:
        begun.set()
        await may_end.wait()
        await remember(session, now)

    every(Rhythm.DAY, name="tests.remember")(run_long)
    other = asyncio.create_task(tick_at(database, noon))
    await begun.wait()
    every(Rhythm.DAY, name="tests.remember", finds=lambda _at: select(literal(1)).where(false()))(fail)
    await tick_at(database, noon)
    done_before = await done_jobs(database)
    may_end.set()
    await other

    assert (done_before, ran) == (set(), [noon])


def test_rests_double_up_to_the_longest() -> None:
    rests = [retry_after(attempts).total_seconds() for attempts in (1, 2, 3, 6, 7, 11)]

    assert rests == [15, 30, 60, 480, 600, 600]


async def done_jobs(database: Database) -> set[str]:
    async with in_transaction(database.worker) as session:
        done = await session.execute(text("SELECT job FROM foundation.job_due WHERE done_at IS NOT NULL"))
        return set(done.scalars())


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
