"""The timetable: each period once, whoever ticks and however often."""

import asyncio
from datetime import datetime, timedelta

import pytest
from conftest import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation import timetable
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.timetable import Rhythm, every, period_of, tick

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


async def test_a_failing_job_is_tried_five_times_and_then_left(database: Database, noon: datetime) -> None:
    every(Rhythm.MONTH, name="tests.fail")(fail)

    for _ in range(7):
        await tick(database.worker, now=noon)

    async with in_transaction(database.worker) as session:
        row = (await session.execute(text("SELECT attempts, done_at, last_error FROM foundation.job_due"))).one()
    assert tuple(row) == (5, None, "RuntimeError")


def test_periods_are_named_in_shanghai(noon: datetime) -> None:
    late = noon + timedelta(hours=13)

    assert period_of(Rhythm.DAY, late) == "2025-06-17"
    assert period_of(Rhythm.MONTH, noon) == "2025-06"
    assert period_of(Rhythm.MINUTE, noon) == "2025-06-16T12:00"
