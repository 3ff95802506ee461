"""What every verb of loans shares: who may act, the locked row, the accounts, the trail."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    Viewer,
    requires_kind,
    requires_role,
    requires_scope,
)
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.foundation.errors import NotFound
from xinyidai.ledger import service as ledger
from xinyidai.ledger.rules import AccountWanted, Book, Leg
from xinyidai.loans.models import Instalment, Loan

WRITES = "loans:write"


def requires_lender_desk(viewer: Viewer) -> None:
    """Refuse who is no officer or approver of a lender, nor a lender's client with the scope."""
    requires_kind(viewer, OrganisationKind.LENDER)
    requires_scope(viewer, WRITES)
    if viewer.principal_kind is not PrincipalKind.CLIENT:
        requires_role(viewer, Role.OFFICER, Role.APPROVER)


async def locked_loan(session: AsyncSession, loan_id: UUID) -> Loan:
    """Lock a loan until the transaction ends and return its row as it is now.

    Raises
    ------
    NotFound
    """
    row = await session.get(Loan, loan_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    return row


async def instalments_of(session: AsyncSession, loan_id: UUID) -> list[Instalment]:
    """Return the rows of a locked loan's instalments in order, as they are now."""
    statement = (
        select(Instalment)
        .where(col(Instalment.loan_id) == loan_id)
        .order_by(col(Instalment.number))
        .execution_options(populate_existing=True)
    )
    return list((await session.execute(statement)).scalars())


async def principal_legs(session: AsyncSession, lender_id: UUID, amount_fen: int) -> tuple[Leg, Leg]:
    """Return the legs that raise (or lower, when negative) what a lender's borrowers owe of principal."""
    of_lender = f"lending:lender:{lender_id}"
    lent, outstanding = await ledger.open_accounts(
        session,
        AccountWanted(Book.LENDING, f"{of_lender}:lent", lender_id),
        AccountWanted(Book.LENDING, f"{of_lender}:principal_outstanding", lender_id, floor_fen=0),
    )
    return Leg(outstanding, amount_fen), Leg(lent, -amount_fen)


async def write_down(session: AsyncSession, viewer: Viewer, row: Loan, action: str, *, now: datetime) -> None:
    """Leave the audit row of an act on a loan."""
    async with platform_scope(session):
        await audit.write_down(
            session,
            viewer,
            action=action,
            subject_ids=[row.firm_id],
            object_kind="loan",
            object_id=str(row.id),
            now=now,
        )
