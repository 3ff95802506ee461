"""The timetable: which job is due in which period of business time, each exactly once.

Beat ticks every wall second; a tick writes the periods that have begun into `job_due` (unique per job and period) and
runs what is not done. Two beats, or a beat that was away, change nothing: who runs a period holds its row locked, and a
process that dies lets go of it. Jobs that say how to find their work are looked at together, in one statement, and
those with none are over for the period.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol, cast

import structlog
from sqlalchemy import Date, Index, Row, Select, bindparam, exists, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel

from xinyidai.foundation.clock import SHANGHAI, business_date, wall_now
from xinyidai.foundation.database import Sessions, in_single_statements, in_transaction, type_of_moment

log = structlog.get_logger()

FIRST_RETRY, LONGEST_REST = timedelta(seconds=15), timedelta(minutes=10)
LOOKS_KEPT = 64
MAX_ATTEMPTS = 12
"""With rests that double up to LONGEST_REST: more than an hour of trouble before a person is needed."""


class Rhythm(StrEnum):
    """How often a job is due; the period's name is the Shanghai minute, hour, day, week of ISO 8601 or month."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_PERIOD_FORMAT = {
    Rhythm.MINUTE: "%Y-%m-%dT%H:%M",
    Rhythm.HOUR: "%Y-%m-%dT%H",
    Rhythm.DAY: "%Y-%m-%d",
    Rhythm.WEEK: "%G-W%V",
    Rhythm.MONTH: "%Y-%m",
}

_BEGIN = text(
    "INSERT INTO foundation.job_due (job, period, business_at, attempts)"
    " SELECT job, period, :now, 0 FROM unnest(CAST(:jobs AS text[]), CAST(:periods AS text[])) AS begun (job, period)"
    " ON CONFLICT DO NOTHING"
)
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
_END_IDLE = text(
    "UPDATE foundation.job_due SET done_at = :wall WHERE (job, period) IN (SELECT job, period FROM foundation.job_due"
    " WHERE (job, period) IN (SELECT * FROM unnest(CAST(:jobs AS text[]), CAST(:periods AS text[])))"
    " AND done_at IS NULL FOR UPDATE SKIP LOCKED)"
)

RunJob = Callable[[AsyncSession, datetime], Awaitable[None]]


@dataclass(frozen=True)
class Moment:
    """A moment for statements: business time, its day in Shanghai, and the wall time beside it.

    Statements compare and subtract, and may not look inside: in one that is built once, these are its parameters.
    """

    now: datetime
    today: date
    wall_at: datetime


def moment_of(now: datetime) -> Moment:
    """Return the moment of a business time."""
    return Moment(now, business_date(now), wall_now())


Found = Select[*tuple[Any, ...]]
FindWork = Callable[[Moment], Found]
"""Returns, for a moment, the statement whose rows are what a job has to do then. What is found at one time must be
found at every later one until it is done: a period that comes late is judged by the time of the tick."""

_ASKED = Moment(
    now=cast(datetime, bindparam("now", type_=type_of_moment)),
    today=cast(date, bindparam("today", type_=Date)),
    wall_at=cast(datetime, bindparam("wall_at", type_=type_of_moment)),
)


class ActAs(Protocol):
    """Tells the database, for the rest of a transaction, who is asking."""

    async def __call__(self, session: AsyncSession, /, *, now: datetime) -> None:
        """Tell it."""


Due = Row[tuple[str, str, datetime]]


@dataclass(frozen=True)
class Job:
    """A verb that time wakes: ``run(session, now)`` in one transaction of its own; without `finds`, in every period.

    What only watches, seals or judges `comes_last` in a tick: nobody waits for it.
    """

    name: str
    rhythm: Rhythm
    run: RunJob
    finds: FindWork | None = None
    comes_last: bool = False


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


def every(
    rhythm: Rhythm, *, name: str, finds: FindWork | None = None, comes_last: bool = False
) -> Callable[[RunJob], RunJob]:
    """Register an async function ``(session, now)`` as a job of the timetable, which rests while `finds` finds nothing.

    Give `finds` the statement that the job itself works through, so that the two cannot differ.
    """

    def register(run: RunJob) -> RunJob:
        _jobs[name] = Job(name, rhythm, run, finds, comes_last)
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


async def tick(sessions: Sessions, *, now: datetime, act_as: ActAs) -> int:
    """Write the periods that have begun by `now` and run what is due, the oldest of each job; return how many ran.

    A try is counted and committed just before it: a job that kills its process is given up, and no other with it.

    Parameters
    ----------
    act_as : callable
        Tells the database as whom to look for work: the rows of every party.
    """
    known = {job.name: job for job in jobs()}
    try:
        async with in_transaction(sessions) as session:
            due = await _due(session, known, now=now)
            await act_as(session, now=now)
            idle = await _end_idle(session, known, due, now=now)
    except Exception:
        # One statement that fails must not keep the other jobs from their work: each runs, and fails by its own name.
        log.exception("look_for_work_failed")
        async with in_transaction(sessions) as session:
            due, idle = await _due(session, known, now=now), set()
    found = sorted((row for row in due if row.job not in idle), key=lambda row: (known[row.job].comes_last, row.job))
    return sum([await _run_due(sessions, known[row.job], row) for row in found])


async def _due(session: AsyncSession, known: Mapping[str, Job], *, now: datetime) -> list[Due]:
    """Write the periods that have begun, and return the oldest of each job that is not done and does not rest."""
    begun = {"jobs": list(known), "periods": [period_of(job.rhythm, now) for job in known.values()], "now": now}
    await session.execute(_BEGIN, begun)
    told = {"jobs": list(known), "attempts": MAX_ATTEMPTS, "wall": wall_now()}
    return list((await session.execute(_DUE, told)).all())


async def _end_idle(
    session: AsyncSession, known: Mapping[str, Job], due: Collection[Due], *, now: datetime
) -> set[str]:
    """End the due periods of jobs that find no work, and return those jobs."""
    looked = tuple(known[row.job] for row in due if known[row.job].finds is not None)
    if not looked:
        return set()
    asked = vars(moment_of(now))
    found = dict(zip([job.name for job in looked], (await session.execute(_look(looked), asked)).one(), strict=True))
    over = {row.job: row.period for row in due if not found.get(row.job, True)}
    if over:
        ended = {"jobs": list(over), "periods": list(over.values()), "wall": wall_now()}
        await session.execute(_END_IDLE, ended)
    return set(over)


@lru_cache(maxsize=LOOKS_KEPT)
def _look(looked: tuple[Job, ...]) -> Found:
    """Return the statement that says of each job whether it finds work: to build it takes longer than to run it."""
    return select(*[exists(job.finds(_ASKED)).label(job.name) for job in looked if job.finds is not None])


async def _run_due(sessions: Sessions, job: Job, due: Due) -> int:
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
