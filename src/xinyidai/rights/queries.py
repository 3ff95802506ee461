"""Reading a firm's requests, and what is held of it."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.access.service import platform_scope
from xinyidai.foundation.canonical import Json
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, before_id, limit_of, page_of
from xinyidai.rights.models import RightRequest
from xinyidai.rights.rules import Holding, RequestId, RequestKind, RequestState, RequestView, together
from xinyidai.sources import service as sources
from xinyidai.sources.rules.keeping import KeptFor


async def requests(
    session: AsyncSession, viewer: Viewer, *, cursor: str | None = None, limit: int = 50
) -> Page[RequestView]:
    """Return what the viewer's firm asked for, newest first."""
    size = limit_of(limit)
    statement = (
        select(RightRequest)
        .options(defer(RightRequest.archive_sealed))  # type: ignore[arg-type]
        .where(col(RightRequest.firm_id) == viewer.organisation_id, col(RightRequest.id) < before_id(cursor))
        .order_by(col(RightRequest.id).desc())
        .limit(size + 1)
    )
    rows = (await session.execute(statement)).scalars()
    return page_of([view_of(row) for row in rows], limit=size, id_of=lambda view: view.id)


async def request(session: AsyncSession, viewer: Viewer, request_id: UUID) -> RequestView:
    """Return one request to its firm; to anybody else it is not there (`NotFound`)."""
    return view_of(await own_request(session, viewer, request_id))


async def own_request(session: AsyncSession, viewer: Viewer, request_id: UUID) -> RightRequest:
    """Return the row of a request of the viewer's firm; `NotFound` otherwise."""
    statement = select(RightRequest).where(
        col(RightRequest.id) == request_id, col(RightRequest.firm_id) == viewer.organisation_id
    )
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        raise NotFound
    return row


async def holdings(session: AsyncSession, firm_id: UUID, *, now: datetime) -> tuple[Holding, ...]:
    """Return what is held of a firm by item, and why it would stay if the firm asked that it go. Counts, no fact.

    The caller has checked who asks.
    """
    async with platform_scope(session):
        judged = await sources.judge(session, [firm_id], now=now, is_asked=True)
    found: list[Holding] = []
    for one in judged:
        if one.kept is not None:
            found.append(Holding(one.held.item_code, one.held.facts, one.kept.reason, one.kept.until))
            continue
        found.append(Holding(one.held.item_code, one.going, None, None))
        found.append(Holding(one.held.item_code, one.held.facts - one.going, KeptFor.DISPUTE, None))
    return together(found)


def view_of(row: RightRequest) -> RequestView:
    """Return a request's row as its firm sees it."""
    return RequestView(
        id=RequestId(row.id),
        firm_id=row.firm_id,
        kind=RequestKind(row.kind),
        state=RequestState(row.state),
        asked_at=row.asked_at,
        done_at=row.done_at,
        expires_at=row.expires_at,
        byte_count=row.byte_count,
        facts_deleted=row.facts_deleted,
        stays=tuple(_holding_of(told) for told in row.stays),
    )


def _holding_of(told: Mapping[str, Json]) -> Holding:
    until, reason, facts = told["until"], told["reason"], told["facts"]
    assert isinstance(facts, int), "written by Holding.told"
    return Holding(
        item_code=str(told["item_code"]),
        facts=facts,
        reason=None if reason is None else KeptFor(str(reason)),
        until=None if until is None else datetime.fromisoformat(str(until)),
    )
