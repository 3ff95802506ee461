"""Reads for the operator's people: deliveries, jobs, and the processes that were heard."""

from datetime import datetime
from uuid import UUID

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.foundation import running
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.heartbeats import PATIENCE_SECONDS, heartbeats
from xinyidai.foundation.paging import Page
from xinyidai.foundation.running import DeliveryCount, DeliveryView, JobView, Standing
from xinyidai.operations.rules import KINDS, Processes, ProcessView, is_starting


async def deliveries(
    session: AsyncSession,
    viewer: Viewer,
    *,
    standing: Standing | None = None,
    event_name: str | None = None,
    only_id: UUID | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[DeliveryView]:
    """Return a page of the deliveries that are not done, oldest first; `only_id` looks for one of them."""
    requires_kind(viewer, OrganisationKind.OPERATOR)
    return await running.open_deliveries(
        session,
        standing=standing,
        event_name=event_name,
        only_id=only_id,
        cursor=cursor,
        limit=limit,
    )


async def delivery_counts(session: AsyncSession, viewer: Viewer) -> list[DeliveryCount]:
    """Return how the deliveries that are not done stand, by event."""
    requires_kind(viewer, OrganisationKind.OPERATOR)
    return await running.delivery_counts(session)


async def jobs(session: AsyncSession, viewer: Viewer, *, now: datetime) -> list[JobView]:
    """Return how each job of the timetable stands."""
    requires_kind(viewer, OrganisationKind.OPERATOR)
    return await running.job_views(session, now=now)


async def processes(viewer: Viewer, broker_url: SecretStr | None, *, expected_since: datetime | None) -> Processes:
    """Return which processes were heard by the broker; one that is away is said, not raised.

    `expected_since` is the moment (wall time) from which all kinds could be heard; None where they are not started yet.
    """
    requires_kind(viewer, OrganisationKind.OPERATOR)
    if broker_url is None:
        return Processes((), (), KINDS, is_broker_away=True)
    client = Redis.from_url(
        broker_url.get_secret_value(),
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        found = await heartbeats(client)
    except (RedisError, OSError):
        return Processes((), (), KINDS, is_broker_away=True)
    finally:
        await client.aclose()
    wall = wall_now()
    heard = tuple(
        ProcessView(one.name, one.heard_at, int((wall - one.heard_at).total_seconds()), one.is_late(wall_at=wall))
        for one in found
    )
    present = {one.name.partition("@")[0] for one in heard}
    silent = tuple(kind for kind in KINDS if kind not in present)
    starting, missing = (silent, ()) if is_starting(expected_since, wall_at=wall) else ((), silent)
    return Processes(heard, starting, missing, is_broker_away=False)
