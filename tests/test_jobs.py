"""The jobs of every room together: each looks for its work with the worker's rights, and most days find little."""

from datetime import datetime

from conftest import Database
from sqlalchemy import exists, select, text

from xinyidai.access.service import act_as_platform
from xinyidai.foundation import timetable
from xinyidai.foundation.database import in_transaction
from xinyidai.worker import load_rooms

RUN_EVERY_DAY = {
    "audit.seal",
    "ledger.check_books",
    "reporting.reconcile",
}
"""Jobs that look into everything, or find their work and do it in one."""


async def test_every_job_can_look_for_its_work_and_finds_none_on_an_empty_platform(
    database: Database, noon: datetime
) -> None:
    load_rooms()
    looks = {job.name: job.finds for job in timetable.jobs() if job.finds is not None}
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        found = {
            name: (await session.execute(select(exists(finds(timetable.moment_of(noon)))))).scalar_one()
            for name, finds in looks.items()
        }

    assert set(timetable._jobs) - set(looks) >= RUN_EVERY_DAY
    assert len(looks) >= 8
    assert not any(found.values())


async def test_a_tick_on_an_empty_platform_ends_every_period(database: Database, noon: datetime) -> None:
    load_rooms()

    await timetable.tick(database.worker, now=noon, act_as=act_as_platform)

    async with in_transaction(database.worker) as session:
        rows = (await session.execute(text("SELECT job, attempts, done_at IS NOT NULL FROM foundation.job_due"))).all()
    assert {job: (attempts, is_done) for job, attempts, is_done in rows if job in RUN_EVERY_DAY} == dict.fromkeys(
        RUN_EVERY_DAY, (1, True)
    )
    assert {(attempts, is_done) for job, attempts, is_done in rows if job not in RUN_EVERY_DAY} == {(0, True)}
