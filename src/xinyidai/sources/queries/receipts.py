"""Reading receipts of what passed through."""

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.consents.rules import Purpose
from xinyidai.foundation.paging import Page, before_id, limit_of, page_of
from xinyidai.sources.models.derived import Receipt
from xinyidai.sources.rules.passing import ReceiptView


async def receipts(
    session: AsyncSession, viewer: Viewer, *, cursor: str | None = None, limit: int = 50
) -> Page[ReceiptView]:
    """Return the receipts of what was asked about, by or of the viewer's organisation, newest first."""
    size, own = limit_of(limit), viewer.organisation_id
    statement = (
        select(Receipt)
        .where(or_(col(Receipt.firm_id) == own, col(Receipt.asker_id) == own, col(Receipt.provider_id) == own))
        .where(col(Receipt.id) < before_id(cursor))
        .order_by(col(Receipt.id).desc())
        .limit(size + 1)
    )
    rows = (await session.execute(statement)).scalars().all()
    return page_of([_view(row) for row in rows], limit=size, id_of=lambda one: one.id)


def _view(row: Receipt) -> ReceiptView:
    return ReceiptView(
        id=row.id,
        firm_id=row.firm_id,
        asker_id=row.asker_id,
        provider_id=row.provider_id,
        item_code=row.item_code,
        purpose=Purpose(row.purpose),
        consent_ids=tuple(row.consent_ids),
        covers_from=row.covers_from,
        covers_to=row.covers_to,
        answer_digest=row.answer_digest,
        key_id=row.key_id,
        signature=row.signature,
        asked_at=row.asked_at,
        answered_at=row.answered_at,
    )
