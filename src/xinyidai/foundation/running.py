"""How deliveries and jobs stand, for whoever runs the platform, and how to let them be tried again.

Ids, names and counts only: never what an event says, nor more of an error than its kind.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation.clock import SHANGHAI, wall_now
from xinyidai.foundation.database import after_commit
from xinyidai.foundation.outbox import DeliveryState, OutboxDelivery, TryLater, send_again
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of
from xinyidai.foundation.timetable import MAX_ATTEMPTS, Rhythm, jobs

STUCK_AFTER: Final = timedelta(minutes=5)
"""A delivery that is due for longer means that no worker takes any: the sweeper sends again every minute."""


class Standing(StrEnum):
    """How far a delivery that is not done is: not tried or put off, failed and to be tried again, or given up."""

    PENDING = "pending"
    FAILED = "failed"
    GIVEN_UP = "given_up"


class JobOutcome(StrEnum):
    """How a job stands: every period done, one begun, one failed and to be tried again, or one given up."""

    DONE = "done"
    DUE = "due"
    FAILED = "failed"
    GIVEN_UP = "given_up"


@dataclass(frozen=True)
class DeliveryView:
    """A delivery that is not done; its moments are wall time."""

    id: UUID
    event_name: str
    consumer: str
    standing: Standing
    attempts: int
    announced_at: datetime
    due_at: datetime
    last_error: str | None


@dataclass(frozen=True)
class DeliveryCount:
    """How many deliveries of one kind of event stand alike, how many of them are stuck, and the first one's due time.

    Stuck is what nobody took for STUCK_AFTER, although it is due; what was given up waits for a person instead.
    """

    event_name: str
    standing: Standing
    count: int
    stuck: int
    earliest_due_at: datetime


@dataclass(frozen=True)
class JobView:
    """A job: its newest done period, and of those not done the one that failed most often.

    `next_at` is business time, the other moments are wall time; a job that this process does not know has no next.
    """

    name: str
    rhythm: Rhythm | None
    next_at: datetime | None
    done_period: str | None
    done_at: datetime | None
    open_count: int
    open_period: str | None
    attempts: int
    tries_at: datetime | None
    last_error: str | None

    @property
    def outcome(self) -> JobOutcome:
        """Say how the job stands."""
        if self.open_period is None:
            return JobOutcome.DONE
        if self.attempts >= MAX_ATTEMPTS:
            return JobOutcome.GIVEN_UP
        return JobOutcome.FAILED if self.last_error else JobOutcome.DUE


# Work that was put off has done nothing wrong, although it is noted where an error would be.
_STANDING = (
    "CASE WHEN d.state = 'parked' THEN 'given_up'"
    f" WHEN d.last_error IS NULL OR d.last_error = '{TryLater.__name__}' THEN 'pending' ELSE 'failed' END"
)
_OPEN = " FROM foundation.outbox_delivery d JOIN foundation.outbox_event e ON e.id = d.event_id WHERE d.state <> 'done'"
_JOBS = text(
    "SELECT j.name, done.period AS done_period, done.done_at, coalesce(opened.count, 0) AS open_count,"
    " open.period AS open_period, coalesce(open.attempts, 0) AS attempts, open.leased_until AS tries_at,"
    " open.last_error"
    " FROM (SELECT unnest(CAST(:known AS text[])) UNION SELECT job FROM foundation.job_due WHERE done_at IS NULL)"
    " AS j (name)"
    " LEFT JOIN LATERAL (SELECT period, done_at FROM foundation.job_due WHERE job = j.name AND done_at IS NOT NULL"
    "  ORDER BY period DESC LIMIT 1) AS done ON true"
    " LEFT JOIN LATERAL (SELECT count(*) AS count FROM foundation.job_due WHERE job = j.name AND done_at IS NULL)"
    "  AS opened ON true"
    " LEFT JOIN LATERAL (SELECT period, attempts, leased_until, last_error FROM foundation.job_due"
    "  WHERE job = j.name AND done_at IS NULL ORDER BY attempts DESC, business_at LIMIT 1) AS open ON true"
    " ORDER BY j.name"
)


async def open_deliveries(
    session: AsyncSession,
    *,
    standing: Standing | None = None,
    event_name: str | None = None,
    only_id: UUID | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[DeliveryView]:
    """Return a page of the deliveries that are not done, oldest first; `only_id` looks for one of them."""
    size = limit_of(limit)
    statement = text(
        f"SELECT d.id, e.name AS event_name, d.consumer, {_STANDING} AS standing, d.attempts,"
        f" e.recorded_at AS announced_at, d.due_at, d.last_error{_OPEN} AND d.id > :after"
        f" AND (CAST(:standing AS text) IS NULL OR {_STANDING} = :standing)"
        " AND (CAST(:event_name AS text) IS NULL OR e.name = :event_name)"
        " AND (CAST(:only_id AS uuid) IS NULL OR d.id = :only_id) ORDER BY d.id LIMIT :limit"
    )
    asked = {
        "after": after_id(cursor),
        "standing": standing,
        "event_name": event_name,
        "only_id": only_id,
        "limit": size + 1,
    }
    found = await session.execute(statement, asked)
    views = [DeliveryView(**dict(row._mapping) | {"standing": Standing(row.standing)}) for row in found]
    return page_of(views, limit=size, id_of=lambda view: view.id)


async def delivery_counts(session: AsyncSession) -> list[DeliveryCount]:
    """Return how the deliveries that are not done stand, by event."""
    statement = text(
        f"SELECT e.name, {_STANDING} AS standing, count(*) AS how_many, min(d.due_at) AS due_at,"
        f" count(*) FILTER (WHERE d.state = 'waiting' AND d.due_at < :before) AS stuck{_OPEN}"
        " GROUP BY 1, 2 ORDER BY 1, 2"
    )
    found = await session.execute(statement, {"before": wall_now() - STUCK_AFTER})
    return [DeliveryCount(row.name, Standing(row.standing), row.how_many, row.stuck, row.due_at) for row in found]


async def job_views(session: AsyncSession, *, now: datetime) -> list[JobView]:
    """Return how each job stands that this process knows or that has an open period, by name."""
    known = {job.name: job.rhythm for job in jobs()}
    found = await session.execute(_JOBS, {"known": sorted(known)})
    return [
        JobView(
            **dict(row._mapping),
            rhythm=known.get(row.name),
            next_at=next_begins(known[row.name], now) if row.name in known else None,
        )
        for row in found
    ]


def next_begins(rhythm: Rhythm, moment: datetime) -> datetime:
    """Return when the period after the one that holds `moment` begins, in Shanghai's calendar."""
    local = moment.astimezone(SHANGHAI).replace(second=0, microsecond=0)
    if rhythm is Rhythm.MINUTE:
        return local + timedelta(minutes=1)
    if rhythm is Rhythm.HOUR:
        return local.replace(minute=0) + timedelta(hours=1)
    midnight = local.replace(hour=0, minute=0)
    if rhythm is Rhythm.DAY:
        return midnight + timedelta(days=1)
    if rhythm is Rhythm.WEEK:
        return midnight + timedelta(days=7 - midnight.weekday())
    return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)


async def try_delivery_again(session: AsyncSession, delivery_id: UUID) -> bool:
    """Let a delivery that failed or was given up be tried at once and anew; sent after the commit.

    Locks the delivery. False where there is nothing to try again: it is done, was never tried, or is being worked on.
    """
    delivery = await session.get(OutboxDelivery, delivery_id, with_for_update={"skip_locked": True})
    if delivery is None or delivery.state == DeliveryState.DONE or delivery.last_error is None:
        return False
    delivery.state, delivery.attempts, delivery.due_at = DeliveryState.WAITING, 0, wall_now()
    delivery.last_error = None
    session.add(delivery)
    await session.flush()
    after_commit(session, lambda: send_again([delivery_id]))
    return True


async def try_job_again(session: AsyncSession, name: str, period: str) -> bool:
    """Let a period that was given up be tried at the next tick and anew; False where it was not.

    Nor while its last try runs, which holds the row locked: then it is not known yet whether it fails.
    """
    statement = text(
        "UPDATE foundation.job_due SET attempts = 0, leased_until = NULL WHERE (job, period) IN ("
        " SELECT job, period FROM foundation.job_due WHERE job = :job AND period = :period AND done_at IS NULL"
        "  AND attempts >= :most FOR UPDATE SKIP LOCKED) RETURNING job"
    )
    found = await session.execute(statement, {"job": name, "period": period, "most": MAX_ATTEMPTS})
    return found.scalar_one_or_none() is not None
