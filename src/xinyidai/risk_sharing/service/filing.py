"""Filing a claim, and taking it back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.access.service import platform_scope
from xinyidai.agreements import queries as agreement_queries
from xinyidai.agreements import service as agreements
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.loans import queries as loans
from xinyidai.loans import service as loan_service
from xinyidai.loans.queries import LoanView
from xinyidai.risk_sharing import queries
from xinyidai.risk_sharing.events import ClaimFiled
from xinyidai.risk_sharing.models import Claim
from xinyidai.risk_sharing.queries import ClaimView
from xinyidai.risk_sharing.rules import (
    UNPAID,
    ClaimAlreadyFiled,
    ClaimState,
    ClaimStepRefused,
    ClaimTooEarly,
    LoanNotCovered,
    NothingLost,
)
from xinyidai.risk_sharing.service.covering import make_cover
from xinyidai.risk_sharing.service.desk import (
    found_claim,
    locked_claim,
    move,
    requires_lender_desk,
    tell,
    write_down,
)


async def file_claim(session: AsyncSession, viewer: Viewer, loan_id: UUID, *, now: datetime) -> ClaimView:
    """Claim the unpaid principal of a loan that is overdue long enough; what it reserved is claimed from now on.

    Days past due are counted from the instalments at this moment, not taken from last night's job. Locks the loan.

    Raises
    ------
    NotAllowed, NotFound
        No officer of a lender; another lender's loan.
    LoanNotCovered, ClaimAlreadyFiled, NothingLost
    ClaimTooEarly
        Fewer days past due than the agreement asks for.
    """
    requires_lender_desk(viewer)
    async with platform_scope(session):
        loan = await loan_service.lock_loan(session, loan_id)
        if loan.lender_id != viewer.organisation_id:
            raise NotFound
        cover = await make_cover(session, loan_id, now=now)
        if cover is None:
            raise LoanNotCovered
        if await _standing_claim(session, loan_id):
            raise ClaimAlreadyFiled
        if loan.outstanding_fen == 0:
            raise NothingLost
        days = await requires_long_overdue(session, loan, cover.agreement_id, now=now)
        row = Claim(
            cover_id=cover.id,
            loan_id=loan_id,
            reservation_id=cover.reservation_id,
            agreement_id=cover.agreement_id,
            firm_id=cover.firm_id,
            lender_id=cover.lender_id,
            fund_id=cover.fund_id,
            guarantor_id=cover.guarantor_id,
            days_past_due=days,
            claimed_fen=loan.outstanding_fen,
            filed_by=viewer.principal_id,
            filed_at=now,
        )
        session.add(row)
        await session.flush()
        await agreements.claim_exposure(
            session, row.reservation_id, claim_id=row.id, maker_id=viewer.principal_id, now=now
        )
        await tell(session, row, ClaimFiled, now=now)
    await write_down(session, viewer, row, "risk_sharing.claim_filed", now=now)
    return queries.claim_of(row)


async def withdraw_claim(session: AsyncSession, viewer: Viewer, claim_id: UUID, *, now: datetime) -> ClaimView:
    """Take back a claim that is not paid; the loan stays covered. Locks the loan, then the claim.

    Raises
    ------
    NotAllowed, NotFound, ClaimStepRefused
    """
    requires_lender_desk(viewer)
    async with platform_scope(session):
        loan_id = (await found_claim(session, claim_id)).loan_id
        await loan_service.lock_loan(session, loan_id)
        row = await locked_claim(session, claim_id)
        if row.lender_id != viewer.organisation_id:
            raise NotFound
        if row.state not in UNPAID:
            raise ClaimStepRefused(state=row.state, wanted=ClaimState.LAPSED.value)
        row.closed_at = now
        await move(session, row, ClaimState.LAPSED)
        await agreements.unclaim_exposure(
            session, row.reservation_id, claim_id=row.id, maker_id=viewer.principal_id, now=now
        )
    await write_down(session, viewer, row, "risk_sharing.claim_withdrawn", now=now)
    return queries.claim_of(row)


async def requires_long_overdue(session: AsyncSession, loan: LoanView, agreement_id: UUID, *, now: datetime) -> int:
    """Return days past due now; refuse with `ClaimTooEarly` when they are fewer than the agreement asks for."""
    days = await loans.days_late(session, loan.id, on=business_date(now))
    wanted = (await agreement_queries.agreement(session, agreement_id)).claim_after_days
    if days < wanted:
        raise ClaimTooEarly(days_past_due=days, claim_after_days=wanted)
    return days


async def _standing_claim(session: AsyncSession, loan_id: UUID) -> bool:
    over = [ClaimState.DENIED, ClaimState.LAPSED]
    statement = select(col(Claim.id)).where(col(Claim.loan_id) == loan_id, col(Claim.state).not_in(over))
    return (await session.execute(statement)).first() is not None
