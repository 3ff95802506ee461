"""Counting days past due, and what follows: the state, the class, the outcome for the score."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.foundation.clock import business_date
from xinyidai.foundation.outbox import Event, announce_all
from xinyidai.foundation.timetable import Moment, moment_of
from xinyidai.loans import queries
from xinyidai.loans.events import LoanDefaulted, LoanOverdue
from xinyidai.loans.models import Instalment, Loan
from xinyidai.loans.rules.life import (
    DEFAULT_AFTER_DAYS,
    IS_COUNTED,
    TAKES_PAYMENTS,
    ClassFloor,
    LoanState,
    check_loan_step,
    risk_class_floor,
)
from xinyidai.loans.rules.repayment import Owed, days_past_due
from xinyidai.scoring import service as scoring

BATCH = 500


@dataclass(frozen=True)
class Counted:
    """A loan after a day's count, and what is new about it."""

    row: Loan
    has_changed: bool
    is_newly_overdue: bool
    is_newly_defaulted: bool


async def count_days_past_due(session: AsyncSession, *, now: datetime) -> int:
    """Count every loan that has an unpaid instalment behind it, or was late yesterday; return how many changed.

    Run as the platform, once a Shanghai day. Locks loans batch by batch in id order. A repayment in flight counts its
    own loan, so what is locked is passed over.
    """
    floors = await queries.class_floors(session)
    changed = 0
    after = None
    while True:
        statement = loans_to_count(moment_of(now)).limit(BATCH).with_for_update(skip_locked=True)
        if after is not None:
            statement = statement.where(col(Loan.id) > after)
        rows = (await session.execute(statement.execution_options(populate_existing=True))).scalars().all()
        if not rows:
            return changed
        owed = await _owed_by(session, rows)
        counted = [count(row, owed[row.id], floors, on=business_date(now)) for row in rows]
        await tell(session, counted, now=now)
        changed += sum(one.has_changed for one in counted)
        if len(rows) < BATCH:
            return changed
        after = rows[-1].id


def count(row: Loan, owed: Sequence[Owed], floors: Sequence[ClassFloor], *, on: date) -> Counted:
    """Count one locked loan and change its row; `tell` writes it and says what is new."""
    days = days_past_due(owed, on=on)
    before, wanted = LoanState(row.state), state_of(LoanState(row.state), days)
    has_changed = days != row.days_past_due or wanted is not before
    if wanted is not before:
        check_loan_step(before, wanted)
        row.state = wanted.value
    row.days_past_due = days
    row.risk_class = risk_class_floor(days, floors, on=on).value
    row.counted_on = on
    is_newly_defaulted = days > DEFAULT_AFTER_DAYS and row.defaulted_on is None
    if is_newly_defaulted:
        row.defaulted_on = on
    is_newly_overdue = wanted is LoanState.OVERDUE and wanted is not before
    return Counted(row, has_changed, is_newly_overdue, is_newly_defaulted)


async def tell(session: AsyncSession, counted: Sequence[Counted], *, now: datetime) -> None:
    """Write counted loans, record the outcome of those that defaulted, and announce what is new, in their order."""
    session.add_all(one.row for one in counted)
    await session.flush()
    happened: list[Event] = []
    for one in counted:
        ids = (str(one.row.id), str(one.row.firm_id), str(one.row.lender_id))
        if one.is_newly_overdue:
            happened.append(LoanOverdue(*ids))
        if one.is_newly_defaulted:
            await _record_outcome(session, one.row, is_default=True, now=now)
            happened.append(LoanDefaulted(*ids))
    await announce_all(session, happened, occurred_at=now)


def state_of(state: LoanState, days: int) -> LoanState:
    """Return the state that days past due ask for: a compensated loan stays compensated."""
    if state not in TAKES_PAYMENTS:
        return state
    return LoanState.OVERDUE if days else LoanState.PERFORMING


async def record_good_end(session: AsyncSession, row: Loan, *, now: datetime) -> None:
    """Tell the score that a loan ended well, unless it ever defaulted."""
    if row.defaulted_on is None:
        await _record_outcome(session, row, is_default=False, now=now)


async def _record_outcome(session: AsyncSession, row: Loan, *, is_default: bool, now: datetime) -> None:
    await scoring.record_outcome(
        session,
        firm_id=row.firm_id,
        is_default=is_default,
        observed_on=business_date(now),
        reported_by=row.lender_id,
        loan_id=row.id,
        now=now,
    )


def loans_to_count(at: Moment) -> Select[Loan]:
    """Return the statement of loans with an unpaid instalment behind them, and of those that were late, in id order."""
    unpaid = (
        select(col(Instalment.loan_id))
        .where(
            col(Instalment.due_on) < at.today,
            (col(Instalment.principal_paid_fen) < col(Instalment.principal_fen))
            | (col(Instalment.interest_paid_fen) + col(Instalment.interest_waived_fen) < col(Instalment.interest_fen)),
        )
        .distinct()
    )
    return (
        select(Loan)
        .where(
            col(Loan.state).in_(list(IS_COUNTED)),
            col(Loan.id).in_(unpaid) | (col(Loan.state) == LoanState.OVERDUE.value),
        )
        .order_by(col(Loan.id))
    )


async def _owed_by(session: AsyncSession, rows: Sequence[Loan]) -> dict[UUID, list[Owed]]:
    statement = (
        select(Instalment)
        .where(col(Instalment.loan_id).in_([row.id for row in rows]))
        .order_by(col(Instalment.loan_id), col(Instalment.number))
        .execution_options(populate_existing=True)
    )
    found = (await session.execute(statement)).scalars().all()
    return {
        loan_id: [queries.instalment_of(one).owed for one in group]
        for loan_id, group in groupby(found, key=lambda one: one.loan_id)
    }
