"""Reads of decisions. Rows are held to the viewer's scope by row-level security."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.decisions.keys import OpenKey, keys_by_id
from xinyidai.decisions.models import Decision
from xinyidai.decisions.opening import open_reasons, open_vector
from xinyidai.decisions.rules import DecisionInputs, Explanation, Outcome, RecordedAs
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of


@dataclass(frozen=True)
class DecisionLine:
    """One line of a list: what was decided when, without reasons."""

    id: UUID
    kind: str
    made_at: datetime
    outcome: Outcome


MAX_OPENED: Final = 1_000
FindRecords = Callable[[AsyncSession, Sequence[UUID]], Awaitable[Mapping[UUID, UUID]]]
_records: dict[str, tuple[str, FindRecords]] = {}


def register_records(kind: str, record_kind: str, find: FindRecords) -> None:
    """Say which row a decision of a kind lives on in; once, by the room that makes them.

    `find` returns the rows' ids by the decisions', as far as the transaction may see them.
    """
    _records[kind] = (record_kind, find)


async def recorded_as(session: AsyncSession, decision_ids: Mapping[UUID, str]) -> dict[UUID, RecordedAs]:
    """Return the rows that decisions live on in; those of a kind that no room registered are left out.

    Parameters
    ----------
    decision_ids : mapping of UUID to str
        Each decision's kind by its id.
    """
    found: dict[UUID, RecordedAs] = {}
    for kind in sorted(set(decision_ids.values()) & _records.keys()):
        record_kind, find = _records[kind]
        rows = await find(session, [one for one, its_kind in decision_ids.items() if its_kind == kind])
        found |= {decision_id: RecordedAs(record_kind, row_id) for decision_id, row_id in rows.items()}
    return found


async def inputs_since(session: AsyncSession, subject_id: UUID, *, since: datetime) -> list[DecisionInputs]:
    """Return what was decided about a subject from a moment on, oldest first, with the vectors opened.

    At most MAX_OPENED; the caller has checked the right to look. Raises `CiphertextAltered` where one does not open.
    """
    statement = (
        select(Decision)
        .where(col(Decision.subject_id) == subject_id, col(Decision.made_at) >= since)
        .order_by(col(Decision.made_at), col(Decision.id))
        .limit(MAX_OPENED)
    )
    rows = (await session.execute(statement)).scalars().all()
    keys = await keys_by_id(session, {row.key_id for row in rows})
    return [
        DecisionInputs(
            id=row.id,
            kind=row.kind,
            made_at=row.made_at,
            outcome=row.outcome,
            vector=open_vector(keys[row.key_id], row.id, row.vector_sealed)[0] if row.key_id in keys else None,
        )
        for row in rows
    ]


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
