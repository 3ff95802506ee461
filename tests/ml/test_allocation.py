"""Facts of the lending plan: exact, optimal, bounded, and the same fen again."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from builders_examples import on_examples
from hypothesis import given
from hypothesis import strategies as st

from ml.allocation import Band, LendingTerms, PdBands, PlanInvalid, churn_table, pd_bands, plan_lending

CHURN = churn_table([400, 800, 1500], {Band.A: ["0", "0.3", "0.9"], Band.B: [0, 0.25, 0.8], Band.C: [0, 0.2, 0.7]})
BANDS = PdBands((10_000, 20_000, 60_000))

small_terms = st.builds(
    lambda low, more, budget, step: LendingTerms(budget, low, low + more, step),
    st.integers(1, 5),
    st.integers(0, 6),
    st.integers(0, 30),
    st.integers(1, 3),
)
few_firms = st.lists(st.integers(0, 70_000), min_size=0, max_size=3)


def names_of(firms) -> list[str]:
    return [f"F{number}" for number in range(len(firms))]


def profit(pd: int, amount: int, rate: int) -> Fraction:
    band = BANDS.band(pd)
    lost = CHURN.churn[band][CHURN.rates_bp.index(rate)]
    chance = Fraction(pd, 10**6)
    return amount * (1 - lost) * ((1 - chance) * Fraction(rate, 10**4) - chance)


def brute_force(firms: list[int], terms: LendingTerms) -> Fraction:
    amounts = [0, *range(terms.min_amount_fen, terms.max_amount_fen + 1, terms.step_fen)]
    lendable = [pd for pd in firms if BANDS.band(pd) is not Band.D]
    worth = [{a: max(profit(pd, a, rate) for rate in CHURN.rates_bp) for a in amounts} for pd in lendable]
    plans = (plan for plan in product(amounts, repeat=len(lendable)) if sum(plan) <= terms.total_budget_fen)
    return max(sum((table[a] for table, a in zip(worth, plan, strict=True)), Fraction(0)) for plan in plans)


@on_examples(200)
@given(firms=few_firms, terms=small_terms)
def test_no_plan_found_by_brute_force_earns_more(firms, terms):
    plan = plan_lending(names_of(firms), firms, bands=BANDS, churn=CHURN, terms=terms)
    exact = sum((profit(x.pd_ppm, x.amount_fen, x.rate_bp) for x in plan.loans if x.rate_bp is not None), Fraction(0))

    best = brute_force(firms, terms)

    assert exact == best
    assert plan.upper_bound_fen <= plan.relaxed_bound_fen
    assert int(best) <= plan.upper_bound_fen


@on_examples(200)
@given(
    firms=st.lists(st.integers(0, 70_000), max_size=40),
    budget=st.integers(0, 10**10),
    step=st.sampled_from([1, 100, 10**6]),
)
def test_a_plan_keeps_its_terms_and_its_lines_sum_to_its_total(firms, budget, step):
    terms = LendingTerms(budget, 10_000_000, 100_000_000, step)

    plan = plan_lending(names_of(firms), firms, bands=BANDS, churn=CHURN, terms=terms)
    lent = [loan for loan in plan.loans if loan.amount_fen]

    assert sum(loan.amount_fen for loan in plan.loans) == plan.lent_fen <= budget
    assert all(10_000_000 <= loan.amount_fen <= 100_000_000 for loan in lent)
    assert all((loan.amount_fen - 10_000_000) % step == 0 for loan in lent)
    assert all(loan.band is not Band.D and loan.rate_bp in CHURN.rates_bp for loan in lent)
    assert sum(loan.expected_profit_fen for loan in plan.loans) == plan.expected_profit_fen
    assert plan.expected_profit_fen <= plan.upper_bound_fen <= plan.relaxed_bound_fen


@on_examples(200)
@given(firms=st.lists(st.integers(0, 70_000), max_size=40), budget=st.integers(0, 10**10))
def test_a_plan_in_steps_of_one_fen_meets_its_bound_but_for_a_fen_a_line(firms, budget):
    terms = LendingTerms(budget, 10_000_000, 100_000_000)

    plan = plan_lending(names_of(firms), firms, bands=BANDS, churn=CHURN, terms=terms)

    assert plan.upper_bound_fen - plan.expected_profit_fen <= len(firms)


@given(firms=st.lists(st.integers(0, 70_000), max_size=20), budget=st.integers(0, 10**9))
def test_each_line_is_the_exact_profit_rounded_down(firms, budget):
    terms = LendingTerms(budget, 10_000_000, 100_000_000)

    plan = plan_lending(names_of(firms), firms, bands=BANDS, churn=CHURN, terms=terms)
    lent = [loan for loan in plan.loans if loan.rate_bp is not None]

    assert all(x.expected_profit_fen == profit(x.pd_ppm, x.amount_fen, x.rate_bp) // 1 for x in lent)


def test_the_last_borrower_gets_the_minimum_out_of_what_the_one_before_gives_up():
    terms = LendingTerms(105_000_000, 10_000_000, 100_000_000)

    plan = plan_lending(["one", "two"], [9_000, 9_001], bands=BANDS, churn=CHURN, terms=terms)

    assert [loan.amount_fen for loan in plan.loans] == [95_000_000, 10_000_000]


def test_a_budget_under_the_minimum_lends_nothing_and_promises_nothing():
    plan = plan_lending(["one"], [1_000], bands=BANDS, churn=CHURN, terms=LendingTerms(9, 10, 20))

    assert (plan.lent_fen, plan.expected_profit_fen, plan.upper_bound_fen) == (0, 0, 0)


def test_the_worst_band_gets_nothing_even_when_it_would_pay():
    churn = churn_table([10_000], {band: ["0"] for band in Band})

    plan = plan_lending(["one"], [60_000], bands=BANDS, churn=churn, terms=LendingTerms(100, 10, 20))

    assert plan.loans[0].band is Band.D
    assert plan.loans[0].amount_fen == 0


@given(st.lists(st.integers(1, 50), min_size=1, max_size=200))
def test_the_same_probability_always_lies_in_the_same_band_and_bands_ascend(values):
    population = np.array(values)

    bands = pd_bands(population)
    given_bands = [bands.band(value) for value in sorted(values)]

    assert given_bands == sorted(given_bands)
    assert list(bands.below_ppm) == sorted(bands.below_ppm)


def test_bands_without_ties_have_the_shares_of_the_ratings():
    population = np.random.default_rng(1).permutation(123) + 1

    bands = pd_bands(population)
    given_bands = [bands.band(int(value)) for value in population]

    assert [given_bands.count(band) for band in Band] == [27, 38, 34, 24]


def test_a_float_churn_counts_as_the_decimal_it_prints():
    assert churn_table([400], {Band.A: [0.1]}).churn[Band.A] == (Fraction(1, 10),)


@pytest.mark.parametrize(
    "arrange",
    [
        lambda: LendingTerms(1, 0, 1),
        lambda: LendingTerms(1, 2, 1),
        lambda: LendingTerms(-1, 1, 1),
        lambda: LendingTerms(1, 1, 1, step_fen=0),
        lambda: LendingTerms(1, 1, 1, lgd_ppm=1_000_001),
        lambda: churn_table([], {}),
        lambda: churn_table([400], {Band.A: ["1.1"]}),
        lambda: churn_table([400], {Band.A: []}),
        lambda: pd_bands(np.array([], dtype=np.int64)),
        lambda: pd_bands(np.array([1]), shares=(1, 1, 1)),
        lambda: plan_lending(["one"], [], bands=BANDS, churn=CHURN, terms=LendingTerms(1, 1, 1)),
        lambda: plan_lending(["one"], [1_000_001], bands=BANDS, churn=CHURN, terms=LendingTerms(1, 1, 1)),
    ],
)
def test_terms_that_make_no_sense_are_refused(arrange):
    with pytest.raises(PlanInvalid):
        arrange()
