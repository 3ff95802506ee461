"""The doors of operations: for the operator's people, and the retries for its officers, after a fresh proof."""

from datetime import datetime
from uuid import UUID

from litestar import Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.foundation.progress import whole_since
from xinyidai.foundation.running import Standing
from xinyidai.operations import queries, service
from xinyidai.operations.schemas import (
    JobOut,
    JobRetryIn,
    JobsOut,
    OpenDeliveryPageOut,
    ProcessesOut,
    RetriedOut,
    RetryIn,
)

BY_OPERATOR = requires(OrganisationKind.OPERATOR)
BY_OFFICER_PROVED = requires(OrganisationKind.OPERATOR, roles=(Role.OFFICER,), fresh=True)


@get(
    "/deliveries",
    operation_id="ListOpenDeliveries",
    summary="Events that are not delivered",
    description="Pending, failed and given-up deliveries of the outbox, oldest first; never what an event says.",
    guards=[BY_OPERATOR],
)
async def list_open_deliveries(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    standing: FromQuery[Standing | None] = None,
    event: FromQuery[str | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> OpenDeliveryPageOut:
    """List deliveries."""
    found = await queries.deliveries(session, viewer, standing=standing, event_name=event, cursor=cursor, limit=limit)
    return OpenDeliveryPageOut.of(found)


@post(
    "/deliveries/{delivery_id:uuid}/retry",
    operation_id="RetryDelivery",
    summary="Try a delivery again",
    description="One that failed or was given up is tried at once and anew. Written down with the reason.",
    guards=[BY_OFFICER_PROVED],
    status_code=204,
)
async def retry_delivery(
    delivery_id: FromPath[UUID],
    data: JSONBody[RetryIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> None:
    """Retry a delivery."""
    await service.retry_delivery(session, viewer, delivery_id, reason=data.reason, now=now)


@post(
    "/deliveries/retry",
    operation_id="RetryGivenUpDeliveries",
    summary="Try all given-up deliveries again",
    description="The oldest 200 that were given up; ask again for more. Each is written down with the reason.",
    guards=[BY_OFFICER_PROVED],
    status_code=200,
)
async def retry_given_up_deliveries(
    data: JSONBody[RetryIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> RetriedOut:
    """Retry all that were given up."""
    return RetriedOut(count=await service.retry_given_up(session, viewer, reason=data.reason, now=now))


@get(
    "/jobs",
    operation_id="ListJobs",
    summary="The timetable",
    description="Every job: when it ran last, when its next period begins, and what of it is not done.",
    guards=[BY_OPERATOR],
)
async def list_jobs(
    viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> JobsOut:
    """List jobs."""
    return JobsOut(jobs=[JobOut.of(one) for one in await queries.jobs(session, viewer, now=now)])


@post(
    "/jobs/{name:str}/retry",
    operation_id="RetryJob",
    summary="Try a period of a job again",
    description="One that was given up is tried at the next tick and anew. Written down with the reason.",
    guards=[BY_OFFICER_PROVED],
    status_code=204,
)
async def retry_job(
    name: FromPath[str],
    data: JSONBody[JobRetryIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> None:
    """Retry a job."""
    await service.retry_job(session, viewer, name, data.period, reason=data.reason, now=now)


@get(
    "/processes",
    operation_id="ListProcesses",
    summary="Processes that were heard",
    description="Web, worker and beat with the age of their last heartbeat, and the kinds of which nothing was heard:"
    " `starting` in the first 15 s of the platform, else `missing`.",
    guards=[BY_OPERATOR],
)
async def list_processes(viewer: NamedDependency[Viewer], state: State) -> ProcessesOut:
    """List processes."""
    expected_since = whole_since(state.settings.xinyidai_home, started_at=state.started_at)
    return ProcessesOut.of(await queries.processes(viewer, state.settings.broker_url, expected_since=expected_since))


router = Router(
    path="/operations",
    route_handlers=[
        list_open_deliveries,
        retry_delivery,
        retry_given_up_deliveries,
        list_jobs,
        retry_job,
        list_processes,
    ],
    tags=["operations"],
)
