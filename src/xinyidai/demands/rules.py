"""Demands: states and what may follow what, the closed list of uses, and the bounds of an amount and a term. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import NewType
from uuid import UUID

from xinyidai.foundation.errors import Refusal
from xinyidai.products.rules import RepaymentKind as RepaymentKind

DemandId = NewType("DemandId", UUID)

MIN_TERM_MONTHS = 1
MAX_TERM_MONTHS = 120
WANTED_WITHIN = timedelta(days=366)
"""A need more than a year away is a plan, not a demand: prices and facts will both be stale."""

ITEMS_OPENED_TO_LENDERS = ("vat_invoice",)
"""What a lender may look into once a demand is dispatched to it: the consent must name these catalogue items."""


class DemandState(StrEnum):
    """The life of a demand."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    MATCHING = "matching"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    REJECTED_ALL = "rejected_all"


class LoanUse(StrEnum):
    """What the money is for; the list is closed, because "other" cannot be checked at disbursement (贷款用途)."""

    WORKING_CAPITAL = "working_capital"
    RAW_MATERIALS = "raw_materials"
    WAGES = "wages"
    PREMISES = "premises"
    EQUIPMENT = "equipment"
    TECHNOLOGY = "technology"
    ORDER_DELIVERY = "order_delivery"
    EXPORT = "export"
    FARMING_SEASON = "farming_season"
    RENEWAL = "renewal"


FOLLOWS: Mapping[DemandState, frozenset[DemandState]] = {
    DemandState.DRAFT: frozenset({DemandState.SUBMITTED, DemandState.WITHDRAWN, DemandState.EXPIRED}),
    DemandState.SUBMITTED: frozenset({DemandState.MATCHING, DemandState.WITHDRAWN, DemandState.EXPIRED}),
    DemandState.MATCHING: frozenset(
        {DemandState.OFFERED, DemandState.REJECTED_ALL, DemandState.WITHDRAWN, DemandState.EXPIRED}
    ),
    # An offer that lapses or is taken back sends the demand back to those who still look at it.
    DemandState.OFFERED: frozenset(
        {DemandState.ACCEPTED, DemandState.MATCHING, DemandState.WITHDRAWN, DemandState.EXPIRED}
    ),
    # Accepted and never disbursed: the acceptance lapses and the demand with it.
    DemandState.ACCEPTED: frozenset({DemandState.CLOSED, DemandState.EXPIRED}),
    DemandState.CLOSED: frozenset(),
    DemandState.WITHDRAWN: frozenset(),
    DemandState.EXPIRED: frozenset(),
    DemandState.REJECTED_ALL: frozenset(),
}

ASKING = (DemandState.SUBMITTED, DemandState.MATCHING, DemandState.OFFERED)
"""The demand is before the lenders and counts toward the firm's limit."""

UNFINISHED = (DemandState.DRAFT, *ASKING)
"""What time ends by itself."""


class IllegalDemandStep(Refusal):
    """The demand is not in a state from which this may follow."""

    code = "illegal_demand_step"
    status = 409
    title_zh = "需求当前状态为 {state}，不能变为 {wanted}"
    title_en = "The demand is {state} and cannot become {wanted}"


class DemandAmountRefused(Refusal):
    """No amount, a negative one, or more than one demand may ask for."""

    code = "demand_amount_refused"
    status = 422
    title_zh = "融资金额须在 {min_fen} 分至 {max_fen} 分之间"
    title_en = "The amount must be between {min_fen} and {max_fen} fen"


class DemandTermRefused(Refusal):
    """A term that is no term, or longer than any product here."""

    code = "demand_term_refused"
    status = 422
    title_zh = "融资期限须在 {min_months} 至 {max_months} 个月之间"
    title_en = "The term must be between {min_months} and {max_months} months"


class DemandDateRefused(Refusal):
    """The money is wanted by a day that is past or more than a year ahead."""

    code = "demand_date_refused"
    status = 422
    title_zh = "用款日期须在 {earliest} 至 {latest} 之间"
    title_en = "The money must be wanted between {earliest} and {latest}"


class LawfulUseNotDeclared(Refusal):
    """The firm did not declare that the use is lawful and not speculation in property or securities."""

    code = "lawful_use_not_declared"
    status = 422
    title_zh = "须声明贷款用途合法合规，不流入房地产、证券等投机领域"
    title_en = "Declare that the use is lawful and no speculation in property or securities"


class TooManyOpenDemands(Refusal):
    """The firm already asks as often as one firm may at a time."""

    code = "too_many_open_demands"
    status = 409
    title_zh = "同时进行的融资需求不能超过 {most} 笔"
    title_en = "No more than {most} demands of one firm may be open at a time"


@dataclass(frozen=True)
class DemandTerms:
    """What the firm asks for; fixed once submitted."""

    amount_fen: int
    term_months: int
    use: LoanUse
    repayment_kind: RepaymentKind
    wanted_by: date


@dataclass(frozen=True)
class DemandPolicy:
    """The limits in force on a day."""

    effective_from: date
    max_amount_fen: int
    max_open_demands: int
    max_drafts: int
    lives_days: int


def moved(state: DemandState, wanted: DemandState) -> DemandState:
    """Return `wanted` when it may follow `state`.

    Raises
    ------
    IllegalDemandStep
        It may not; a state never follows itself.
    """
    if wanted not in FOLLOWS[state]:
        raise IllegalDemandStep(state=state.value, wanted=wanted.value)
    return wanted


def check_terms(terms: DemandTerms, policy: DemandPolicy, *, today: date) -> None:
    """Refuse an amount, term or date that no demand may have.

    Raises
    ------
    DemandAmountRefused, DemandTermRefused, DemandDateRefused
    """
    if not 1 <= terms.amount_fen <= policy.max_amount_fen:
        raise DemandAmountRefused(min_fen=1, max_fen=policy.max_amount_fen)
    if not MIN_TERM_MONTHS <= terms.term_months <= MAX_TERM_MONTHS:
        raise DemandTermRefused(min_months=MIN_TERM_MONTHS, max_months=MAX_TERM_MONTHS)
    latest = today + WANTED_WITHIN
    if not today <= terms.wanted_by <= latest:
        raise DemandDateRefused(earliest=today.isoformat(), latest=latest.isoformat())
