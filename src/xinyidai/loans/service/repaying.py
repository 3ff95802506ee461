"""Writing down a repayment that the lender reports."""

from collections.abc import Sequence
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
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.money import Fen
from xinyidai.foundation.outbox import announce_all
from xinyidai.ledger import service as ledger
from xinyidai.ledger.rules import Leg, Posting
from xinyidai.loans import queries
from xinyidai.loans.events import LoanClosed, LoanRepaid
from xinyidai.loans.models import Instalment, Loan, RepaymentRow
from xinyidai.loans.queries import LoanView
from xinyidai.loans.rules.life import (
    TAKES_PAYMENTS,
    LoanState,
    LoanTakesNoPayment,
    PaymentReferenceReused,
    check_loan_step,
    checked_reference,
)
from xinyidai.loans.rules.repayment import PaymentDateRefused, Repayment, allocate
from xinyidai.loans.rules.schedules import LoanTermsRefused
from xinyidai.loans.service.counting import Counted, count, record_good_end, tell
from xinyidai.loans.service.desk import (
    instalments_of,
    locked_loan,
    principal_legs,
    requires_lender_desk,
    write_down,
)

MAX_REPAYMENT_FEN = 2 * 10**13


@dataclass(frozen=True)
class Repaid:
    """A repayment taken apart, and the loan after it."""

    id: UUID
    reference: str
    amount_fen: Fen
    principal_fen: Fen
    interest_fen: Fen
    waived_interest_fen: Fen
    paid_on: date
    loan: LoanView


async def repay(
    session: AsyncSession,
    viewer: Viewer,
    loan_id: UUID,
    *,
    amount_fen: int,
    paid_on: date,
    reference: str | None = None,
    now: datetime,
) -> Repaid:
    """Write down a repayment by the waterfall of `rules.repayment`, and give capacity back for the principal in it.

    The same reference and content again is the same repayment. Locks the loan, then its reservation.

    Raises
    ------
    NotAllowed, NotFound
        Not an officer of the lender; another lender's loan.
    LoanTakesNoPayment
        The loan is closed or compensated.
    PaymentDateRefused, LoanTermsRefused, LoanReferenceRefused
        Dated in the future, before the loan or before an earlier repayment; no amount; an unfit reference.
    Overpayment, PartialPrepaymentRefused, PaymentReferenceReused
    """
    requires_lender_desk(viewer)
    if not 1 <= amount_fen <= MAX_REPAYMENT_FEN:
        raise LoanTermsRefused(field="amount_fen")
    name = str(new_id()) if reference is None else checked_reference(reference)
    async with platform_scope(session):
        row = await locked_loan(session, loan_id)
        if row.lender_id != viewer.organisation_id:
            raise NotFound
        before = await _named_or_last(session, row, name)
        if before is not None and before.reference == name:
            if (before.amount_fen, before.paid_on) != (amount_fen, paid_on):
                raise PaymentReferenceReused
            return _repaid(before, row)
        if row.state not in TAKES_PAYMENTS:
            raise LoanTakesNoPayment(state=row.state)
        _check_date(row, before, paid_on, now=now)
        rows = await instalments_of(session, row.id)
        planned = [queries.instalment_of(one) for one in rows]
        asked = queries.dues_of(queries.view_of(row), planned, on=paid_on)
        taken = allocate([one.owed for one in planned], Fen(amount_fen), asked, on=paid_on)
        repayment = _row_of(row, name, Fen(amount_fen), taken, paid_on, viewer.principal_id, now=now)
        _apply(row, rows, taken)
        session.add(repayment)
        await _settle(session, viewer, row, rows, repayment, taken, now=now)
        await write_down(session, viewer, row, "loans.repaid", now=now)
    return _repaid(repayment, row)


async def _settle(
    session: AsyncSession,
    viewer: Viewer,
    row: Loan,
    rows: Sequence[Instalment],
    repayment: RepaymentRow,
    taken: Repayment,
    *,
    now: datetime,
) -> None:
    """Close the loan or count it anew, post the principal, release its capacity, and tell the rooms around.

    The row is changed before anything is written, so that it is written once.
    """
    counted: list[Counted] = []
    if taken.is_closing:
        check_loan_step(LoanState(row.state), LoanState.CLOSED)
        row.state = LoanState.CLOSED.value
        row.closed_on = repayment.paid_on
        row.days_past_due = 0
    else:
        owed = [queries.instalment_of(one).owed for one in rows]
        counted = [count(row, owed, await queries.class_floors(session), on=business_date(now))]
    if taken.principal_fen:
        await _post(session, viewer, row, repayment, taken, now=now)
        await demands.record_exposure(
            session,
            firm_id=row.firm_id,
            lender_id=row.lender_id,
            loan_id=row.id,
            outstanding_fen=queries.view_of(row).outstanding_fen,
            now=now,
        )
    if taken.is_closing:
        await record_good_end(session, row, now=now)
    await tell(session, counted, now=now)
    ids = (str(row.id), str(row.firm_id), str(row.lender_id))
    closed = [LoanClosed(*ids)] if taken.is_closing else []
    await announce_all(session, [*closed, LoanRepaid(*ids)], occurred_at=now)


async def _post(
    session: AsyncSession,
    viewer: Viewer,
    row: Loan,
    repayment: RepaymentRow,
    taken: Repayment,
    *,
    now: datetime,
) -> None:
    """Post the principal, and the capacity given back for it, in one journal: accounts are locked once, in order."""
    released: tuple[Leg, ...] = ()
    if row.reservation_id is not None:
        _held, released = await agreements.release_exposure(
            session, row.reservation_id, amount_fen=taken.principal_fen, now=now
        )
    await ledger.post(
        session,
        Posting(
            key=f"repayment:{repayment.id}",
            kind="repayment",
            legs=(*await principal_legs(session, row.lender_id, -taken.principal_fen), *released),
            effective_on=repayment.paid_on,
            maker_id=viewer.principal_id,
            subject={"loan_id": str(row.id), "repayment_id": str(repayment.id)},
        ),
        now=now,
    )


def _apply(row: Loan, rows: Sequence[Instalment], taken: Repayment) -> None:
    by_number = {one.number: one for one in rows}
    for part in taken.allocations:
        instalment = by_number[part.number]
        instalment.principal_paid_fen += part.principal_fen
        instalment.interest_paid_fen += part.interest_fen
    if taken.is_closing:
        for instalment in rows:
            instalment.interest_waived_fen = instalment.interest_fen - instalment.interest_paid_fen
    row.principal_repaid_fen += taken.principal_fen


def _check_date(row: Loan, last: RepaymentRow | None, paid_on: date, *, now: datetime) -> None:
    """Refuse a date out of order: the waterfall of a day depends on what was paid before it."""
    if not max(row.disbursed_on, last.paid_on if last else row.disbursed_on) <= paid_on <= business_date(now):
        raise PaymentDateRefused


async def _named_or_last(session: AsyncSession, row: Loan, reference: str) -> RepaymentRow | None:
    """Return the loan's repayment of that reference, or else the one paid last, in one look."""
    statement = (
        select(RepaymentRow)
        .where(col(RepaymentRow.loan_id) == row.id)
        .order_by((col(RepaymentRow.reference) == reference).desc(), col(RepaymentRow.paid_on).desc())
        .limit(1)
    )
    return (await session.execute(statement)).scalar_one_or_none()


def _row_of(
    row: Loan, reference: str, amount_fen: Fen, taken: Repayment, paid_on: date, recorded_by: UUID, *, now: datetime
) -> RepaymentRow:
    return RepaymentRow(
        loan_id=row.id,
        reference=reference,
        amount_fen=amount_fen,
        principal_fen=taken.principal_fen,
        interest_fen=taken.interest_fen,
        waived_interest_fen=taken.waived_interest_fen,
        paid_on=paid_on,
        recorded_at=now,
        recorded_by=recorded_by,
    )


def _repaid(repayment: RepaymentRow, row: Loan) -> Repaid:
    return Repaid(
        id=repayment.id,
        reference=repayment.reference,
        amount_fen=Fen(repayment.amount_fen),
        principal_fen=Fen(repayment.principal_fen),
        interest_fen=Fen(repayment.interest_fen),
        waived_interest_fen=Fen(repayment.waived_interest_fen),
        paid_on=repayment.paid_on,
        loan=queries.view_of(row),
    )
