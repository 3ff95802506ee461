"""Conditions as data: evaluated plainly, named in full, and analysed exactly before they are published."""

from dataclasses import replace
from datetime import date

import pytest
from builders_products import some_terms
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.foundation.errors import Refusal
from xinyidai.products.rules import (
    Clause,
    ClauseCodeRefused,
    ClauseCodeRepeated,
    ClauseFieldUnknown,
    ClauseNeverMet,
    ClauseOperatorRefused,
    ClausesContradict,
    ClauseValueRefused,
    Fact,
    Operator,
    ProductBeyondPolicy,
    ProductBoundsReversed,
    ProductPolicy,
    ProductTerms,
    ProductTermsRefused,
    TooManyClauses,
    canonical_clause,
    check_clauses,
    check_terms,
    clause_json,
    clause_of,
    failing_clauses,
    is_met,
)
from xinyidai.products.rules.analysis import is_satisfiable
from xinyidai.products.rules.fields import LARGEST, Whole, Words

POLICY = ProductPolicy(
    effective_from=date(2000, 1, 1),
    max_amount_fen=5_000_000_000,
    max_term_months=120,
    max_rate_bp=2_400,
    max_answer_working_days=30,
    max_products=200,
)

# A small world, so that hypothesis meets contradictions as often as not and every value can be tried.
NUMBERS = range(-3, 8)
LETTERS = "abcd"
COMPARED = [Operator.EQ, Operator.NE, Operator.LT, Operator.LTE, Operator.GT, Operator.GTE]

numeric_clauses = st.one_of(
    st.builds(Clause, st.just("staff"), st.sampled_from(COMPARED), st.sampled_from(NUMBERS), st.just("c")),
    st.builds(
        Clause,
        st.just("staff"),
        st.sampled_from([Operator.IN, Operator.NOT_IN]),
        st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=4).map(tuple),
        st.just("c"),
    ),
)
text_clauses = st.one_of(
    st.builds(
        Clause,
        st.just("region_code"),
        st.sampled_from([Operator.EQ, Operator.NE]),
        st.sampled_from(LETTERS),
        st.just("c"),
    ),
    st.builds(
        Clause,
        st.just("region_code"),
        st.sampled_from([Operator.IN, Operator.NOT_IN]),
        st.lists(st.sampled_from(LETTERS), min_size=1, max_size=3).map(tuple),
        st.just("c"),
    ),
)


def named(clauses: list[Clause]) -> list[Clause]:
    return [replace(clause, code=f"c{number}") for number, clause in enumerate(clauses)]


sets_of_numeric = st.lists(numeric_clauses, max_size=6).map(named)
sets_of_text = st.lists(text_clauses, max_size=5).map(named)
facts = st.one_of(st.none(), st.sampled_from(NUMBERS), st.sampled_from(LETTERS))

PLAINLY = {
    Operator.EQ: lambda fact, value: fact == value,
    Operator.NE: lambda fact, value: fact != value,
    Operator.LT: lambda fact, value: fact < value,
    Operator.LTE: lambda fact, value: fact <= value,
    Operator.GT: lambda fact, value: fact > value,
    Operator.GTE: lambda fact, value: fact >= value,
    Operator.IN: lambda fact, value: fact in value,
    Operator.NOT_IN: lambda fact, value: fact not in value,
}


def plainly_met(clause: Clause, fact: Fact) -> bool:
    kinds = {type(one) for one in clause.values}
    return type(fact) in kinds and PLAINLY[clause.operator](fact, clause.value)


@given(st.one_of(numeric_clauses, text_clauses), facts)
def test_a_condition_means_what_it_says(clause: Clause, fact: Fact) -> None:
    assert is_met(clause, fact) == plainly_met(clause, fact)


@given(sets_of_numeric, sets_of_text, facts, facts)
def test_every_failing_condition_is_named_and_no_other(
    numeric: list[Clause], texts: list[Clause], staff: Fact, region: Fact
) -> None:
    clauses = named([*numeric, *texts])
    known = {"staff": staff, "region_code": region}

    failed = failing_clauses(clauses, known)

    wanted = [clause.code for clause in clauses if not plainly_met(clause, known[clause.field])]
    assert [clause.code for clause, _got in failed] == wanted
    assert all(got == known[clause.field] for clause, got in failed)


@pytest.mark.parametrize("operator", list(Operator))
def test_what_is_not_known_fulfils_no_condition_and_says_so(operator: Operator) -> None:
    value = (1, 2) if operator in (Operator.IN, Operator.NOT_IN) else 1
    clause = Clause("staff", operator, value, "staff_any")

    failed = failing_clauses([clause], {}) + failing_clauses([clause], {"staff": None})

    assert failed == ((clause, None),) * 2


@pytest.mark.parametrize("operator", list(Operator))
@pytest.mark.parametrize("fact", [1, 2, "a", "b", "", None])
def test_a_value_of_two_types_is_met_by_nothing(operator: Operator, fact: Fact) -> None:
    assert not is_met(Clause("staff", operator, (1, "a"), "mixed"), fact)


@pytest.mark.parametrize("operator", [Operator.LT, Operator.LTE, Operator.GT, Operator.GTE])
@pytest.mark.parametrize("value", ["a", (1,), ("a", "b"), ()])
def test_what_has_no_order_is_met_by_nothing(operator: Operator, value: str | tuple[int | str, ...]) -> None:
    assert not any(is_met(Clause("staff", operator, value, "unordered"), fact) for fact in (0, 1, 2, "", "a", "z"))


def test_the_same_words_are_one_condition_and_texts_are_not_numbers() -> None:
    number, word = Clause("staff", Operator.EQ, 1, "one"), Clause("staff", Operator.EQ, "1", "one")

    assert clause_of(clause_json(number)) is clause_of(clause_json(number))
    assert clause_of(clause_json(word)) == word


def test_an_indicator_is_found_by_its_bare_code_however_it_was_written() -> None:
    written = Clause("indicator:sales_12m_fen", Operator.GTE, 10, "sales_too_low")

    assert canonical_clause(written).field == "sales_12m_fen"
    assert failing_clauses([written, canonical_clause(written)], {"sales_12m_fen": 10}) == ()


@given(st.one_of(numeric_clauses, text_clauses))
def test_a_condition_survives_its_json(clause: Clause) -> None:
    assert clause_of(clause_json(clause)) == clause


@given(sets_of_numeric)
def test_numbers_are_refused_when_and_only_when_none_fulfils_all(clauses: list[Clause]) -> None:
    # Whatever lies beyond the numbers named behaves as its nearest neighbour does.
    domain = Whole(-5, 9)

    found = is_satisfiable(clauses, domain)

    assert found == any(all(plainly_met(one, value) for one in clauses) for value in range(-5, 10))


@given(sets_of_text, st.sampled_from([None, frozenset("ab"), frozenset("abcd"), frozenset("bx")]))
def test_texts_are_refused_when_and_only_when_none_fulfils_all(
    clauses: list[Clause], among: frozenset[str] | None
) -> None:
    tried = among if among is not None else frozenset([*LETTERS, "any other"])

    found = is_satisfiable(clauses, Words(among))

    assert found == any(all(plainly_met(one, value) for one in clauses) for value in tried)


@given(sets_of_numeric)
def test_the_conditions_named_in_a_contradiction_are_all_guilty(clauses: list[Clause]) -> None:
    refusal = refusal_of(clauses)
    wanted = refusal.facts.get("clauses") or [refusal.facts["clause"]] if refusal else []
    core = [clause for clause in clauses if clause.code in wanted]

    assert (refusal is None) == is_satisfiable(clauses, Whole(0, LARGEST))
    assert refusal is None or not is_satisfiable(core, Whole(0, LARGEST))
    assert all(is_satisfiable([one for one in core if one is not left], Whole(0, LARGEST)) for left in core)


def refusal_of(clauses: list[Clause]) -> Refusal | None:
    try:
        check_clauses(clauses, narrowed={})
    except (ClauseNeverMet, ClausesContradict) as refusal:
        return refusal
    return None


CONTRADICTIONS = {
    "gt 5 and lt 3": [("staff", "gt", 5), ("staff", "lt", 3)],
    "gt 5 and lt 6": [("staff", "gt", 5), ("staff", "lt", 6)],
    "eq twice": [("staff", "eq", 5), ("staff", "eq", 6)],
    "eq and ne": [("staff", "eq", 5), ("staff", "ne", 5)],
    "in and in": [("region_code", "in", ("500101", "500102")), ("region_code", "in", ("500103",))],
    "in and not in": [("use", "in", ("wages", "export")), ("use", "not_in", ("wages", "export"))],
    "all of a closed list left out": [("kind", "ne", "firm"), ("kind", "ne", "sole_trader")],
    "every number between left out": [("staff", "gte", 2), ("staff", "lte", 3), ("staff", "not_in", (2, 3))],
}


@pytest.mark.parametrize("told", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_known_contradictions_are_refused_with_their_conditions(told: list[tuple[str, str, int | str]]) -> None:
    clauses = named([Clause(field, Operator(operator), value, "c") for field, operator, value in told])
    innocent = Clause("age_months", Operator.GTE, 24, "too_young")

    with pytest.raises(ClausesContradict) as refused:
        check_clauses([innocent, *clauses], narrowed={})

    assert refused.value.facts == {"field": clauses[0].field, "clauses": [clause.code for clause in clauses]}


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("pd_ppm", "lt", 0),
        ("pd_ppm", "gt", 1_000_000),
        ("score_band", "gt", 10),
        ("amount_fen", "gt", 500_000_000),
        ("exposure_with_demand_fen", "lt", 1_000_000),
        ("term_months", "eq", 37),
        ("kind", "eq", "sole_trader"),
        ("region_code", "eq", "500101"),
        ("industry_code", "in", ("F51", "H62")),
        ("repayment_kind", "ne", "interest_first"),
    ],
)
def test_a_condition_that_the_field_or_the_terms_rule_out_is_refused(
    field: str, operator: str, value: int | str
) -> None:
    terms = some_terms(
        applicant_kinds=["firm"],
        region_codes=["500103"],
        industry_codes=["C"],
        repayment_kinds=["interest_first"],
        clauses=[Clause(field, Operator(operator), value, "never")],
    )

    with pytest.raises(ClauseNeverMet) as refused:
        check_terms(terms, POLICY, indicators=())

    assert refused.value.facts == {"clause": "never", "field": field}


@pytest.mark.parametrize(
    ("refusal", "clause"),
    [
        (ClauseFieldUnknown, Clause("moon_phase", Operator.EQ, 1, "c")),
        (ClauseFieldUnknown, Clause("demand_id", Operator.EQ, "x", "c")),
        (ClauseOperatorRefused, Clause("use", Operator.LT, "wages", "c")),
        (ClauseValueRefused, Clause("use", Operator.EQ, 1, "c")),
        (ClauseValueRefused, Clause("use", Operator.EQ, "casino", "c")),
        (ClauseValueRefused, Clause("staff", Operator.GT, "5", "c")),
        (ClauseValueRefused, Clause("staff", Operator.EQ, True, "c")),
        (ClauseValueRefused, Clause("staff", Operator.LT, 2**63, "c")),
        (ClauseValueRefused, Clause("staff", Operator.LT, (1, 2), "c")),
        (ClauseValueRefused, Clause("staff", Operator.IN, 1, "c")),
        (ClauseValueRefused, Clause("staff", Operator.IN, (), "c")),
        (ClauseValueRefused, Clause("staff", Operator.IN, (1, "2"), "c")),
        (ClauseValueRefused, Clause("staff", Operator.IN, tuple(range(201)), "c")),
        (ClauseValueRefused, Clause("region_code", Operator.EQ, "a\x00b", "c")),
        (ClauseCodeRefused, Clause("staff", Operator.GT, 1, "")),
        (ClauseCodeRefused, Clause("staff", Operator.GT, 1, "Not A Code")),
    ],
)
def test_a_malformed_condition_is_refused_by_name(refusal: type[Refusal], clause: Clause) -> None:
    with pytest.raises(refusal):
        check_clauses([clause], narrowed={})


def test_too_many_conditions_and_two_of_one_name_are_refused() -> None:
    clause = Clause("staff", Operator.GT, 1, "few")

    with pytest.raises(ClauseCodeRepeated):
        check_clauses([clause, clause], narrowed={})
    with pytest.raises(TooManyClauses):
        check_clauses([clause] * 51, narrowed={})


def test_an_indicator_takes_any_whole_number() -> None:
    clauses = [Clause("sales_trend", Operator.GTE, -50_000, "falling"), Clause("sales_trend", Operator.NE, 0, "flat")]

    check_clauses(clauses, narrowed={}, indicators=["sales_trend"])

    with pytest.raises(ClauseFieldUnknown):
        check_clauses(clauses, narrowed={}, indicators=["loss_months"])


@pytest.mark.parametrize(
    ("refusal", "terms"),
    [
        (ProductBoundsReversed, some_terms(amounts_fen=(2, 1))),
        (ProductBoundsReversed, some_terms(terms_months=(12, 6))),
        (ProductBoundsReversed, some_terms(rates_bp=(600, 350))),
        (ProductBeyondPolicy, some_terms(amounts_fen=(0, 1))),
        (ProductBeyondPolicy, some_terms(amounts_fen=(1, 10**18))),
        (ProductBeyondPolicy, some_terms(terms_months=(0, 12))),
        (ProductBeyondPolicy, some_terms(terms_months=(1, 121))),
        (ProductBeyondPolicy, some_terms(rates_bp=(-1, 400))),
        (ProductBeyondPolicy, some_terms(rates_bp=(350, 2_401))),
        (ProductBeyondPolicy, some_terms(answer_working_days=0)),
        (ProductBeyondPolicy, some_terms(answer_working_days=31)),
        (ProductTermsRefused, some_terms(code="with space")),
        (ProductTermsRefused, some_terms(repayment_kinds=[])),
        (ProductTermsRefused, some_terms(repayment_kinds=["balloon"])),
        (ProductTermsRefused, some_terms(applicant_kinds=["lender"])),
        (ProductTermsRefused, some_terms(region_codes=["500103", "500103"])),
        (ProductTermsRefused, some_terms(industry_codes=["52"])),
        (ProductTermsRefused, replace(some_terms(), name_zh="")),
        (ProductTermsRefused, replace(some_terms(), name_en="two\nlines")),
    ],
)
def test_terms_that_no_product_may_have_are_refused(refusal: type[Refusal], terms: ProductTerms) -> None:
    with pytest.raises(refusal):
        check_terms(terms, POLICY, indicators=())


def test_terms_at_the_edges_of_policy_are_taken() -> None:
    check_terms(
        some_terms(
            amounts_fen=(1, 5_000_000_000), terms_months=(1, 120), rates_bp=(0, 2_400), answer_working_days=None
        ),
        POLICY,
        indicators=(),
    )
