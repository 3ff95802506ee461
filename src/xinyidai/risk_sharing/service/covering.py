"""Covers: made when a covered loan is disbursed, ended with the loan."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.service import platform_scope
from xinyidai.agreements import queries as agreements
from xinyidai.foundation.ids import new_id
from xinyidai.loans import queries as loans
from xinyidai.loans import service as loan_service
from xinyidai.loans.rules.life import LoanState
from xinyidai.risk_sharing import queries
from xinyidai.risk_sharing.models import Claim, Cover
from xinyidai.risk_sharing.queries import CoverView
from xinyidai.risk_sharing.rules import UNPAID, ClaimState, CoverState
from xinyidai.risk_sharing.service.desk import move


async def make_cover(session: AsyncSession, loan_id: UUID, *, now: datetime) -> CoverView | None:
    """Write down the cover of a disbursed loan with the shares its reservation froze; None for an uncovered loan.

    Safe to repeat: deliveries may come twice and a claim makes the cover that is not there yet.
    """
    async with platform_scope(session):
        found = await queries.cover_of_loan(session, loan_id)
        if found is not None:
            return found
        loan = await loans.loan(session, loan_id)
        if loan.reservation_id is None:
            return None
        held = await agreements.reservation(session, loan.reservation_id)
        row = {
            "id": new_id(),
            "loan_id": loan_id,
            "reservation_id": held.id,
            "agreement_id": held.agreement_id,
            "scheme_version": held.scheme_version,
            "firm_id": held.firm_id,
            "lender_id": held.lender_id,
            "fund_id": held.fund_id,
            "guarantor_id": held.guarantor_id,
            "principal_fen": held.principal_fen,
            "lender_ppm": held.shares.lender_ppm,
            "fund_ppm": held.shares.fund_ppm,
            "guarantor_ppm": held.shares.guarantor_ppm,
            # Deliveries come in any order: the loan may be closed before its cover is written down.
            "state": (CoverState.ENDED if loan.state is LoanState.CLOSED else CoverState.ACTIVE).value,
            "included_at": now,
        }
        await session.execute(insert(Cover).values(row).on_conflict_do_nothing(index_elements=["loan_id"]))
        return await queries.cover_of_loan(session, loan_id)


async def end_cover(session: AsyncSession, loan_id: UUID, *, now: datetime) -> None:
    """End the cover of a closed loan, and the claim on it that nobody paid: the borrower did. Safe to repeat.

    Locks the loan, then the claim.
    """
    async with platform_scope(session):
        loan = await loan_service.lock_loan(session, loan_id)
        assert loan.state is LoanState.CLOSED, "only a closed loan ends its cover"
        statement = select(Cover).where(col(Cover.loan_id) == loan_id).with_for_update()
        found = await session.execute(statement.execution_options(populate_existing=True))
        row = found.scalar_one_or_none()
        if row is None or row.state == CoverState.ENDED:
            return
        open_claims = (
            select(Claim)
            .where(col(Claim.loan_id) == loan_id, col(Claim.state).in_(list(UNPAID)))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        for claim in (await session.execute(open_claims)).scalars().all():
            claim.closed_at = now
            await move(session, claim, ClaimState.LAPSED)
        row.state = CoverState.ENDED.value
        row.ended_at = now
        session.add(row)
        await session.flush()
