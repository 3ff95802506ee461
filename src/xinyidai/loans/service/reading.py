"""Reading one loan, with the trail that a lender's look leaves."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.audit import service as audit
from xinyidai.loans import queries
from xinyidai.loans.queries import InstalmentView, LoanView


async def read(
    session: AsyncSession, viewer: Viewer, loan_id: UUID, *, now: datetime
) -> tuple[LoanView, list[InstalmentView]]:
    """Return a loan and its instalments to its lender, firm or the operator; who is not the firm leaves an audit row.

    Raises
    ------
    NotFound
    """
    found = await queries.seen_loan(session, viewer, loan_id)
    if found.firm_id != viewer.organisation_id:
        await audit.write_down(
            session,
            viewer,
            action="loans.read",
            subject_ids=[found.firm_id],
            object_kind="loan",
            object_id=str(loan_id),
            now=now,
        )
    return found, await queries.instalments(session, loan_id)
