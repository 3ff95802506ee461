"""What may be indicated or offered: inside the product's band, not above the demand, for a bounded time."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.demands.rules import RepaymentKind
from xinyidai.matching.rules.eligibility import OnShelf
from xinyidai.matching.rules.offers import (
    Indicated,
    MatchingPolicy,
    OfferTerms,
    OfferTermsRefused,
    RangeRefused,
    RepaymentKindNotOffered,
    check_indication,
    check_offer,
)

NOW = datetime(2025, 6, 16, 4, tzinfo=UTC)
POLICY = MatchingPolicy(date(2000, 1, 1), 5, 15, 10, 30, 90, 365, 20, 3, 30, 10, 90)
PRODUCT = OnShelf(
    product_id="11111111-0000-7000-8000-000000000001",
    code="P-1",
    version=1,
    lender_id="22222222-0000-7000-8000-000000000001",
    min_amount_fen=10_000_000,
    max_amount_fen=100_000_000,
    min_term_months=6,
    max_term_months=24,
    min_rate_bp=300,
    max_rate_bp=500,
    repayment_kinds=("equal_instalments",),
    applicant_kinds=(),
    region_codes=(),
    industry_codes=(),
    requires_cover=False,
    answer_days=None,
    clauses=(),
)
AUTHORITY_ENDS = NOW + timedelta(days=90)
TERMS = OfferTerms(50_000_000, 300, 6, RepaymentKind.EQUAL_INSTALMENTS, NOW + timedelta(days=90))


def test_an_offer_at_every_bound_passes() -> None:
    check_offer(TERMS, PRODUCT, demand_amount_fen=50_000_000, policy=POLICY, authority_ends_at=AUTHORITY_ENDS, now=NOW)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount_fen", 50_000_001),
        ("amount_fen", 9_999_999),
        ("amount_fen", 2**63),
        ("amount_fen", 0),
        ("rate_bp", 299),
        ("rate_bp", 501),
        ("term_months", 5),
        ("term_months", 25),
        ("valid_until", NOW),
        ("valid_until", NOW + timedelta(days=90, seconds=1)),
    ],
)
def test_a_term_outside_the_bounds_is_refused_by_name(field: str, value: int | datetime) -> None:
    terms = replace(TERMS, **{field: value})  # type: ignore[arg-type]

    with pytest.raises(OfferTermsRefused) as refused:
        check_offer(
            terms, PRODUCT, demand_amount_fen=50_000_000, policy=POLICY, authority_ends_at=AUTHORITY_ENDS, now=NOW
        )

    assert refused.value.facts["field"] == field


def test_a_way_of_repaying_that_the_product_has_not_is_refused() -> None:
    terms = replace(TERMS, repayment_kind=RepaymentKind.INTEREST_FIRST)

    with pytest.raises(RepaymentKindNotOffered):
        check_offer(
            terms, PRODUCT, demand_amount_fen=50_000_000, policy=POLICY, authority_ends_at=AUTHORITY_ENDS, now=NOW
        )


@given(st.integers(1, 10**9), st.integers(0, 4000), st.integers(1, 130), st.integers(1, 10**9))
def test_whatever_passes_is_inside(amount_fen: int, rate_bp: int, term_months: int, asked_fen: int) -> None:
    terms = replace(TERMS, amount_fen=amount_fen, rate_bp=rate_bp, term_months=term_months)
    inside = (
        10_000_000 <= amount_fen <= min(100_000_000, asked_fen) and 300 <= rate_bp <= 500 and 6 <= term_months <= 24
    )

    passed = True
    try:
        check_offer(
            terms, PRODUCT, demand_amount_fen=asked_fen, policy=POLICY, authority_ends_at=AUTHORITY_ENDS, now=NOW
        )
    except OfferTermsRefused:
        passed = False

    assert passed is inside


def test_an_offer_does_not_outlast_the_authority_it_was_made_under() -> None:
    ends = NOW + timedelta(days=30)
    at_the_end = replace(TERMS, valid_until=ends)

    check_offer(at_the_end, PRODUCT, demand_amount_fen=50_000_000, policy=POLICY, authority_ends_at=ends, now=NOW)
    with pytest.raises(OfferTermsRefused, match="valid_until"):
        check_offer(TERMS, PRODUCT, demand_amount_fen=50_000_000, policy=POLICY, authority_ends_at=ends, now=NOW)


RANGE = Indicated(10_000_000, 50_000_000, 300, 500, 6, 24, (RepaymentKind.EQUAL_INSTALMENTS,), NOW + timedelta(days=30))


def test_a_range_from_bound_to_bound_passes() -> None:
    check_indication(RANGE, PRODUCT, demand_amount_fen=50_000_000, policy=POLICY, now=NOW)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("min_amount_fen", 9_999_999, "amount_fen"),
        ("max_amount_fen", 50_000_001, "amount_fen"),
        ("min_rate_bp", 299, "rate_bp"),
        ("max_rate_bp", 501, "rate_bp"),
        ("min_term_months", 5, "term_months"),
        ("max_term_months", 25, "term_months"),
        ("valid_until", NOW, "valid_until"),
        ("valid_until", NOW + timedelta(days=30, seconds=1), "valid_until"),
        ("repayment_kinds", (), "repayment_kinds"),
    ],
)
def test_a_range_outside_the_bounds_is_refused_by_name(field: str, value: object, named: str) -> None:
    terms = replace(RANGE, **{field: value})  # type: ignore[arg-type]

    with pytest.raises(OfferTermsRefused) as refused:
        check_indication(terms, PRODUCT, demand_amount_fen=50_000_000, policy=POLICY, now=NOW)

    assert refused.value.facts["field"] == named


def test_one_way_of_repaying_that_the_product_has_not_spoils_the_range() -> None:
    terms = replace(RANGE, repayment_kinds=(RepaymentKind.EQUAL_INSTALMENTS, RepaymentKind.INTEREST_FIRST))

    with pytest.raises(RepaymentKindNotOffered):
        check_indication(terms, PRODUCT, demand_amount_fen=50_000_000, policy=POLICY, now=NOW)


bounds = st.tuples(st.integers(1, 2 * 10**8), st.integers(1, 2 * 10**8))


@given(bounds, st.tuples(st.integers(0, 600), st.integers(0, 600)), st.integers(1, 10**9))
def test_whatever_range_passes_is_upright_and_inside(
    amounts: tuple[int, int], rates: tuple[int, int], asked_fen: int
) -> None:
    terms = replace(
        RANGE, min_amount_fen=amounts[0], max_amount_fen=amounts[1], min_rate_bp=rates[0], max_rate_bp=rates[1]
    )
    inside = (
        10_000_000 <= amounts[0] <= amounts[1] <= min(100_000_000, asked_fen) and 300 <= rates[0] <= rates[1] <= 500
    )

    passed = True
    try:
        check_indication(terms, PRODUCT, demand_amount_fen=asked_fen, policy=POLICY, now=NOW)
    except (RangeRefused, OfferTermsRefused):
        passed = False

    assert passed is inside
