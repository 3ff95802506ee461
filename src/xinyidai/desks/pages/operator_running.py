"""Deliveries of the outbox and jobs of the timetable, and trying again what failed, with a reason."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks.pages.names import AnyRequest
from xinyidai.desks.pages.operator import BY_OFFICER_PROVED, BY_OPERATOR, ROWS, who
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.forms import Form, act_once, answering
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import Message, msg
from xinyidai.foundation.running import DeliveryView, JobOutcome, JobView, Standing
from xinyidai.operations import queries, service
from xinyidai.operations.rules import RetryReason

DELIVERIES: Final = "/operator/deliveries"
JOBS: Final = "/operator/jobs"
ORDER: Final = {JobOutcome.GIVEN_UP: 0, JobOutcome.FAILED: 1, JobOutcome.DUE: 2, JobOutcome.DONE: 3}


@get(DELIVERIES, guards=[BY_OPERATOR])
async def list_deliveries(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    standing: FromQuery[str] = "",
    event: FromQuery[str] = "",
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List the deliveries that are not done, by how they stand and by event."""
    asked = Standing(standing) if standing in set(Standing) else None
    counts = await queries.delivery_counts(session, viewer)
    found = await queries.deliveries(
        session, viewer, standing=asked, event_name=event or None, cursor=cursor, limit=ROWS
    )
    wall = wall_now()
    chosen = {name: value for name, value in (("standing", asked), ("event", event)) if value}
    return page(
        request,
        "desks/operator_deliveries.html",
        who(viewer),
        found=found,
        counts={one: sum(count.count for count in counts if count.standing is one) for one in Standing},
        events=sorted({one.event_name for one in counts} | ({event} if event else set())),
        ages={one.id: int((wall - one.announced_at).total_seconds()) for one in found.rows},
        standing=asked,
        event=event,
        here_path=f"{DELIVERIES}?{urlencode(chosen)}" if chosen else DELIVERIES,
    )


@get("/operator/deliveries/{delivery_id:uuid}/retry", guards=[BY_OFFICER_PROVED])
async def retry_delivery_page(
    request: AnyRequest,
    delivery_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
) -> Response[bytes]:
    """Ask why."""
    one = await _delivery(session, viewer, delivery_id)
    if one is None:
        raise NotFound
    return _ask_why(request, Form(), one=one)


@post("/operator/deliveries/{delivery_id:uuid}/retry", guards=[BY_OFFICER_PROVED], status_code=200)
async def retry_delivery(
    request: AnyRequest,
    delivery_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Try a delivery again."""

    async def act(reason: RetryReason) -> Message:
        await service.retry_delivery(session, viewer, delivery_id, reason=reason, now=now)
        return msg("已重新投递。")

    # Done by now, it is not there any more: the page then says so without it.
    one = await _delivery(session, viewer, delivery_id)
    return await _retried(request, session, viewer, lambda form: _ask_why(request, form, one=one), act, to=DELIVERIES)


@get("/operator/deliveries/retry", guards=[BY_OFFICER_PROVED])
async def retry_all_page(
    request: AnyRequest, viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> Response[bytes]:
    """Ask why."""
    return _ask_why(request, Form(), count=await _given_up(session, viewer))


@post("/operator/deliveries/retry", guards=[BY_OFFICER_PROVED], status_code=200)
async def retry_all(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Try all deliveries again that were given up, a page of them at a time."""
    count = await _given_up(session, viewer)

    async def act(reason: RetryReason) -> Message:
        again = await service.retry_given_up(session, viewer, reason=reason, now=now)
        return msg("已重新投递 %(count)s 项。", count=again)

    return await _retried(
        request, session, viewer, lambda form: _ask_why(request, form, count=count), act, to=DELIVERIES
    )


@get(JOBS, guards=[BY_OPERATOR])
async def list_jobs(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show the timetable, what was given up first."""
    found = await queries.jobs(session, viewer, now=now)
    jobs = sorted(found, key=lambda one: (ORDER[one.outcome], one.name))
    return page(
        request,
        "desks/operator_jobs.html",
        who(viewer),
        jobs=jobs,
        given_up=sum(one.outcome is JobOutcome.GIVEN_UP for one in jobs),
    )


@get("/operator/jobs/{name:str}/retry", guards=[BY_OFFICER_PROVED])
async def retry_job_page(
    request: AnyRequest,
    name: FromPath[str],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask why."""
    return _ask_why(request, Form(), job=await _job(session, viewer, name, now=now))


@post("/operator/jobs/{name:str}/retry", guards=[BY_OFFICER_PROVED], status_code=200)
async def retry_job(
    request: AnyRequest,
    name: FromPath[str],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Try the period again that the page showed."""
    job = await _job(session, viewer, name, now=now)
    form = await Form.read(request)

    async def act(reason: RetryReason) -> Message:
        await service.retry_job(session, viewer, name, form.first("period"), reason=reason, now=now)
        return msg("任务将在下一秒内重新执行。")

    return await _retried(request, session, viewer, lambda bad: _ask_why(request, bad, job=job), act, to=JOBS)


async def _retried(
    request: AnyRequest,
    session: AsyncSession,
    viewer: Viewer,
    show: Callable[[Form], Response[bytes]],
    retry: Callable[[RetryReason], Awaitable[Message]],
    *,
    to: str,
) -> Response[bytes]:
    """Read the reason, try again once, and say what was done."""
    form = await Form.read(request)
    with answering(form, show):
        reason = form.choice("reason", RetryReason, missing=msg("请选择重试的原因"))
        form.require_sound()

        async def act() -> str:
            flash(request, await retry(reason))
            return to

        return await act_once(request, session, form, act, by=viewer.organisation_id)


def _ask_why(
    request: AnyRequest, form: Form, *, one: DeliveryView | None = None, job: JobView | None = None, count: int = 0
) -> Response[bytes]:
    return page(
        request, "desks/operator_retry.html", form=form, one=one, job=job, count=count, reasons=list(RetryReason)
    )


async def _delivery(session: AsyncSession, viewer: Viewer, delivery_id: UUID) -> DeliveryView | None:
    found = (await queries.deliveries(session, viewer, only_id=delivery_id, limit=1)).rows
    return found[0] if found else None


async def _given_up(session: AsyncSession, viewer: Viewer) -> int:
    counts = await queries.delivery_counts(session, viewer)
    return sum(one.count for one in counts if one.standing is Standing.GIVEN_UP)


async def _job(session: AsyncSession, viewer: Viewer, name: str, *, now: datetime) -> JobView:
    found = [one for one in await queries.jobs(session, viewer, now=now) if one.name == name]
    if not found:
        raise NotFound
    return found[0]


ROUTES = (
    list_deliveries,
    retry_delivery_page,
    retry_delivery,
    retry_all_page,
    retry_all,
    list_jobs,
    retry_job_page,
    retry_job,
)
