"""What a lender may indicate or offer: within its product, not more than was asked, for a bounded time. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.errors import Refusal
from xinyidai.matching.rules.eligibility import OnShelf

MAX_CHOSEN = 15
"""No more choices in one call than lenders that a demand may go to; policy lets fewer hold an authority at a time."""


class OfferTermsRefused(Refusal):
    """A term of the offer lies outside the product, the demand or the policy."""

    code = "offer_terms_refused"
    status = 422
    title_zh = "报价条款 {field} 须在 {least} 至 {most} 之间"
    title_en = "The offer's {field} must be between {least} and {most}"


class RepaymentKindNotOffered(Refusal):
    """The product does not repay this way."""

    code = "offer_repayment_kind_refused"
    status = 422
    title_zh = "产品不支持还款方式 {kind}"
    title_en = "The product does not repay by {kind}"


class RangeRefused(Refusal):
    """A range of the indication is upside down."""

    code = "indication_range_refused"
    status = 422
    title_zh = "意向报价 {field} 的下限高于上限"
    title_en = "The indication's {field} begins above its end"


class IndicationExpired(Refusal):
    """The indication's time is over; the lender can no longer be chosen on it."""

    code = "indication_expired"
    status = 409
    title_zh = "意向报价已过有效期"
    title_en = "The indication has expired"


class TooManyChosen(Refusal):
    """As many lenders hold the firm's authority for this demand as may at a time."""

    code = "too_many_chosen"
    status = 409
    title_zh = "一笔需求同时最多选定 {most} 家机构"
    title_en = "At most {most} lenders may be chosen for a demand at a time"


class OfferExpired(Refusal):
    """The offer's time is over."""

    code = "offer_expired"
    status = 409
    title_zh = "报价已过有效期"
    title_en = "The offer has expired"


class AnotherOfferAccepted(Refusal):
    """The firm has accepted an offer for this demand already."""

    code = "another_offer_accepted"
    status = 409
    title_zh = "该需求已接受另一份报价"
    title_en = "Another offer for this demand has been accepted"


class DemandNotOpen(Refusal):
    """The demand was withdrawn, has expired or has ended otherwise."""

    code = "demand_not_open"
    status = 409
    title_zh = "该需求当前状态为 {state}，不再接受报价"
    title_en = "The demand is {state} and takes no offers"


class OfferPending(Refusal):
    """The lender has an offer before the firm, or before its own checker, already."""

    code = "offer_pending"
    status = 409
    title_zh = "该机构对此需求已有一份进行中的报价"
    title_en = "The lender already has an offer pending for this demand"


class NotEligible(Refusal):
    """The applicant fails the product's filter, so no path may bring the demand to this lender."""

    code = "not_eligible"
    status = 409
    title_zh = "该需求不符合产品 {product} 的条件：{failed}"
    title_en = "The demand fails the filter of product {product}: {failed}"


class LenderAskedBefore(Refusal):
    """A demand goes to a lender at most once."""

    code = "lender_asked_before"
    status = 409
    title_zh = "该机构已收到过本需求"
    title_en = "This lender has had this demand before"


class TooManyLenders(Refusal):
    """The demand was shown to as many lenders as one demand may be."""

    code = "too_many_lenders"
    status = 409
    title_zh = "一笔需求最多派给 {most} 家机构"
    title_en = "A demand goes to at most {most} lenders"


@dataclass(frozen=True)
class MatchingPolicy:
    """The limits and clocks in force on a day."""

    effective_from: date
    lenders_at_once: int
    lenders_in_all: int
    answer_working_days: int
    acceptance_days: int
    offer_days: int
    history_days: int
    history_answers: int
    lenders_chosen: int
    indication_days: int
    binding_working_days: int
    authority_days: int


@dataclass(frozen=True)
class Indicated:
    """The ranges that a lender names from platform data, both ends included. Not binding."""

    min_amount_fen: int
    max_amount_fen: int
    min_rate_bp: int
    max_rate_bp: int
    min_term_months: int
    max_term_months: int
    repayment_kinds: tuple[RepaymentKind, ...]
    valid_until: datetime


@dataclass(frozen=True)
class OfferTerms:
    """What is offered."""

    amount_fen: int
    rate_bp: int
    term_months: int
    repayment_kind: RepaymentKind
    valid_until: datetime


def check_indication(
    terms: Indicated, product: OnShelf, *, demand_amount_fen: int, policy: MatchingPolicy, now: datetime
) -> None:
    """Refuse a range that is upside down, leaves the product or the demand, or is open for too long or not at all.

    Raises
    ------
    RangeRefused, OfferTermsRefused, RepaymentKindNotOffered
    """
    ranges = (
        ("amount_fen", terms.min_amount_fen, terms.max_amount_fen),
        ("rate_bp", terms.min_rate_bp, terms.max_rate_bp),
        ("term_months", terms.min_term_months, terms.max_term_months),
    )
    for field, least, most in ranges:
        if least > most:
            raise RangeRefused(field=field)
        for value in (least, most):
            _requires_within(product, field, value, demand_amount_fen)
    _requires_open(terms.valid_until, now + timedelta(days=policy.indication_days), now=now)
    _requires_kinds(product, terms.repayment_kinds)


def check_offer(
    terms: OfferTerms,
    product: OnShelf,
    *,
    demand_amount_fen: int,
    authority_ends_at: datetime,
    policy: MatchingPolicy,
    now: datetime,
) -> None:
    """Refuse an offer outside the product's band, above what the firm asked, or open for too long or not at all.

    An offer outside its own indication is not refused but counted (`drift`): the lender has meanwhile asked elsewhere.
    It may not outlast the authority under which it was made.

    Raises
    ------
    OfferTermsRefused, RepaymentKindNotOffered
    """
    for field, value in (
        ("amount_fen", terms.amount_fen),
        ("rate_bp", terms.rate_bp),
        ("term_months", terms.term_months),
    ):
        _requires_within(product, field, value, demand_amount_fen)
    _requires_open(terms.valid_until, min(now + timedelta(days=policy.offer_days), authority_ends_at), now=now)
    _requires_kinds(product, (terms.repayment_kind,))


def _requires_within(product: OnShelf, field: str, value: int, demand_amount_fen: int) -> None:
    least, most = {
        "amount_fen": (product.min_amount_fen, min(product.max_amount_fen, demand_amount_fen)),
        "rate_bp": (product.min_rate_bp, product.max_rate_bp),
        "term_months": (product.min_term_months, product.max_term_months),
    }[field]
    if not least <= value <= most:
        raise OfferTermsRefused(field=field, least=least, most=most)


def _requires_open(valid_until: datetime, open_until: datetime, *, now: datetime) -> None:
    if not now < valid_until <= open_until:
        raise OfferTermsRefused(field="valid_until", least=now.isoformat(), most=open_until.isoformat())


def _requires_kinds(product: OnShelf, kinds: Sequence[RepaymentKind]) -> None:
    for kind in kinds:
        if kind not in product.repayment_kinds:
            raise RepaymentKindNotOffered(kind=kind.value)
    if not kinds:
        raise OfferTermsRefused(field="repayment_kinds", least=1, most=len(product.repayment_kinds))
