"""What a running loan holds: the facts that were known when it was drawn, until it is closed, for nothing else."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.loans.models import Loan
from xinyidai.loans.rules.life import LoanState
from xinyidai.sources.rules.keeping import Hold, KeptFor
from xinyidai.sources.service import register_hold


async def facts_lent_on(session: AsyncSession, firm_ids: Sequence[UUID]) -> list[Hold]:
    """Return what loans of these firms that are not closed were lent on; in platform scope."""
    statement = select(col(Loan.id), col(Loan.firm_id), col(Loan.recorded_at)).where(
        col(Loan.firm_id).in_(firm_ids), col(Loan.state) != LoanState.CLOSED.value
    )
    return [
        Hold(firm_id=row.firm_id, reason=KeptFor.LOAN, object_id=row.id, known_at=row.recorded_at)
        for row in await session.execute(statement)
    ]


register_hold(KeptFor.LOAN, facts_lent_on)
