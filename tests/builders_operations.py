"""Work of the platform that went wrong: deliveries and a job that were given up or failed."""

from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.outbox import MAX_ATTEMPTS, DeliveryState, OutboxDelivery, OutboxEvent
from xinyidai.foundation.timetable import MAX_ATTEMPTS as MOST_TRIES
from xinyidai.foundation.timetable import JobDue

CONSUMER = "tests.pour"
JOB = "tests.remember"


async def a_delivery(
    session: AsyncSession,
    *,
    name: str = "KettleBoiled",
    consumer: str = CONSUMER,
    state: DeliveryState = DeliveryState.PARKED,
    attempts: int = MAX_ATTEMPTS,
    last_error: str | None = "RuntimeError",
    now: datetime,
) -> UUID:
    """Return a delivery of an event with one field, `kettle_id`; given up unless said otherwise."""
    event = OutboxEvent(name=name, aggregate="kettle:blue", body={"kettle_id": "blue"}, occurred_at=now)
    session.add(event)
    await session.flush()
    delivery = OutboxDelivery(
        event_id=event.id, consumer=consumer, state=state, attempts=attempts, last_error=last_error
    )
    session.add(delivery)
    await session.flush()
    return delivery.id


async def a_job_given_up(
    session: AsyncSession, *, name: str = JOB, period: str = "2025-06-15", error: str = "OSError", now: datetime
) -> None:
    """Write down a day of a job that failed for the last time."""
    session.add(
        JobDue(
            job=name,
            period=period,
            business_at=now,
            attempts=MOST_TRIES,
            leased_until=wall_now(),
            last_error=error,
        )
    )
    await session.flush()


async def retries_of(admin: asyncpg.Connection) -> list[tuple[str, str, str]]:
    """Return what was written down of retries, oldest first: the act, what was tried again, and why."""
    found = await admin.fetch(
        "SELECT action, object_id, purpose FROM audit.record WHERE action LIKE 'operations.%' ORDER BY id"
    )
    return [(row["action"], row["object_id"], row["purpose"]) for row in found]
