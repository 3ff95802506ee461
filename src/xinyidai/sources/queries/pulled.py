"""Reading pulls and their parts: by their firm, and counted for the operator."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.access.service import platform_scope
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of
from xinyidai.sources.models import Pull, PullPart
from xinyidai.sources.rules.pull_parts import PartState, PartView, PullReason
from xinyidai.sources.rules.pulls import PullId, PullSource, PullState, PullView
from xinyidai.sources.rules.senders import PullCount


async def pull_counts(session: AsyncSession, viewer: Viewer, *, since: datetime) -> list[PullCount]:
    """Return how the pulls stand that were asked for since a moment, by source, state and reason: for the operator."""
    requires_kind(viewer, OrganisationKind.OPERATOR)
    kinds = (col(Pull.source), col(Pull.state), col(Pull.reason))
    statement = (
        select(*kinds, func.count().label("how_many"), func.max(col(Pull.asked_at)).label("newest_at"))
        .where(col(Pull.asked_at) >= since)
        .group_by(*kinds)
        .order_by(*kinds)
    )
    async with platform_scope(session):
        found = (await session.execute(statement)).all()
    return [
        PullCount(
            source=PullSource(row.source),
            state=PullState(row.state),
            reason=None if row.reason is None else PullReason(row.reason),
            count=row.how_many,
            newest_at=row.newest_at,
        )
        for row in found
    ]


async def pulls(session: AsyncSession, viewer: Viewer, *, cursor: str | None = None, limit: int = 50) -> Page[PullView]:
    """Return the pulls of the viewer's firm, in the order they were asked for."""
    size = limit_of(limit)
    found = await session.execute(
        select(Pull)
        .where(col(Pull.firm_id) == viewer.organisation_id, col(Pull.id) > after_id(cursor))
        .order_by(col(Pull.id))
        .limit(size + 1)
    )
    return page_of(await _with_parts(session, found.scalars().all()), limit=size, id_of=lambda view: view.id)


async def latest_pulls(session: AsyncSession, viewer: Viewer) -> list[PullView]:
    """Return the newest pull of each source for the viewer's firm, in the order of the sources."""
    newest = (
        select(Pull)
        .where(col(Pull.firm_id) == viewer.organisation_id)
        .ext(distinct_on(col(Pull.source)))
        .order_by(col(Pull.source), col(Pull.id).desc())
    )
    order = list(PullSource)
    views = await _with_parts(session, (await session.execute(newest)).scalars().all())
    return sorted(views, key=lambda view: order.index(view.source))


async def pull(session: AsyncSession, viewer: Viewer, pull_id: UUID) -> PullView:
    """Return a pull to its firm; to anybody else it is not there (`NotFound`)."""
    mine = select(Pull).where(col(Pull.id) == pull_id, col(Pull.firm_id) == viewer.organisation_id)
    row = (await session.execute(mine)).scalar_one_or_none()
    if row is None:
        raise NotFound
    return (await _with_parts(session, [row]))[0]


async def parts_of(session: AsyncSession, pull_ids: Collection[UUID]) -> dict[UUID, list[PartView]]:
    """Return the parts of pulls, each in the order of its source's items."""
    statement = select(PullPart).where(col(PullPart.pull_id).in_(pull_ids)).order_by(col(PullPart.place))
    found: dict[UUID, list[PartView]] = {one: [] for one in pull_ids}
    for row in (await session.execute(statement, execution_options={"populate_existing": True})).scalars():
        found[row.pull_id].append(part_view(row))
    return found


async def _with_parts(session: AsyncSession, rows: Sequence[Pull]) -> list[PullView]:
    parts = await parts_of(session, [row.id for row in rows])
    return [pull_view(row, tuple(parts[row.id])) for row in rows]


def part_view(row: PullPart) -> PartView:
    """Return a part's row as its firm sees it."""
    return PartView(
        item_code=row.item_code,
        state=PartState(row.state),
        reason=None if row.reason is None else PullReason(row.reason),
        pages_done=row.pages_done,
        pages=row.pages,
        covers_from=row.covers_from,
        covers_to=row.covers_to,
        received=row.received,
        loaded=row.loaded,
        delivery_id=row.delivery_id,
        expected_by=row.expected_by,
        ended_at=row.ended_at,
    )


def pull_view(row: Pull, parts: tuple[PartView, ...] = ()) -> PullView:
    """Return a pull's row as its firm sees it."""
    return PullView(
        id=PullId(row.id),
        firm_id=row.firm_id,
        source=PullSource(row.source),
        state=PullState(row.state),
        reason=None if row.reason is None else PullReason(row.reason),
        asked_at=row.asked_at,
        months_from=row.months_from,
        months_to=row.months_to,
        pages_done=row.pages_done,
        pages=row.pages,
        covers_from=row.covers_from,
        covers_to=row.covers_to,
        attempts=row.attempts,
        retries_at=row.retries_at,
        received=row.received,
        loaded=row.loaded,
        delivery_id=row.delivery_id,
        ended_at=row.ended_at,
        parts=parts,
    )
