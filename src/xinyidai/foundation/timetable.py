"""The timetable: which job is due in which period of business time, each exactly once.

Beat ticks every wall second; a tick writes the periods that have begun into `job_due` (unique per job and period) and
runs what is not done. Two beats, or a beat that was away, change nothing: who runs a period holds its row locked, and a
process that dies lets go of it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from sqlalchemy import Index, Row, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel

from xinyidai.foundation.clock import SHANGHAI, wall_now
from xinyidai.foundation.database import Sessions, in_single_statements, in_transaction, type_of_moment

log = structlog.get_logger()

FIRST_RETRY, LONGEST_REST = timedelta(seconds=15), timedelta(minutes=10)
MAX_ATTEMPTS = 12
"""With rests that double up to LONGEST_REST: more than an hour of trouble before a person is needed."""


class Rhythm(StrEnum):
    """How often a job is due; the period's name is the Shanghai minute, hour, day or month."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


_PERIOD_FORMAT = {
    Rhythm.MINUTE: "%Y-%m-%dT%H:%M",
    Rhythm.HOUR: "%Y-%m-%dT%H",
    Rhythm.DAY: "%Y-%m-%d",
    Rhythm.MONTH: "%Y-%m",
}

_DUE = text(
    "SELECT DISTINCT ON (job) job, period, business_at FROM foundation.job_due WHERE done_at IS NULL"
    " AND job = ANY(:jobs) AND attempts < :attempts AND (leased_until IS NULL OR leased_until < :wall)"
    " ORDER BY job, business_at"
)
_COUNT = text(
    "UPDATE foundation.job_due SET attempts = attempts + 1 WHERE (job, period) IN (SELECT job, period"
    " FROM foundation.job_due WHERE job = :job AND period = :period AND done_at IS NULL FOR UPDATE SKIP LOCKED)"
    " RETURNING attempts"
)
_TAKE = text(
    "SELECT 1 FROM foundation.job_due WHERE job = :job AND period = :period AND done_at IS NULL FOR UPDATE SKIP LOCKED"
)
_END = text("UPDATE foundation.job_due SET done_at = :wall WHERE job = :job AND period = :period")

RunJob = Callable[[AsyncSession, datetime], Awaitable[None]]


@dataclass(frozen=True)
class Job:
    """A verb that time wakes: ``run(session, now)`` in one transaction of its own."""

    name: str
    rhythm: Rhythm
    run: RunJob


class JobDue(SQLModel, table=True):
    """One period of one job."""

    __tablename__ = "job_due"
    __table_args__ = (
        Index("ix_job_due_open", "job", postgresql_where=text("done_at IS NULL")),
        {"schema": "foundation"},
    )

    job: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    business_at: datetime = Field(sa_type=type_of_moment)
    leased_until: datetime | None = Field(default=None, sa_type=type_of_moment)
    """Until when a period that failed rests."""
    attempts: int = 0
    done_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    last_error: str | None = None


_jobs: dict[str, Job] = {}


def every(rhythm: Rhythm, *, name: str) -> Callable[[RunJob], RunJob]:
    """Register an async function ``(session, now)`` as a job of the timetable."""

    def register(run: RunJob) -> RunJob:
        _jobs[name] = Job(name, rhythm, run)
        return run

    return register


def jobs() -> list[Job]:
    """Return the registered jobs by name."""
    return [_jobs[name] for name in sorted(_jobs)]


def period_of(rhythm: Rhythm, moment: datetime) -> str:
    """Return the name of the period that holds `moment`."""
    return moment.astimezone(SHANGHAI).strftime(_PERIOD_FORMAT[rhythm])


def retry_after(attempts: int) -> timedelta:
    """Return how long a job rests after its `attempts`-th failure: a database that restarts needs more than seconds."""
    return min(FIRST_RETRY * int(2 ** (attempts - 1)), LONGEST_REST)


async def tick(sessions: Sessions, *, now: datetime) -> int:
    """Write the periods that have begun by `now` and run what is due, the oldest of each job; return how many ran.

    A try is counted and committed just before it: a job that kills its process is given up, and no other with it.
    """
    known = {job.name: job for job in jobs()}
    begun = [
        {"job": job.name, "period": period_of(job.rhythm, now), "business_at": now, "attempts": 0}
        for job in known.values()
    ]
    async with in_transaction(sessions) as session:
        if begun:
            await session.execute(insert(JobDue).values(begun).on_conflict_do_nothing())
        told = {"jobs": list(known), "attempts": MAX_ATTEMPTS, "wall": wall_now()}
        due = (await session.execute(_DUE, told)).all()
    return sum([await _run_due(sessions, known[row.job], row) for row in due])


async def _run_due(sessions: Sessions, job: Job, due: Row[tuple[str, str, datetime]]) -> int:
    row = {"job": job.name, "period": due.period}
    async with in_single_statements(sessions) as session:
        attempts = (await session.execute(_COUNT, row)).scalar_one_or_none()
    if attempts is None:
        return 0
    try:
        async with in_transaction(sessions) as session:
            if (await session.execute(_TAKE, row)).one_or_none() is None:
                return 0
            await job.run(session, due.business_at)
            await session.execute(_END, row | {"wall": wall_now()})
    except Exception as error:
        log.exception("job_failed", job=job.name, period=due.period)
        async with in_transaction(sessions) as session:
            await session.execute(
                text(
                    "UPDATE foundation.job_due SET leased_until = :until, last_error = :error"
                    " WHERE job = :job AND period = :period"
                ),
                row | {"until": wall_now() + retry_after(attempts), "error": type(error).__name__},
            )
        return 0
    return 1
