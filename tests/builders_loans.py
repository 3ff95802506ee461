"""Accepted offers and loans for tests; the session is in platform scope.

A demand is submitted, capacity is reserved and a loan is disbursed through the rooms' own verbs. The offer between them
is written as rows: matching has its own tests, and a loan needs no score.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from builders_agreements import Line, a_line
from builders_parties import a_firm
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.agreements import service as agreements
from xinyidai.demands import service as demands
from xinyidai.demands.rules import DemandState, LoanUse, RepaymentKind
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.ids import new_id
from xinyidai.loans import service
from xinyidai.loans.queries import LoanView
from xinyidai.matching.models import Dispatch, Offer, OfferStanding
from xinyidai.matching.rules.states import DispatchPath, DispatchState, OfferState


@dataclass(frozen=True)
class Accepted:
    """An accepted offer, the firm that accepted it and the line that covers it."""

    offer_id: UUID
    firm: Viewer
    line: Line
    reservation_id: UUID | None


@dataclass(frozen=True)
class Lent:
    """A disbursed loan, its firm and its line."""

    loan: LoanView
    firm: Viewer
    line: Line

    @property
    def id(self) -> UUID:
        """Return the loan's id."""
        return self.loan.id


async def an_accepted_offer(
    session: AsyncSession,
    line: Line | None = None,
    *,
    firm: Viewer | None = None,
    amount_fen: int = 12_000_000,
    rate_bp: int = 480,
    term_months: int = 12,
    repayment_kind: RepaymentKind = RepaymentKind.EQUAL_INSTALMENTS,
    is_covered: bool = True,
    now: datetime,
) -> Accepted:
    """Return an offer that its firm accepted a moment ago, with capacity reserved unless it is not covered."""
    line = line or await a_line(session, now=now)
    firm = firm or await a_firm(session, now=now)
    demand_id = await _an_accepted_demand(session, firm, amount_fen, term_months, repayment_kind, now=now)
    dispatch = Dispatch(
        demand_id=demand_id,
        firm_id=firm.organisation_id,
        lender_id=line.lender.id,
        product_id=new_id(),
        decision_id=new_id(),
        consent_id=new_id(),
        eligibility_digest=bytes(32),
        path=DispatchPath.MATCH.value,
        state=DispatchState.OFFERED.value,
        due_on=business_date(now) + timedelta(days=14),
        is_due_provisional=False,
        sent_at=now,
        chosen_at=now,
        authority_id=new_id(),
        offered_at=now,
    )
    session.add(dispatch)
    await session.flush()
    offer = Offer(
        dispatch_id=dispatch.id,
        demand_id=demand_id,
        firm_id=firm.organisation_id,
        lender_id=line.lender.id,
        product_id=dispatch.product_id,
        amount_fen=amount_fen,
        rate_bp=rate_bp,
        term_months=term_months,
        repayment_kind=repayment_kind.value,
        total_interest_fen=0,
        requires_cover=is_covered,
        valid_until=now + timedelta(days=10),
        made_by=line.lender.maker.principal_id,
        made_at=now,
    )
    session.add(offer)
    await session.flush()
    reservation_id = await _reserved(session, line, offer, now=now) if is_covered else None
    session.add(
        OfferStanding(
            offer_id=offer.id,
            demand_id=demand_id,
            firm_id=firm.organisation_id,
            lender_id=line.lender.id,
            made_by=line.lender.maker.principal_id,
            valid_until=offer.valid_until,
            state=OfferState.ACCEPTED.value,
            approved_by=line.lender.checker.principal_id,
            approved_at=now,
            accepted_by=firm.principal_id,
            accepted_at=now,
            disburse_by=business_date(now) + timedelta(days=30),
            reservation_id=reservation_id,
        )
    )
    await session.flush()
    return Accepted(offer.id, firm, line, reservation_id)


async def a_loan(
    session: AsyncSession,
    line: Line | None = None,
    *,
    firm: Viewer | None = None,
    amount_fen: int = 12_000_000,
    rate_bp: int = 480,
    term_months: int = 12,
    repayment_kind: RepaymentKind = RepaymentKind.EQUAL_INSTALMENTS,
    is_covered: bool = True,
    disbursed_on: date | None = None,
    now: datetime,
) -> Lent:
    """Return a loan that was disbursed today."""
    accepted = await an_accepted_offer(
        session,
        line,
        firm=firm,
        amount_fen=amount_fen,
        rate_bp=rate_bp,
        term_months=term_months,
        repayment_kind=repayment_kind,
        is_covered=is_covered,
        now=now,
    )
    loan = await service.disburse(
        session, accepted.line.lender.maker, accepted.offer_id, disbursed_on=disbursed_on, now=now
    )
    return Lent(loan, accepted.firm, accepted.line)


async def _an_accepted_demand(
    session: AsyncSession,
    firm: Viewer,
    amount_fen: int,
    term_months: int,
    repayment_kind: RepaymentKind,
    *,
    now: datetime,
) -> UUID:
    demand = await demands.submit(
        session,
        firm,
        amount_fen=amount_fen,
        term_months=term_months,
        use=LoanUse.RAW_MATERIALS,
        repayment_kind=repayment_kind,
        wanted_by=business_date(now) + timedelta(days=30),
        now=now,
    )
    for state in (DemandState.MATCHING, DemandState.OFFERED, DemandState.ACCEPTED):
        await demands.mark(session, demand.id, state, now=now)
    return demand.id


async def _reserved(session: AsyncSession, line: Line, offer: Offer, *, now: datetime) -> UUID:
    reservation = await agreements.reserve(
        session,
        lender_id=line.lender.id,
        firm_id=offer.firm_id,
        offer_id=offer.id,
        principal_fen=offer.amount_fen,
        rate_bp=offer.rate_bp,
        now=now,
    )
    return reservation.id
