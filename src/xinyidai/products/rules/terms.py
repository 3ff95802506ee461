"""The terms of a product, the policy they must keep to, and the life of a product. Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NewType
from uuid import UUID

from xinyidai.foundation.errors import Refusal
from xinyidai.products.rules.analysis import check_clauses
from xinyidai.products.rules.clauses import Clause
from xinyidai.products.rules.fields import LARGEST, ApplicantKind, Domain, RepaymentKind, Whole, Words

ProductId = NewType("ProductId", UUID)

MAX_NAME = 120
MAX_CODES = 200
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_REGION = re.compile(r"[A-Z0-9-]{2,20}")
_INDUSTRY = re.compile(r"[A-T][0-9]{0,4}")


class ProductState(StrEnum):
    """The life of one version: proposed by one person, published by another, closed. Closing a proposal drops it."""

    PROPOSED = "proposed"
    PUBLISHED = "published"
    CLOSED = "closed"


class ProductTermsRefused(Refusal):
    """A term that is empty, unknown, repeated or too long."""

    code = "product_terms_refused"
    status = 422
    title_zh = "产品要素 {field} 的取值不被接受"
    title_en = "The product's {field} is refused"


class ProductBoundsReversed(Refusal):
    """The least is more than the most."""

    code = "product_bounds_reversed"
    status = 422
    title_zh = "产品要素 {field} 的下限 {least} 高于上限 {most}"
    title_en = "The product's {field} starts at {least} and ends at {most}"


class ProductBeyondPolicy(Refusal):
    """A bound lies outside what policy allows any product."""

    code = "product_beyond_policy"
    status = 422
    title_zh = "产品要素 {field} 须在 {least} 至 {most} 之间"
    title_en = "The product's {field} must lie between {least} and {most}"


class ProductRegionUnknown(Refusal):
    """A region that does not stand on the day from which the product is open."""

    code = "product_region_unknown"
    status = 422
    title_zh = "产品服务区域 {regions} 在 {on} 不存在"
    title_en = "The regions {regions} do not stand on {on}"


class ProductStepRefused(Refusal):
    """The product is not in a state from which this may follow."""

    code = "product_step_refused"
    status = 409
    title_zh = "产品当前状态为 {state}，不能变为 {wanted}"
    title_en = "The product is {state} and cannot become {wanted}"


class TooManyProducts(Refusal):
    """The lender has as many products, proposed and open, as one lender may."""

    code = "too_many_products"
    status = 409
    title_zh = "一家机构待发布和在售的产品不能超过 {most} 个"
    title_en = "A lender has at most {most} products proposed or open"


@dataclass(frozen=True)
class ProductTerms:
    """What a product offers and asks. Empty kinds of applicants, regions and industries mean everyone, everywhere, all.

    An industry code is a section letter with any number of division digits and takes in all that begin with it.
    """

    code: str
    name_zh: str
    name_en: str
    min_amount_fen: int
    max_amount_fen: int
    min_term_months: int
    max_term_months: int
    min_rate_bp: int
    max_rate_bp: int
    repayment_kinds: tuple[str, ...]
    applicant_kinds: tuple[str, ...]
    region_codes: tuple[str, ...]
    industry_codes: tuple[str, ...]
    requires_cover: bool
    answer_working_days: int | None
    clauses: tuple[Clause, ...]


@dataclass(frozen=True)
class ProductPolicy:
    """The limits in force on a day."""

    effective_from: date
    max_amount_fen: int
    max_term_months: int
    max_rate_bp: int
    max_answer_working_days: int
    max_products: int


def check_terms(terms: ProductTerms, policy: ProductPolicy, *, indicators: Collection[str]) -> None:
    """Refuse terms that no product may have and conditions that make no sense within them.

    Raises
    ------
    ProductTermsRefused, ProductBoundsReversed, ProductBeyondPolicy
        Which term.
    Refusal
        Those of `check_clauses`, naming the condition.
    """
    _check_words(terms)
    _check_range("amount_fen", terms.min_amount_fen, terms.max_amount_fen, 1, policy.max_amount_fen)
    _check_range("term_months", terms.min_term_months, terms.max_term_months, 1, policy.max_term_months)
    _check_range("rate_bp", terms.min_rate_bp, terms.max_rate_bp, 0, policy.max_rate_bp)
    if terms.answer_working_days is not None:
        days = terms.answer_working_days
        _check_range("answer_working_days", days, days, 1, policy.max_answer_working_days)
    check_clauses(terms.clauses, narrowed=narrowed_by(terms), indicators=indicators)


def narrowed_by(terms: ProductTerms) -> Mapping[str, Domain]:
    """Return what the terms leave of the fields that they speak of: a condition on them must be met within."""
    return {
        "amount_fen": Whole(terms.min_amount_fen, terms.max_amount_fen),
        "term_months": Whole(terms.min_term_months, terms.max_term_months),
        "exposure_with_demand_fen": Whole(terms.min_amount_fen, LARGEST),
        "repayment_kind": Words(frozenset(terms.repayment_kinds)),
        "kind": Words(frozenset(terms.applicant_kinds or tuple(ApplicantKind))),
        "region_code": Words(frozenset(terms.region_codes) if terms.region_codes else None),
        "industry_code": Words(prefixes=terms.industry_codes),
    }


def superseded_to(valid_from: date, next_from: date) -> date:
    """Return the first day on which a version is no longer open once the next opens; one not yet begun never opens."""
    return max(valid_from, next_from)


def _check_words(terms: ProductTerms) -> None:
    if not _CODE.fullmatch(terms.code):
        raise ProductTermsRefused(field="code")
    for field, name in (("name_zh", terms.name_zh), ("name_en", terms.name_en)):
        if not (1 <= len(name) <= MAX_NAME and name.isprintable() and name.strip() == name):
            raise ProductTermsRefused(field=field)
    if not terms.repayment_kinds:
        raise ProductTermsRefused(field="repayment_kinds")
    _check_listed("repayment_kinds", terms.repayment_kinds, "|".join(RepaymentKind))
    _check_listed("applicant_kinds", terms.applicant_kinds, "|".join(ApplicantKind))
    _check_listed("region_codes", terms.region_codes, _REGION.pattern)
    _check_listed("industry_codes", terms.industry_codes, _INDUSTRY.pattern)


def _check_listed(field: str, listed: Sequence[str], pattern: str) -> None:
    is_fit = all(re.fullmatch(pattern, one) for one in listed)
    if not is_fit or len(set(listed)) != len(listed) or len(listed) > MAX_CODES:
        raise ProductTermsRefused(field=field)


def _check_range(field: str, low: int, high: int, least: int, most: int) -> None:
    if low > high:
        raise ProductBoundsReversed(field=field, least=low, most=high)
    if low < least or high > most:
        raise ProductBeyondPolicy(field=field, least=least, most=most)
