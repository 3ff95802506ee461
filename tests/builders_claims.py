"""Overdue loans and claims for tests; the session is in platform scope."""

from datetime import datetime, timedelta

from builders_agreements import Line, a_line
from builders_loans import Lent, a_loan
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.loans import service as loans
from xinyidai.risk_sharing import service
from xinyidai.risk_sharing.queries import ClaimView

LONG_AFTER = timedelta(days=31 + 100)
"""From disbursement to a hundred days past the first due date."""


async def an_overdue_loan(
    session: AsyncSession,
    line: Line | None = None,
    *,
    amount_fen: int = 12_000_000,
    fund_cash_fen: int = 10_000_000,
    guarantor_cash_fen: int = 10_000_000,
    now: datetime,
) -> Lent:
    """Return a loan of which nothing was ever paid, a hundred days late at ``now + LONG_AFTER``, and counted then."""
    line = line or await a_line(session, fund_cash_fen=fund_cash_fen, guarantor_cash_fen=guarantor_cash_fen, now=now)
    lent = await a_loan(session, line, amount_fen=amount_fen, now=now)
    await loans.count_days_past_due(session, now=now + LONG_AFTER)
    return lent


async def an_approved_claim(session: AsyncSession, lent: Lent, *, now: datetime) -> ClaimView:
    """Return a claim on an overdue loan that two people of the fund approved."""
    claim = await service.file_claim(session, lent.line.lender.maker, lent.id, now=now)
    await service.approve_claim(session, lent.line.fund.maker, claim.id, now=now)
    return await service.approve_claim(session, lent.line.fund.checker, claim.id, now=now)


async def a_paid_claim(session: AsyncSession, lent: Lent, *, now: datetime) -> ClaimView:
    """Return a claim that was filed, approved and paid."""
    claim = await an_approved_claim(session, lent, now=now)
    return await service.pay_claim(session, lent.line.fund.maker, claim.id, now=now)
