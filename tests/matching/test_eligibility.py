"""Eligibility: every failing clause is named, what fits is ranked, and what was decided can be decided again."""

from dataclasses import replace

import pytest
from builders_examples import on_examples
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.foundation.canonical import Json
from xinyidai.matching.rules.eligibility import Fact, Filter, OnShelf, Standing, decide, judge, lot_for
from xinyidai.matching.rules.ranking import lot_of
from xinyidai.matching.rules.records import (
    by_code,
    eligibility_digest,
    facts_of,
    outcome_of,
    product_json,
    product_of,
    reasons_of,
    shelf_json,
    standings_of,
    vector_of,
)

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
    applicant_kinds=("firm",),
    region_codes=("500103", "500106"),
    industry_codes=("C", "F52"),
    requires_cover=True,
    answer_days=5,
    clauses=(),
)
FACTS: dict[str, Fact] = {
    "demand_id": "33333333-0000-7000-8000-000000000001",
    "amount_fen": 50_000_000,
    "term_months": 12,
    "repayment_kind": "equal_instalments",
    "kind": "firm",
    "region_code": "500103",
    "industry_code": "F521",
    "answer_working_days": 10,
    "age_months": 30,
    "pd_ppm": 20_000,
}
STANDING = Standing(
    lender_id=PRODUCT.lender_id,
    has_consent=True,
    line="open",
    line_available_fen=40_000_000,
    line_covered_ppm=800_000,
    line_firm_cap_fen=50_000_000,
    line_max_rate_bp=300,
)


def test_lots_are_drawn_from_business_keys_and_no_id_moves_them() -> None:
    facts = FACTS | {"demand_key": "one firm, one moment"}
    standing = replace(STANDING, lender_code="91500103000000010X")
    again = replace(PRODUCT, lender_id="99999999-0000-7000-8000-000000000001")

    here = lot_for(PRODUCT, facts, standing)
    elsewhere = lot_for(again, facts | {"demand_id": "another id"}, replace(standing, lender_id=again.lender_id))

    assert here == elsewhere
    assert here != lot_for(PRODUCT, facts, replace(standing, lender_code="91500103000000020X"))


def test_a_decision_from_before_the_business_keys_is_decided_again_as_it_was() -> None:
    vector = {
        key: value for key, value in vector_of(FACTS, {PRODUCT.lender_id: STANDING}).items() if "_code" not in key
    }
    old = {key: value for key, value in vector.items() if not key.endswith("demand_key")}
    old |= {"applicant.region_code": FACTS["region_code"], "applicant.industry_code": FACTS["industry_code"]}

    (only,) = decide([PRODUCT], facts_of(old), standings_of(old)).ranked

    assert only.candidate.lot == lot_of(str(FACTS["demand_id"]), PRODUCT.lender_id, PRODUCT.code)


def test_an_applicant_at_every_bound_fits() -> None:
    assert judge(PRODUCT, FACTS, STANDING).failures == ()


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({"amount_fen": 9_999_999}, [Filter.AMOUNT]),
        ({"amount_fen": 100_000_001}, [Filter.AMOUNT, Filter.LINE_CAPACITY, Filter.LINE_FIRM_CAP]),
        ({"term_months": 5}, [Filter.TERM]),
        ({"term_months": 25}, [Filter.TERM]),
        ({"repayment_kind": "interest_first"}, [Filter.REPAYMENT]),
        ({"kind": "sole_trader"}, [Filter.APPLICANT_KIND]),
        ({"region_code": "500112"}, [Filter.REGION]),
        ({"region_code": None}, [Filter.REGION]),
        ({"industry_code": "F51"}, [Filter.INDUSTRY]),
        ({"industry_code": None}, [Filter.INDUSTRY]),
    ],
)
def test_each_filter_of_the_product_is_named(changed: dict[str, Fact], failed: list[str]) -> None:
    verdict = judge(PRODUCT, FACTS | changed, STANDING)

    assert [failure.code for failure in verdict.failures] == failed


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({"has_consent": False}, Filter.CONSENT),
        ({"was_asked": True}, Filter.ASKED),
        ({"line": "paused"}, Filter.LINE),
        ({"line": "none"}, Filter.LINE),
        ({"line_available_fen": 39_999_999}, Filter.LINE_CAPACITY),
        ({"line_firm_cap_fen": 49_999_999}, Filter.LINE_FIRM_CAP),
        ({"line_max_rate_bp": 299}, Filter.LINE_RATE),
    ],
)
def test_each_filter_of_the_lenders_standing_is_named(changed: dict[str, object], failed: str) -> None:
    verdict = judge(PRODUCT, FACTS, replace(STANDING, **changed))  # type: ignore[arg-type]

    assert [failure.code for failure in verdict.failures] == [failed]


def test_a_product_without_cover_needs_no_line() -> None:
    verdict = judge(replace(PRODUCT, requires_cover=False), FACTS, replace(STANDING, line="none"))

    assert verdict.is_eligible


def test_every_failure_is_named_and_says_itself_in_both_languages() -> None:
    worst = FACTS | {"amount_fen": 1, "term_months": 99, "kind": "sole_trader", "region_code": None}

    verdict = judge(PRODUCT, worst, replace(STANDING, has_consent=False, line="paused"))

    assert [failure.code for failure in verdict.failures] == [
        Filter.AMOUNT,
        Filter.TERM,
        Filter.APPLICANT_KIND,
        Filter.REGION,
        Filter.CONSENT,
        Filter.LINE,
    ]
    assert verdict.failures[0].sentences()[0] == "融资金额 1 分不在产品额度 10000000–100000000 分之内"
    assert verdict.failures[3].sentences()[1] == "The product serves regions 500103、500106, not 未知"


def test_what_does_not_fit_has_no_digest_to_be_dispatched_with() -> None:
    verdict = judge(PRODUCT, FACTS, replace(STANDING, has_consent=False))

    with pytest.raises(AssertionError, match="only what fits"):
        eligibility_digest(verdict, FACTS, STANDING, [])


BOTH = ("equal_instalments", "interest_first")
LENDERS = [f"22222222-0000-7000-8000-00000000000{number}" for number in range(4)]

products = st.builds(
    OnShelf,
    product_id=st.uuids().map(str),
    code=st.text("ABCD", min_size=1, max_size=4),
    version=st.integers(1, 9),
    lender_id=st.sampled_from(LENDERS),
    min_amount_fen=st.integers(1, 60_000_000),
    max_amount_fen=st.integers(40_000_000, 90_000_000),
    min_term_months=st.integers(1, 14),
    max_term_months=st.integers(10, 60),
    min_rate_bp=st.integers(100, 400),
    max_rate_bp=st.integers(400, 900),
    repayment_kinds=st.sampled_from(
        [("equal_instalments",), ("interest_first",), ("equal_instalments", "interest_first")]
    ),
    applicant_kinds=st.sampled_from([(), ("firm",), ("sole_trader",)]),
    region_codes=st.sampled_from([(), ("500103",), ("500112",)]),
    industry_codes=st.sampled_from([(), ("F",), ("C",)]),
    requires_cover=st.booleans(),
    answer_days=st.one_of(st.none(), st.integers(1, 20)),
    clauses=st.just(()),
)
standing = st.builds(
    Standing,
    lender_id=st.just(""),
    has_consent=st.booleans(),
    was_asked=st.booleans(),
    line=st.sampled_from(["open", "watch", "paused", "ended", "none"]),
    line_available_fen=st.integers(0, 80_000_000),
    line_covered_ppm=st.integers(0, 1_000_000),
    line_firm_cap_fen=st.integers(0, 90_000_000),
    line_max_rate_bp=st.integers(0, 900),
    grant_share_ppm=st.one_of(st.none(), st.integers(0, 1_000_000)),
)
standings = st.tuples(*[standing] * len(LENDERS)).map(
    lambda found: {lender: replace(one, lender_id=lender) for lender, one in zip(LENDERS, found, strict=True)}
)
shelves = st.lists(products, max_size=8, unique_by=lambda product: product.code)


@given(shelves, standings)
@on_examples(200)
def test_every_product_is_either_ranked_or_refused_with_reasons(
    shelf: list[OnShelf], lenders: dict[str, Standing]
) -> None:
    decision = decide(shelf, FACTS, lenders)

    ranked = {one.candidate.product_code for one in decision.ranked}
    refused = {verdict.product.code for verdict in decision.refused}
    assert ranked | refused == {product.code for product in shelf}
    assert not ranked & refused
    assert all(verdict.failures for verdict in decision.refused)
    assert all(lenders[one.candidate.lender_id].has_consent for one in decision.ranked)


@given(shelves, standings)
@on_examples(200)
def test_what_is_written_down_decides_the_same_again(shelf: list[OnShelf], lenders: dict[str, Standing]) -> None:
    decision = decide(shelf, FACTS, lenders)
    vector, kept = vector_of(FACTS, lenders), shelf_json(shelf)

    again = decide([product_of(as_object(told)) for told in kept], facts_of(vector), standings_of(vector))

    in_order = decide(sorted(shelf, key=by_code), FACTS, lenders)
    assert outcome_of(again) == outcome_of(in_order)
    assert outcome_of(again)["ranked"] == outcome_of(decision)["ranked"]
    assert standings_of(vector) == lenders


@given(shelves, standings)
def test_every_reason_can_be_shown_and_no_outcome_holds_a_value_of_the_firm(
    shelf: list[OnShelf], lenders: dict[str, Standing]
) -> None:
    decision = decide(shelf, FACTS, lenders)

    assert all(reason["code"] and reason["zh"] and reason["en"] for reason in reasons_of(decision))
    assert "got" not in str(outcome_of(decision)["refused"])


@given(products)
def test_a_products_terms_come_back_from_json(product: OnShelf) -> None:
    assert product_of(product_json(product)) == product


def as_object(told: Json) -> dict[str, Json]:
    """Return JSON that is an object as one."""
    assert isinstance(told, dict)
    return told
