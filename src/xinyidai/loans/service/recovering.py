"""What a paid claim and its recoveries do to a loan. Called by risk_sharing in its transactions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import platform_scope
from xinyidai.demands import service as demands
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.money import Fen
from xinyidai.foundation.outbox import announce
from xinyidai.ledger.rules import Leg
from xinyidai.loans import queries
from xinyidai.loans.events import LoanClosed
from xinyidai.loans.models import Loan
from xinyidai.loans.queries import LoanView
from xinyidai.loans.rules.life import LoanState, LoanStepRefused, check_loan_step
from xinyidai.loans.service.counting import count, tell
from xinyidai.loans.service.desk import instalments_of, locked_loan, principal_legs


async def lock_loan(session: AsyncSession, loan_id: UUID) -> LoanView:
    """Lock a loan until the transaction ends and return it as it is now.

    Raises
    ------
    NotFound
    """
    async with platform_scope(session):
        return queries.view_of(await locked_loan(session, loan_id))


async def mark_compensated(session: AsyncSession, loan_id: UUID, *, now: datetime) -> LoanView:
    """Write down that a claim on the loan was paid: what is collected from now on is a recovery. Locks the loan.

    Counts its days past due first: last night's count may be missing, and a claim asks for today's.

    Raises
    ------
    NotFound, LoanStepRefused
    """
    async with platform_scope(session):
        row = await locked_loan(session, loan_id)
        owed = [queries.instalment_of(one).owed for one in await instalments_of(session, row.id)]
        counted = count(row, owed, await queries.class_floors(session), on=business_date(now))
        await tell(session, [counted], now=now)
        check_loan_step(LoanState(row.state), LoanState.COMPENSATED)
        row.state = LoanState.COMPENSATED.value
        session.add(row)
        await session.flush()
    return queries.view_of(row)


async def apply_recovery(
    session: AsyncSession, loan_id: UUID, *, principal_fen: Fen, now: datetime
) -> tuple[LoanView, tuple[Leg, ...]]:
    """Lower what is owed by recovered principal and return the legs of the LENDING book, which the caller posts.

    The loan is closed with its last fen. Locks the loan.

    Raises
    ------
    NotFound
    LoanStepRefused
        The loan is not compensated.
    """
    async with platform_scope(session):
        row = await locked_loan(session, loan_id)
        if row.state != LoanState.COMPENSATED:
            raise LoanStepRefused(state=row.state, wanted=LoanState.COMPENSATED.value)
        row.principal_recovered_fen += principal_fen
        session.add(row)
        await session.flush()
        if queries.view_of(row).outstanding_fen == 0:
            await _close(session, row, now=now)
        await demands.record_exposure(
            session,
            firm_id=row.firm_id,
            lender_id=row.lender_id,
            loan_id=row.id,
            outstanding_fen=queries.view_of(row).outstanding_fen,
            now=now,
        )
        legs = await principal_legs(session, row.lender_id, -principal_fen) if principal_fen else ()
    return queries.view_of(row), legs


async def _close(session: AsyncSession, row: Loan, *, now: datetime) -> None:
    check_loan_step(LoanState(row.state), LoanState.CLOSED)
    row.state = LoanState.CLOSED.value
    row.closed_on = business_date(now)
    row.days_past_due = 0
    session.add(row)
    await session.flush()
    ids = (str(row.id), str(row.firm_id), str(row.lender_id))
    await announce(session, LoanClosed(*ids), occurred_at=now)
