"""Where a repayment goes, what closes a loan, and how late a loan is: pure.

Waterfall: what is due comes first, its interest before its principal, each oldest instalment first; then the interest
and the principal of the instalment that falls due next. So a part payment leaves no interest due behind principal, and
who pays exactly what is due is no longer late: interest that is not due yet never takes the place of principal that is.
Closing early costs what is due, the rest of the principal, and interest on it for the days since the period began,
actual days over 360 (the banks' day rule), less what was paid of that interest before and never more than the period's
interest in the schedule. Interest paid ahead of its days is not returned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.money import Fen, fraction_half_up

DAILY = 3_600_000
"""A rate in basis points a year, divided by this, is the fraction of one day of a 360-day year."""


class Overpayment(Refusal):
    """More came than the loan owes on that day."""

    code = "overpayment"
    status = 409
    title_zh = "还款金额超过当日结清金额 {payoff_fen} 分"
    title_en = "The payment is above the {payoff_fen} fen that close the loan on that day"


class PartialPrepaymentRefused(Refusal):
    """More came than the instalments that are due and the next, but less than closes the loan."""

    code = "partial_prepayment_refused"
    status = 409
    title_zh = "不支持部分提前还款：可还 {regular_fen} 分以内，或一次结清 {payoff_fen} 分"
    title_en = "A partial early payment is not offered: pay up to {regular_fen} fen, or close with {payoff_fen} fen"


class PaymentDateRefused(Refusal):
    """The payment is dated before the loan or an earlier payment, or in the future."""

    code = "payment_date_refused"
    status = 422
    title_zh = "还款日期不被接受"
    title_en = "The payment's date is refused"


@dataclass(frozen=True)
class Owed:
    """What is still unpaid of one instalment, and what was paid of its interest."""

    number: int
    due_on: date
    principal_fen: Fen
    interest_fen: Fen
    interest_paid_fen: Fen

    @property
    def is_open(self) -> bool:
        """Say whether anything is unpaid."""
        return self.principal_fen > 0 or self.interest_fen > 0


@dataclass(frozen=True)
class Allocation:
    """What a repayment pays of one instalment."""

    number: int
    principal_fen: Fen
    interest_fen: Fen


@dataclass(frozen=True)
class Repayment:
    """A repayment taken apart: by instalment, in sums, and whether it closes the loan."""

    allocations: tuple[Allocation, ...]
    principal_fen: Fen
    interest_fen: Fen
    waived_interest_fen: Fen
    is_closing: bool


@dataclass(frozen=True)
class Dues:
    """What may be paid on a day: the instalments due and the next, or everything."""

    due_fen: Fen
    regular_fen: Fen
    payoff_fen: Fen


def dues_on(owed: Sequence[Owed], rate_bp: int, *, period_began_on: date, on: date) -> Dues:
    """Return what is due, what may be paid without closing, and what closes the loan on a day.

    `period_began_on` is the latest due date that is not after `on`, or the disbursement date.
    """
    due = [one for one in owed if one.due_on <= on]
    running = [one for one in owed if one.due_on > on]
    due_fen = Fen(sum(one.principal_fen + one.interest_fen for one in due))
    coming = next((one for one in running if one.is_open), None)
    coming_fen = Fen(coming.principal_fen + coming.interest_fen) if coming else Fen(0)
    principal = Fen(sum(one.principal_fen for one in running))
    accrued = _accrued(running, principal, rate_bp, days=(on - period_began_on).days)
    payoff = Fen(due_fen + principal + accrued)
    return Dues(due_fen, min(Fen(due_fen + coming_fen), payoff), payoff)


def allocate(owed: Sequence[Owed], amount_fen: Fen, dues: Dues, *, on: date) -> Repayment:
    """Take a repayment apart by the waterfall.

    Raises
    ------
    Overpayment
        It is above what closes the loan.
    PartialPrepaymentRefused
        It lies between the instalments that may be paid and what closes the loan.
    """
    if amount_fen > dues.payoff_fen:
        raise Overpayment(payoff_fen=dues.payoff_fen)
    if amount_fen == dues.payoff_fen:
        return _close(owed, dues, on=on)
    if amount_fen > dues.regular_fen:
        raise PartialPrepaymentRefused(regular_fen=dues.regular_fen, payoff_fen=dues.payoff_fen)
    return _pour(owed, amount_fen, on=on)


def days_past_due(owed: Sequence[Owed], *, on: date) -> int:
    """Return the days since the oldest unpaid instalment fell due; zero on the due date itself."""
    unpaid = [one.due_on for one in owed if one.is_open and one.due_on < on]
    return (on - min(unpaid)).days if unpaid else 0


def _accrued(running: Sequence[Owed], principal: Fen, rate_bp: int, *, days: int) -> Fen:
    """Return unpaid interest since the period began, at most what the running period's schedule still asks."""
    if not running:
        return Fen(0)
    earned = fraction_half_up(principal, rate_bp * days, DAILY)
    return min(Fen(max(earned - running[0].interest_paid_fen, 0)), running[0].interest_fen)


def _close(owed: Sequence[Owed], dues: Dues, *, on: date) -> Repayment:
    principal = Fen(sum(one.principal_fen for one in owed))
    interest = Fen(dues.payoff_fen - principal)
    scheduled = Fen(sum(one.interest_fen for one in owed))
    left = interest
    allocations = []
    for one in owed:
        taken = min(left, one.interest_fen)
        left = Fen(left - taken)
        allocations.append(Allocation(one.number, one.principal_fen, taken))
    return Repayment(tuple(allocations), principal, interest, Fen(scheduled - interest), is_closing=True)


def _pour(owed: Sequence[Owed], amount_fen: Fen, *, on: date) -> Repayment:
    unpaid = sorted((one for one in owed if one.is_open), key=lambda one: one.due_on)
    due = [one for one in unpaid if one.due_on <= on]
    coming = [one for one in unpaid if one.due_on > on][:1]
    left = amount_fen
    principal: dict[int, Fen] = {}
    interest: dict[int, Fen] = {}
    for group in (due, coming):
        for one in group:
            interest[one.number] = min(left, one.interest_fen)
            left = Fen(left - interest[one.number])
        for one in group:
            principal[one.number] = min(left, one.principal_fen)
            left = Fen(left - principal[one.number])
    assert left == 0, "dues_on bounds a regular payment by what is due and the next instalment"
    allocations = tuple(
        Allocation(one.number, principal[one.number], interest[one.number])
        for one in due + coming
        if principal[one.number] or interest[one.number]
    )
    return Repayment(
        allocations,
        Fen(sum(principal.values())),
        Fen(sum(interest.values())),
        Fen(0),
        is_closing=all(_is_paid(one, allocations) for one in unpaid),
    )


def _is_paid(one: Owed, allocations: Sequence[Allocation]) -> bool:
    return any(
        taken.number == one.number
        and taken.principal_fen == one.principal_fen
        and taken.interest_fen == one.interest_fen
        for taken in allocations
    )
