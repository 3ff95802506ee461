"""Reads of credit lines, loans and their instalments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.access.service import platform_scope
from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.money import Fen
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of
from xinyidai.loans.models import ClassFloorRow, CreditLine, EndedConsent, Instalment, Loan
from xinyidai.loans.rules.life import (
    ClassFloor,
    CreditLineState,
    LineId,
    LoanId,
    LoanState,
    RiskClass,
)
from xinyidai.loans.rules.repayment import Dues, Owed, days_past_due, dues_on

OVERSEES = (OrganisationKind.OPERATOR,)


@dataclass(frozen=True)
class CreditLineView:
    """A credit line (授信)."""

    id: LineId
    offer_id: UUID
    firm_id: UUID
    lender_id: UUID
    amount_fen: Fen
    rate_bp: int
    term_months: int
    repayment_kind: RepaymentKind
    granted_at: datetime
    draw_by: date
    state: CreditLineState


@dataclass(frozen=True)
class LoanView:
    """A loan (用信) as lender and firm see it."""

    id: LoanId
    line_id: LineId
    offer_id: UUID
    firm_id: UUID
    lender_id: UUID
    reservation_id: UUID | None
    principal_fen: Fen
    rate_bp: int
    term_months: int
    repayment_kind: RepaymentKind
    disbursed_on: date
    matures_on: date
    region_code: str | None
    industry_code: str | None
    is_first_loan: bool | None
    state: LoanState
    principal_repaid_fen: Fen
    principal_recovered_fen: Fen
    days_past_due: int
    risk_class: RiskClass
    counted_on: date
    defaulted_on: date | None
    closed_on: date | None

    @property
    def outstanding_fen(self) -> Fen:
        """Return the principal that is still owed."""
        return Fen(self.principal_fen - self.principal_repaid_fen - self.principal_recovered_fen)


@dataclass(frozen=True)
class InstalmentView:
    """One planned payment and what became of it."""

    number: int
    due_on: date
    principal_fen: Fen
    interest_fen: Fen
    principal_paid_fen: Fen
    interest_paid_fen: Fen
    interest_waived_fen: Fen

    @property
    def owed(self) -> Owed:
        """Return what is still unpaid of it."""
        return Owed(
            self.number,
            self.due_on,
            Fen(self.principal_fen - self.principal_paid_fen),
            Fen(self.interest_fen - self.interest_paid_fen - self.interest_waived_fen),
            self.interest_paid_fen,
        )


def view_of(row: Loan) -> LoanView:
    """Return a loan's row as a value."""
    return LoanView(
        id=LoanId(row.id),
        line_id=LineId(row.line_id),
        offer_id=row.offer_id,
        firm_id=row.firm_id,
        lender_id=row.lender_id,
        reservation_id=row.reservation_id,
        principal_fen=Fen(row.principal_fen),
        rate_bp=row.rate_bp,
        term_months=row.term_months,
        repayment_kind=RepaymentKind(row.repayment_kind),
        disbursed_on=row.disbursed_on,
        matures_on=row.matures_on,
        region_code=row.region_code,
        industry_code=row.industry_code,
        is_first_loan=row.is_first_loan,
        state=LoanState(row.state),
        principal_repaid_fen=Fen(row.principal_repaid_fen),
        principal_recovered_fen=Fen(row.principal_recovered_fen),
        days_past_due=row.days_past_due,
        risk_class=RiskClass(row.risk_class),
        counted_on=row.counted_on,
        defaulted_on=row.defaulted_on,
        closed_on=row.closed_on,
    )


def line_of(row: CreditLine) -> CreditLineView:
    """Return a credit line's row as a value."""
    return CreditLineView(
        id=LineId(row.id),
        offer_id=row.offer_id,
        firm_id=row.firm_id,
        lender_id=row.lender_id,
        amount_fen=Fen(row.amount_fen),
        rate_bp=row.rate_bp,
        term_months=row.term_months,
        repayment_kind=RepaymentKind(row.repayment_kind),
        granted_at=row.granted_at,
        draw_by=row.draw_by,
        state=CreditLineState(row.state),
    )


def instalment_of(row: Instalment) -> InstalmentView:
    """Return an instalment's row as a value."""
    return InstalmentView(
        number=row.number,
        due_on=row.due_on,
        principal_fen=Fen(row.principal_fen),
        interest_fen=Fen(row.interest_fen),
        principal_paid_fen=Fen(row.principal_paid_fen),
        interest_paid_fen=Fen(row.interest_paid_fen),
        interest_waived_fen=Fen(row.interest_waived_fen),
    )


async def class_floors(session: AsyncSession) -> list[ClassFloor]:
    """Return every class floor ever in force."""
    row = ClassFloorRow
    statement = select(col(row.risk_class), col(row.from_days), col(row.effective_from), col(row.is_verified))
    rows = await session.execute(statement)
    return [ClassFloor(RiskClass(risk_class), days, since, verified) for risk_class, days, since, verified in rows]


async def loan(session: AsyncSession, loan_id: UUID) -> LoanView:
    """Return a loan by id, for rooms above; the session's scope decides what it can see.

    Raises
    ------
    NotFound
    """
    row = await session.get(Loan, loan_id)
    if row is None:
        raise NotFound
    return view_of(row)


async def seen_loan(session: AsyncSession, viewer: Viewer, loan_id: UUID) -> LoanView:
    """Return a loan to its lender, its firm or the operator.

    Raises
    ------
    NotFound
    """
    async with platform_scope(session):
        row = await session.get(Loan, loan_id)
    if row is None or not (viewer.is_one_of(*OVERSEES) or viewer.organisation_id in (row.lender_id, row.firm_id)):
        raise NotFound
    return view_of(row)


async def loan_of_offer(session: AsyncSession, offer_id: UUID) -> LoanView | None:
    """Return the loan that an offer became, if it was disbursed."""
    row = (await session.execute(select(Loan).where(col(Loan.offer_id) == offer_id))).scalar_one_or_none()
    return view_of(row) if row else None


async def loans(
    session: AsyncSession, viewer: Viewer, *, state: LoanState | None, cursor: str | None, limit: int
) -> Page[LoanView]:
    """Return a page of the viewer's loans: a lender's book, a firm's debts; all for the operator."""
    size = limit_of(limit)
    statement = select(Loan).where(col(Loan.id) > after_id(cursor)).order_by(col(Loan.id)).limit(size + 1)
    if not viewer.is_one_of(*OVERSEES):
        mine = or_(col(Loan.lender_id) == viewer.organisation_id, col(Loan.firm_id) == viewer.organisation_id)
        statement = statement.where(mine)
    if state is not None:
        statement = statement.where(col(Loan.state) == state.value)
    async with platform_scope(session):
        rows = (await session.execute(statement)).scalars().all()
    return page_of([view_of(row) for row in rows], limit=size, id_of=lambda view: view.id)


async def loan_counts(session: AsyncSession, viewer: Viewer) -> dict[LoanState, int]:
    """Return how many loans are in a lender's book, by state; states without any are left out."""
    statement = (
        select(col(Loan.state), func.count())
        .where(col(Loan.lender_id) == viewer.organisation_id)
        .group_by(col(Loan.state))
    )
    return {LoanState(state): count for state, count in await session.execute(statement)}


async def credit_lines(
    session: AsyncSession, viewer: Viewer, *, cursor: str | None, limit: int
) -> Page[CreditLineView]:
    """Return a page of the viewer's credit lines."""
    size = limit_of(limit)
    statement = (
        select(CreditLine)
        .where(
            col(CreditLine.id) > after_id(cursor),
            or_(col(CreditLine.lender_id) == viewer.organisation_id, col(CreditLine.firm_id) == viewer.organisation_id),
        )
        .order_by(col(CreditLine.id))
        .limit(size + 1)
    )
    rows = (await session.execute(statement)).scalars().all()
    return page_of([line_of(row) for row in rows], limit=size, id_of=lambda view: view.id)


async def instalments(session: AsyncSession, loan_id: UUID) -> list[InstalmentView]:
    """Return a loan's instalments in order; the caller has checked that the viewer may see the loan."""
    statement = select(Instalment).where(col(Instalment.loan_id) == loan_id).order_by(col(Instalment.number))
    async with platform_scope(session):
        rows = (await session.execute(statement)).scalars().all()
    return [instalment_of(row) for row in rows]


async def dues(session: AsyncSession, loan_id: UUID, *, on: date) -> Dues:
    """Return what is due on a day, what may be paid, and what closes the loan.

    Raises
    ------
    NotFound
    """
    found = await loan(session, loan_id)
    return dues_of(found, await instalments(session, loan_id), on=on)


async def count_defaulted(session: AsyncSession) -> int:
    """Return how many loans ever defaulted, of those the session's scope can see."""
    statement = select(func.count()).where(col(Loan.defaulted_on).is_not(None))
    return (await session.execute(statement)).scalar_one()


async def days_late(session: AsyncSession, loan_id: UUID, *, on: date) -> int:
    """Return days past due on a day, counted from the instalments and not from last night's job."""
    return days_past_due([one.owed for one in await instalments(session, loan_id)], on=on)


def dues_of(found: LoanView, planned: Sequence[InstalmentView], *, on: date) -> Dues:
    """Return what a loan asks on a day, given its instalments."""
    past = [one.due_on for one in planned if one.due_on <= on]
    began = max(past, default=found.disbursed_on)
    return dues_on([one.owed for one in planned], found.rate_bp, period_began_on=began, on=on)


@dataclass(frozen=True)
class EndedConsentView:
    """What lender and fund of a running loan are told: the firm took a post-loan consent, or an item of it, back.

    `item_code` is empty where it was the consent as a whole.
    """

    loan_id: LoanId
    lender_id: UUID
    firm_id: UUID
    consent_id: UUID
    item_code: str
    ended_at: datetime


async def ended_consents(
    session: AsyncSession, viewer: Viewer, *, loan_id: UUID | None = None, limit: int = 50
) -> list[EndedConsentView]:
    """Return what the viewer is told of consents taken back, of loans that still run, newest first; of one loan or all.

    Lenders see their own loans, funds those that they share.
    """
    statement = (
        select(EndedConsent)
        .join(Loan, col(Loan.id) == col(EndedConsent.loan_id))
        .where(
            col(Loan.state) != LoanState.CLOSED.value,
            or_(
                col(EndedConsent.lender_id) == viewer.organisation_id,
                col(EndedConsent.fund_id) == viewer.organisation_id,
            ),
        )
        .order_by(col(EndedConsent.ended_at).desc(), col(EndedConsent.loan_id))
        .limit(limit_of(limit))
    )
    if loan_id is not None:
        statement = statement.where(col(EndedConsent.loan_id) == loan_id)
    async with platform_scope(session):
        rows = (await session.execute(statement)).scalars().all()
    return [
        EndedConsentView(
            loan_id=LoanId(row.loan_id),
            lender_id=row.lender_id,
            firm_id=row.firm_id,
            consent_id=row.consent_id,
            item_code=row.item_code,
            ended_at=row.ended_at,
        )
        for row in rows
    ]
