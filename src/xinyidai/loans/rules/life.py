"""The life of a credit line and a loan, and the five classes: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NewType
from uuid import UUID

from xinyidai.foundation.errors import Refusal

LineId = NewType("LineId", UUID)
LoanId = NewType("LoanId", UUID)

DEFAULT_AFTER_DAYS = 90
"""More than this many days past due is a default, as outcomes for the score count it (Basel II, paragraph 452)."""


class CreditLineState(StrEnum):
    """The life of a credit line (授信): granted by acceptance, drawn once, or lapsed undrawn."""

    GRANTED = "granted"
    DRAWN = "drawn"
    LAPSED = "lapsed"


class LoanState(StrEnum):
    """The life of a loan (用信)."""

    PERFORMING = "performing"
    OVERDUE = "overdue"
    COMPENSATED = "compensated"
    CLOSED = "closed"


LOAN_STEPS: dict[LoanState, frozenset[LoanState]] = {
    LoanState.PERFORMING: frozenset({LoanState.OVERDUE, LoanState.CLOSED}),
    LoanState.OVERDUE: frozenset({LoanState.PERFORMING, LoanState.CLOSED, LoanState.COMPENSATED}),
    LoanState.COMPENSATED: frozenset({LoanState.CLOSED}),
    LoanState.CLOSED: frozenset(),
}
TAKES_PAYMENTS = frozenset({LoanState.PERFORMING, LoanState.OVERDUE})
IS_COUNTED = TAKES_PAYMENTS | {LoanState.COMPENSATED}
"""A claim paid by others does not make the debtor less late: days and class go on, only the state stays."""


class RiskClass(StrEnum):
    """The five classes (正常 关注 次级 可疑 损失); the last three are non-performing."""

    PASS = "pass"  # noqa: S105 - the class's name, not a password
    SPECIAL_MENTION = "special_mention"
    SUBSTANDARD = "substandard"
    DOUBTFUL = "doubtful"
    LOSS = "loss"


class PaymentKind(StrEnum):
    """How the money goes out: to the firm's counterparty (受托支付) or to the firm itself (自主支付)."""

    ENTRUSTED = "entrusted"
    SELF = "self"


class FirstLoanDefinition(StrEnum):
    """By which definition the lender attests a first-time borrower (首贷户). The platform never computes it."""

    NO_RECORD_IN_REGISTRY = "no_record_in_registry"
    NO_RECORD_FIRM_OR_OWNER = "no_record_firm_or_owner"


class OfferNotAccepted(Refusal):
    """Only an accepted offer is disbursed."""

    code = "offer_not_accepted"
    status = 409
    title_zh = "该要约未被接受，不能放款"
    title_en = "The offer is not accepted, so it cannot be disbursed"


class LineLapsed(Refusal):
    """The acceptance ran out before the loan was drawn."""

    code = "credit_line_lapsed"
    status = 409
    title_zh = "授信已过提款期限"
    title_en = "The time to draw this credit line is over"


class DisbursementDateRefused(Refusal):
    """The disbursement is dated before the acceptance, or in the future."""

    code = "disbursement_date_refused"
    status = 422
    title_zh = "放款日期不被接受"
    title_en = "The disbursement's date is refused"


class LoanStepRefused(Refusal):
    """The loan may not go from its state to the one asked for."""

    code = "loan_step_refused"
    status = 409
    title_zh = "贷款不能从 {state} 变为 {wanted}"
    title_en = "The loan cannot go from {state} to {wanted}"


class LoanTakesNoPayment(Refusal):
    """The loan is closed, or compensated: what is then collected is a recovery."""

    code = "loan_takes_no_payment"
    status = 409
    title_zh = "贷款状态为 {state}，不能登记还款"
    title_en = "The loan is {state} and takes no repayment"


class PaymentReferenceReused(Refusal):
    """The lender's reference was used for another payment on this loan."""

    code = "payment_reference_reused"
    status = 409
    title_zh = "该还款流水号已用于另一笔还款"
    title_en = "This payment reference was used for another payment"


class LoanReferenceRefused(Refusal):
    """A reference is empty, longer than a hundred characters or not printable."""

    code = "loan_reference_refused"
    status = 422
    title_zh = "流水号必须是 1 至 100 个可见字符"
    title_en = "A reference must be 1 to 100 printable characters"


@dataclass(frozen=True)
class FirstLoan:
    """What the lender attests at disbursement: whether this is the firm's first loan, by which definition."""

    is_first: bool
    definition: FirstLoanDefinition


@dataclass(frozen=True)
class ClassFloor:
    """From how many days past due a loan is at least of a class, from a date on."""

    risk_class: RiskClass
    from_days: int
    effective_from: date
    is_verified: bool


def checked_reference(reference: str) -> str:
    """Return a lender's reference when it is fit to be one; refuse with `LoanReferenceRefused` otherwise."""
    if not 1 <= len(reference) <= 100 or not reference.isprintable():
        raise LoanReferenceRefused
    return reference


def check_loan_step(state: LoanState, wanted: LoanState) -> None:
    """Refuse a step of the loan that does not exist."""
    if wanted not in LOAN_STEPS[state]:
        raise LoanStepRefused(state=state.value, wanted=wanted.value)


def risk_class_floor(days_past_due: int, floors: Sequence[ClassFloor], *, on: date) -> RiskClass:
    """Return the class that days past due alone ask for; judgement may only go lower.

    Parameters
    ----------
    floors : sequence of ClassFloor
        Of each class the row with the latest `effective_from` not after `on` counts.
    """
    in_force: dict[RiskClass, ClassFloor] = {}
    for floor in sorted(floors, key=lambda one: one.effective_from):
        if floor.effective_from <= on:
            in_force[floor.risk_class] = floor
    reached = [floor for floor in in_force.values() if floor.from_days <= days_past_due]
    return max(reached, key=lambda one: one.from_days).risk_class if reached else RiskClass.PASS
