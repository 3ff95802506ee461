"""What an open dispute holds: its own fact stays until the case is settled, for nothing else."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.objections.models import Objection, Repair
from xinyidai.sources.rules.keeping import Hold, KeptFor
from xinyidai.sources.service import register_hold


async def disputed_facts(session: AsyncSession, firm_ids: Sequence[UUID]) -> list[Hold]:
    """Return the facts of these firms that an open objection or repair is about; in platform scope."""
    held: list[Hold] = []
    for table in (Objection, Repair):
        statement = select(
            col(table.id), col(table.firm_id), col(table.kind), col(table.delivery_no), col(table.line_no)
        ).where(col(table.firm_id).in_(firm_ids), col(table.settled_at).is_(None))
        held += [
            Hold(
                firm_id=row.firm_id,
                reason=KeptFor.DISPUTE,
                object_id=row.id,
                item_code=row.kind,
                line=(row.delivery_no, row.line_no),
            )
            for row in await session.execute(statement)
        ]
    return held


register_hold(KeptFor.DISPUTE, disputed_facts)
