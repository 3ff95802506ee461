"""What a lender may offer: within its own product's bounds, not more than was asked, and for a bounded time. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.errors import Refusal
from xinyidai.matching.rules.eligibility import OnShelf


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


@dataclass(frozen=True)
class OfferTerms:
    """What is offered."""

    amount_fen: int
    rate_bp: int
    term_months: int
    repayment_kind: RepaymentKind
    valid_until: datetime


def check_offer(
    terms: OfferTerms, product: OnShelf, *, demand_amount_fen: int, policy: MatchingPolicy, now: datetime
) -> None:
    """Refuse an offer outside the product's band, above what the firm asked, or open for too long or not at all.

    Raises
    ------
    OfferTermsRefused, RepaymentKindNotOffered
    """
    most_fen = min(product.max_amount_fen, demand_amount_fen)
    for field, value, least, most in (
        ("amount_fen", terms.amount_fen, product.min_amount_fen, most_fen),
        ("rate_bp", terms.rate_bp, product.min_rate_bp, product.max_rate_bp),
        ("term_months", terms.term_months, product.min_term_months, product.max_term_months),
    ):
        if not least <= value <= most:
            raise OfferTermsRefused(field=field, least=least, most=most)
    latest = now + timedelta(days=policy.offer_days)
    if not now < terms.valid_until <= latest:
        raise OfferTermsRefused(field="valid_until", least=now.isoformat(), most=latest.isoformat())
    if terms.repayment_kind not in product.repayment_kinds:
        raise RepaymentKindNotOffered(kind=terms.repayment_kind.value)
