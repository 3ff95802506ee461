"""What the platform does about requests: make the archive, delete what nothing holds, let archives end."""

from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import PrincipalKind, Role, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.audit import service as audit
from xinyidai.foundation import outbox
from xinyidai.foundation.timetable import Moment, moment_of
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PartyId
from xinyidai.rights import queries
from xinyidai.rights.events import RightAsked
from xinyidai.rights.models import RightRequest
from xinyidai.rights.rules import LINK_LASTS, RequestKind, RequestState, pack
from xinyidai.rights.service.gathering import gather
from xinyidai.rights.service.sealing import seal_archive
from xinyidai.sources import service as sources
from xinyidai.sources.rules.keeping import PurgeReason

log = structlog.get_logger()

MAX_ENDED_AT_ONCE: Final = 500
MAX_AT_ONCE: Final = 20


def waiting_requests(_at: Moment) -> Select[UUID]:
    """Return the statement of requests that nobody carried out yet."""
    return select(col(RightRequest.id)).where(col(RightRequest.state) == RequestState.ASKED.value)


def archives_over(at: Moment) -> Select[UUID]:
    """Return the statement of exports whose links have ended and whose archives are still there."""
    return select(col(RightRequest.id)).where(
        col(RightRequest.archive_sealed).is_not(None), col(RightRequest.expires_at) <= at.now
    )


async def carry_out(session: AsyncSession, request_id: UUID, *, now: datetime) -> None:
    """Carry one request out; again finds nothing to do. In platform scope, with the worker's role."""
    row = await session.get(RightRequest, request_id, with_for_update=True, populate_existing=True)
    if row is None or row.state != RequestState.ASKED.value:
        return
    if row.kind == RequestKind.EXPORT.value:
        await _export(session, row, now=now)
    else:
        await _delete(session, row, now=now)
    session.add(row)
    await session.flush()


async def carry_out_waiting(session: AsyncSession, *, now: datetime) -> None:
    """Carry out requests whose event was lost, or that waited for a delivery to come in; at most MAX_AT_ONCE.

    One that fails is logged and left for the next hour, and holds up nobody else's.
    """
    statement = waiting_requests(moment_of(now)).order_by(col(RightRequest.id)).limit(MAX_AT_ONCE)
    for request_id in (await session.execute(statement)).scalars().all():
        try:
            async with session.begin_nested():
                await carry_out(session, request_id, now=now)
        except Exception:
            log.exception("right_request_failed", request_id=str(request_id))
            # Back where the savepoint was, the database may have been told that a firm is asking.
            await act_as_platform(session, now=now)


async def end_archives(session: AsyncSession, *, now: datetime) -> int:
    """Destroy archives whose links have ended; return how many."""
    statement = (
        select(RightRequest)
        .where(col(RightRequest.id).in_(archives_over(moment_of(now))))
        .limit(MAX_ENDED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    rows = (await session.execute(statement)).scalars().all()
    for row in rows:
        row.archive_sealed, row.state = None, RequestState.EXPIRED.value
        session.add(row)
    await session.flush()
    return len(rows)


async def _export(session: AsyncSession, row: RightRequest, *, now: datetime) -> None:
    firm = (await parties.parties_by_id(session, [PartyId(row.firm_id)]))[PartyId(row.firm_id)]
    # As the firm itself, and not as the platform: so nothing of anybody else can get in.
    viewer = Viewer(row.asked_by, PrincipalKind.USER, row.firm_id, firm.kind, frozenset({Role.OWNER}))
    await act_as(session, viewer, now=now)
    sheets, documents = await gather(session, viewer, now=now)
    await act_as_platform(session, now=now)
    packed = pack(sheets, documents, made_at=now)
    row.archive_sealed, row.byte_count = seal_archive(row.id, row.firm_id, packed), len(packed)
    row.state, row.done_at, row.expires_at = RequestState.DONE.value, now, now + LINK_LASTS
    await _write_down(session, row, "rights.exported", now=now)


async def _delete(session: AsyncSession, row: RightRequest, *, now: datetime) -> None:
    held = await queries.holdings(session, row.firm_id, now=now)
    items = sorted({one.item_code for one in held})
    report = await sources.purge(session, [row.firm_id], items, reason=PurgeReason.ASKED, now=now)
    row.facts_deleted = (row.facts_deleted or 0) + report.facts
    left = await queries.holdings(session, row.firm_id, now=now)
    if any(one.reason is None for one in left):
        # More than one batch holds goes on at once; what waits for a door, or to be sealed, within the hour.
        if report.is_more:
            await outbox.announce(session, RightAsked(row.id, row.firm_id), occurred_at=now)
        return
    row.stays = [one.told() for one in left]
    row.state, row.done_at = RequestState.DONE.value, now
    await _write_down(session, row, "rights.deleted", now=now)


async def _write_down(session: AsyncSession, row: RightRequest, action: str, *, now: datetime) -> None:
    await audit.write_down(
        session,
        None,
        action=action,
        subject_ids=[row.firm_id],
        object_kind="right_request",
        object_id=str(row.id),
        now=now,
    )
