"""Credit lines and their drawdown: an accepted offer becomes a line, and the line, once, a loan."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.access.service import platform_scope
from xinyidai.agreements import service as agreements
from xinyidai.demands import service as demands
from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.clock import add_months, business_date
from xinyidai.foundation.money import Fen
from xinyidai.foundation.outbox import announce
from xinyidai.ledger import service as ledger
from xinyidai.ledger.rules import Posting
from xinyidai.loans import queries
from xinyidai.loans.events import LoanDisbursed
from xinyidai.loans.models import CreditLine, Instalment, Loan
from xinyidai.loans.queries import CreditLineView, LoanView
from xinyidai.loans.rules.life import (
    CreditLineState,
    DisbursementDateRefused,
    FirstLoan,
    LineLapsed,
    OfferNotAccepted,
    PaymentKind,
    checked_reference,
)
from xinyidai.loans.rules.schedules import schedule
from xinyidai.loans.service.desk import principal_legs, requires_lender_desk, write_down
from xinyidai.matching import queries as offers
from xinyidai.matching import service as matching
from xinyidai.matching.queries import AcceptedOffer
from xinyidai.parties import queries as parties


@dataclass(frozen=True)
class PaidOut:
    """How the lender paid the loan out, and what it attests about the firm."""

    on: date
    payment_kind: PaymentKind = PaymentKind.SELF
    payment_reference: str | None = None
    first_loan: FirstLoan | None = None


async def open_line(session: AsyncSession, offer_id: UUID) -> CreditLineView | None:
    """Write down the credit line of an accepted offer; None when the acceptance has lapsed. Safe to repeat."""
    async with platform_scope(session):
        accepted = await offers.accepted_offer(session, offer_id)
        if accepted is None:
            return None
        await demands.lock(session, accepted.demand_id)
        return queries.line_of(await _line(session, accepted))


async def lapse_line(session: AsyncSession, offer_id: UUID) -> None:
    """Close the credit line of an acceptance that lapsed; what it reserved, matching has released. Safe to repeat."""
    async with platform_scope(session):
        row = await _line_of_offer(session, offer_id)
        if row is not None and row.state == CreditLineState.GRANTED:
            row.state = CreditLineState.LAPSED.value
            session.add(row)
            await session.flush()


async def disburse(
    session: AsyncSession,
    viewer: Viewer,
    offer_id: UUID,
    *,
    disbursed_on: date | None = None,
    payment_kind: PaymentKind = PaymentKind.SELF,
    payment_reference: str | None = None,
    first_loan: FirstLoan | None = None,
    now: datetime,
) -> LoanView:
    """Write down that the lender paid out an accepted offer, in full and once; repeating it answers with the loan.

    Whether it is the firm's first loan only the lender can say, from the central bank's register: it attests, by a
    named definition. Locks the demand, so the acceptance cannot lapse meanwhile; what was reserved becomes cover in the
    same transaction. Announces `LoanDisbursed`.

    Raises
    ------
    NotAllowed, NotFound
        No officer of a lender; another lender's offer.
    OfferNotAccepted, LineLapsed
        Not accepted; or the last day to draw is past.
    DisbursementDateRefused, LoanReferenceRefused
    """
    requires_lender_desk(viewer)
    paid_out = PaidOut(disbursed_on or business_date(now), payment_kind, payment_reference, first_loan)
    if payment_reference is not None:
        checked_reference(payment_reference)
    offer = await offers.offer(session, viewer, offer_id)
    async with platform_scope(session):
        await demands.lock(session, offer.demand_id)
        drawn = await queries.loan_of_offer(session, offer_id)
        if drawn is not None:
            return drawn
        accepted = await offers.accepted_offer(session, offer_id)
        if accepted is None or accepted.lender_id != viewer.organisation_id:
            raise OfferNotAccepted
        _check_dates(accepted, paid_out, now=now)
        line = await _line(session, accepted)
        row = await _loan(session, viewer, accepted, line, paid_out, now=now)
        await _settle(session, viewer, row, now=now)
        await matching.mark_disbursed(session, offer_id, now=now)
        await write_down(session, viewer, row, "loans.disbursed", now=now)
    return queries.view_of(row)


def _check_dates(accepted: AcceptedOffer, paid_out: PaidOut, *, now: datetime) -> None:
    if business_date(now) > accepted.disburse_by:
        raise LineLapsed
    if not business_date(accepted.accepted_at) <= paid_out.on <= business_date(now):
        raise DisbursementDateRefused


async def _line(session: AsyncSession, accepted: AcceptedOffer) -> CreditLine:
    """Return the credit line of an accepted offer, made, to be written, when there is none. The demand is locked."""
    row = await _line_of_offer(session, accepted.offer_id)
    if row is None:
        row = CreditLine(
            offer_id=accepted.offer_id,
            demand_id=accepted.demand_id,
            firm_id=accepted.firm_id,
            lender_id=accepted.lender_id,
            reservation_id=accepted.reservation_id,
            amount_fen=accepted.amount_fen,
            rate_bp=accepted.rate_bp,
            term_months=accepted.term_months,
            repayment_kind=accepted.repayment_kind.value,
            granted_at=accepted.accepted_at,
            draw_by=accepted.disburse_by,
        )
        session.add(row)
    return row


async def _line_of_offer(session: AsyncSession, offer_id: UUID) -> CreditLine | None:
    statement = select(CreditLine).where(col(CreditLine.offer_id) == offer_id).with_for_update()
    found = await session.execute(statement.execution_options(populate_existing=True))
    return found.scalar_one_or_none()


async def _loan(
    session: AsyncSession,
    viewer: Viewer,
    accepted: AcceptedOffer,
    line: CreditLine,
    paid_out: PaidOut,
    *,
    now: datetime,
) -> Loan:
    firm = await parties.party(session, accepted.firm_id)
    attested = paid_out.first_loan
    row = Loan(
        line_id=line.id,
        offer_id=accepted.offer_id,
        firm_id=accepted.firm_id,
        lender_id=accepted.lender_id,
        reservation_id=accepted.reservation_id,
        principal_fen=accepted.amount_fen,
        rate_bp=accepted.rate_bp,
        term_months=accepted.term_months,
        repayment_kind=accepted.repayment_kind.value,
        disbursed_on=paid_out.on,
        matures_on=add_months(paid_out.on, accepted.term_months),
        recorded_at=now,
        disbursed_by=viewer.principal_id,
        payment_kind=paid_out.payment_kind.value,
        payment_reference=paid_out.payment_reference,
        region_code=await _region_on(session, firm.region_code, paid_out.on),
        industry_code=firm.industry_code,
        is_first_loan=attested.is_first if attested else None,
        first_loan_definition=attested.definition.value if attested else None,
        first_loan_attested_by=viewer.principal_id if attested else None,
        first_loan_attested_at=now if attested else None,
        counted_on=paid_out.on,
    )
    line.state = CreditLineState.DRAWN.value
    session.add(line)
    session.add(row)
    await session.flush()
    planned = schedule(
        RepaymentKind(row.repayment_kind),
        Fen(row.principal_fen),
        row.rate_bp,
        row.term_months,
        disbursed_on=row.disbursed_on,
    )
    session.add_all(
        Instalment(
            loan_id=row.id,
            number=one.number,
            due_on=one.due_on,
            principal_fen=one.principal_fen,
            interest_fen=one.interest_fen,
        )
        for one in planned
    )
    await session.flush()
    return row


async def _region_on(session: AsyncSession, region_code: str | None, day: date) -> str | None:
    """Return the firm's district under its code of that day; a divided district keeps the code that is known."""
    if region_code is None:
        return None
    return (await parties.region_on(session, region_code, day)).code or region_code


async def _settle(session: AsyncSession, viewer: Viewer, row: Loan, *, now: datetime) -> None:
    await ledger.post(
        session,
        Posting(
            key=f"loan:{row.id}:disbursed",
            kind="disbursement",
            legs=await principal_legs(session, row.lender_id, row.principal_fen),
            effective_on=row.disbursed_on,
            maker_id=viewer.principal_id,
            subject={"loan_id": str(row.id), "offer_id": str(row.offer_id)},
        ),
        now=now,
    )
    if row.reservation_id is not None:
        await agreements.turn_into_cover(session, row.reservation_id, loan_id=row.id, now=now)
    await demands.record_exposure(
        session,
        firm_id=row.firm_id,
        lender_id=row.lender_id,
        loan_id=row.id,
        outstanding_fen=row.principal_fen,
        now=now,
    )
    ids = (str(row.id), str(row.firm_id), str(row.lender_id))
    await announce(session, LoanDisbursed(*ids), occurred_at=now)
