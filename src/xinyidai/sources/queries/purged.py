"""What was purged, by its tombstones; and what is held of a firm, in counts."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import any_, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.service import platform_scope
from xinyidai.sources.models import Tombstone
from xinyidai.sources.rules.keeping import Held, Purged, PurgeReason
from xinyidai.sources.rules.origins import FactRef

MAX_STONES = 200
_HELD = text(
    "SELECT item_code, delivery_no, min(recorded_at) AS recorded_at, sum(facts)::bigint AS facts,"
    " sum(aside)::bigint AS aside FROM sources.held(:firm_id, :credit_code) GROUP BY item_code, delivery_no"
    " ORDER BY item_code, delivery_no"
)


async def held(session: AsyncSession, firm_id: UUID, *, credit_code: str = "") -> list[Held]:
    """Return what is held of a firm by item and delivery; with its credit code, rows kept aside too. Counts only."""
    found = await session.execute(_HELD, {"firm_id": firm_id, "credit_code": credit_code})
    return [Held(row.item_code, row.delivery_no, row.recorded_at, row.facts, row.aside) for row in found]


async def purged(
    session: AsyncSession, firm_id: UUID, *, item_code: str | None = None, known_at: datetime | None = None
) -> list[Purged]:
    """Return what was purged of a firm, newest first, at most MAX_STONES; of what was known by a moment, where given.

    The caller has checked who asks: tombstones say when something was held, and nothing of what it said.
    """
    statement = (
        select(Tombstone)
        .where(col(Tombstone.firm_id) == firm_id)
        .order_by(
            col(Tombstone.purged_at).desc(), col(Tombstone.delivery_no), col(Tombstone.chunk), col(Tombstone.part)
        )
        .limit(MAX_STONES)
    )
    if item_code is not None:
        statement = statement.where(col(Tombstone.item_code) == item_code)
    if known_at is not None:
        statement = statement.where(col(Tombstone.recorded_at) <= known_at)
    async with platform_scope(session):
        rows = (await session.execute(statement)).scalars().all()
    return [_purged_of(row) for row in rows]


async def tombstone_of(session: AsyncSession, ref: FactRef) -> Purged | None:
    """Return the tombstone that covers a fact, None where it was not purged. The caller has checked who asks."""
    statement = select(Tombstone).where(
        col(Tombstone.firm_id) == ref.firm_id,
        col(Tombstone.delivery_no) == ref.delivery_no,
        col(Tombstone.item_code) == ref.item_code,
        literal(ref.line_no) == any_(col(Tombstone.line_nos)),
    )
    async with platform_scope(session):
        row = (await session.execute(statement.limit(1))).scalar_one_or_none()
    return None if row is None else _purged_of(row)


async def firms_purged(
    session: AsyncSession, firm_ids: Collection[UUID], *, item_code: str, known_at: datetime
) -> set[UUID]:
    """Return those of the firms of whom a fact of the item that was known by a moment is purged. In platform scope."""
    statement = (
        select(col(Tombstone.firm_id))
        .where(
            col(Tombstone.firm_id).in_(sorted(firm_ids)),
            col(Tombstone.item_code) == item_code,
            col(Tombstone.recorded_at) <= known_at,
        )
        .distinct()
    )
    return set((await session.execute(statement)).scalars())


async def items_purged(session: AsyncSession, firm_id: UUID) -> dict[str, int]:
    """Return how many facts of each item were purged of a firm. The caller has checked who asks."""
    counted = func.sum(func.cardinality(col(Tombstone.line_nos)))
    statement = (
        select(col(Tombstone.item_code), counted)
        .where(col(Tombstone.firm_id) == firm_id)
        .group_by(col(Tombstone.item_code))
    )
    async with platform_scope(session):
        return {code: int(facts) for code, facts in await session.execute(statement)}


async def deliveries_purged(session: AsyncSession, delivery_nos: Sequence[int]) -> set[int]:
    """Return those of the deliveries of which a fact is purged. In platform scope."""
    statement = select(col(Tombstone.delivery_no)).where(col(Tombstone.delivery_no).in_(delivery_nos)).distinct()
    return set((await session.execute(statement)).scalars())


def _purged_of(row: Tombstone) -> Purged:
    return Purged(
        item_code=row.item_code,
        delivery_no=row.delivery_no,
        facts=len(row.line_nos),
        recorded_at=row.recorded_at,
        purged_at=row.purged_at,
        reason=PurgeReason(row.reason),
        proof=row.proof,
    )
