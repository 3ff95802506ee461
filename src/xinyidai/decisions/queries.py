"""Reads of decisions. Rows are held to the viewer's scope by row-level security."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.decisions.keys import OpenKey, keys_by_id
from xinyidai.decisions.models import Decision
from xinyidai.decisions.opening import open_reasons
from xinyidai.decisions.rules import Explanation, Outcome
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of


@dataclass(frozen=True)
class DecisionLine:
    """One line of a list: what was decided when, without reasons."""

    id: UUID
    kind: str
    made_at: datetime
    outcome: Outcome


async def explanation(session: AsyncSession, viewer: Viewer, decision_id: UUID) -> Explanation:
    """Return a decision about the viewer's own organisation.

    Raises
    ------
    NotFound
        No such decision, or one about somebody else.
    """
    statement = select(Decision).where(
        col(Decision.id) == decision_id, col(Decision.subject_id) == viewer.organisation_id
    )
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        raise NotFound
    keys = await keys_by_id(session, [row.key_id])
    return _explanation(row, keys)


async def explanations(session: AsyncSession, decision_ids: Collection[UUID]) -> dict[UUID, Explanation]:
    """Return the decisions that the transaction may see; for a room that made them and has checked the right."""
    if not decision_ids:
        return {}
    rows = (await session.execute(select(Decision).where(col(Decision.id).in_(decision_ids)))).scalars().all()
    keys = await keys_by_id(session, {row.key_id for row in rows})
    return {row.id: _explanation(row, keys) for row in rows}


async def decisions_about(
    session: AsyncSession, viewer: Viewer, *, cursor: str | None, limit: int
) -> Page[DecisionLine]:
    """Return the decisions about the viewer's own organisation, oldest first."""
    size = limit_of(limit)
    statement = (
        select(Decision)
        .where(col(Decision.subject_id) == viewer.organisation_id, col(Decision.id) > after_id(cursor))
        .order_by(col(Decision.id))
        .limit(size + 1)
    )
    rows = (await session.execute(statement)).scalars()
    lines = [DecisionLine(row.id, row.kind, row.made_at, row.outcome) for row in rows]
    return page_of(lines, limit=size, id_of=lambda line: line.id)


def _explanation(row: Decision, keys: Mapping[UUID, OpenKey]) -> Explanation:
    key = keys.get(row.key_id)
    return Explanation(
        id=row.id,
        kind=row.kind,
        subject_id=row.subject_id,
        made_at=row.made_at,
        outcome=row.outcome,
        reasons=None if key is None else open_reasons(key, row.id, row.reasons_sealed),
        versions=row.versions,
    )
