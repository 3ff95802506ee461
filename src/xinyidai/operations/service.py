"""The verbs of the room: try again what failed, each time written down with who asked and why."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import (
    OrganisationKind,
    Role,
    Viewer,
    requires_a_person,
    requires_kind,
    requires_role,
)
from xinyidai.audit import service as audit
from xinyidai.foundation import running
from xinyidai.foundation.paging import MAX_PAGE
from xinyidai.foundation.running import Standing
from xinyidai.operations.rules import NothingToRetry, RetryReason


async def retry_delivery(
    session: AsyncSession, viewer: Viewer, delivery_id: UUID, *, reason: RetryReason, now: datetime
) -> None:
    """Let a delivery that failed or was given up be tried again: an officer of the operator.

    Raises
    ------
    NothingToRetry
    """
    _requires_officer(viewer)
    if not await running.try_delivery_again(session, delivery_id):
        raise NothingToRetry
    await _write_down(session, viewer, "delivery", str(delivery_id), reason, now=now)


async def retry_given_up(session: AsyncSession, viewer: Viewer, *, reason: RetryReason, now: datetime) -> int:
    """Let the oldest deliveries that were given up be tried again, at most a page of them, and return how many.

    Raises
    ------
    NothingToRetry
        None was given up.
    """
    _requires_officer(viewer)
    found = await running.open_deliveries(session, standing=Standing.GIVEN_UP, limit=MAX_PAGE)
    again = [one.id for one in found.rows if await running.try_delivery_again(session, one.id)]
    if not again:
        raise NothingToRetry
    for delivery_id in again:
        await _write_down(session, viewer, "delivery", str(delivery_id), reason, now=now)
    return len(again)


async def retry_job(
    session: AsyncSession, viewer: Viewer, name: str, period: str, *, reason: RetryReason, now: datetime
) -> None:
    """Let a period of a job that was given up be tried again: an officer of the operator.

    Raises
    ------
    NothingToRetry
    """
    _requires_officer(viewer)
    if not await running.try_job_again(session, name, period):
        raise NothingToRetry
    await _write_down(session, viewer, "job", f"{name} {period}", reason, now=now)


def _requires_officer(viewer: Viewer) -> None:
    requires_kind(viewer, OrganisationKind.OPERATOR)
    requires_role(viewer, Role.OFFICER)
    requires_a_person(viewer)


async def _write_down(
    session: AsyncSession, viewer: Viewer, kind: str, object_id: str, reason: RetryReason, *, now: datetime
) -> None:
    await audit.write_down(
        session,
        viewer,
        action=f"operations.{kind}_retried",
        subject_ids=[],
        object_kind=kind,
        object_id=object_id,
        purpose=reason.value,
        now=now,
    )
