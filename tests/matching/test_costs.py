"""What a loan costs: whole fen, the known formulas, and what must always hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.demands.rules import RepaymentKind
from xinyidai.matching.rules.costs import level_instalment_fen, total_interest_fen

EQUAL, FIRST = RepaymentKind.EQUAL_INSTALMENTS, RepaymentKind.INTEREST_FIRST


@pytest.mark.parametrize(("principal_fen", "rate_bp", "months"), [(100_000_000, 400, 12), (50_000_000, 435, 36)])
def test_the_level_instalment_is_the_annuity(principal_fen: int, rate_bp: int, months: int) -> None:
    monthly = rate_bp / 120_000
    by_float = principal_fen * monthly / (1 - (1 + monthly) ** -months)

    assert level_instalment_fen(principal_fen, rate_bp, months) == round(by_float)


def test_without_interest_the_instalment_is_a_plain_share() -> None:
    assert level_instalment_fen(1_000_000, 0, 10) == 100_000
    assert total_interest_fen(1_000_000, 0, 10, EQUAL) == 0


def test_interest_first_costs_a_twelfth_of_the_rate_each_month() -> None:
    assert total_interest_fen(100_000_000, 400, 12, FIRST) == 12 * 333_333


def test_level_instalments_cost_less_interest_than_interest_first() -> None:
    assert total_interest_fen(100_000_000, 400, 12, EQUAL) == pytest.approx(2_179_884, abs=20)


@given(st.integers(1, 10**13), st.integers(0, 3600), st.integers(1, 120), st.sampled_from([EQUAL, FIRST]))
def test_interest_is_never_negative_nor_above_the_rate_on_the_whole_for_the_whole_term(
    principal_fen: int, rate_bp: int, months: int, kind: RepaymentKind
) -> None:
    interest = total_interest_fen(principal_fen, rate_bp, months, kind)

    assert 0 <= interest <= principal_fen * rate_bp * months / 120_000 + months


@given(st.integers(10**6, 10**12), st.integers(0, 3000), st.integers(1, 120), st.integers(1, 600))
def test_a_higher_rate_never_costs_less(principal_fen: int, rate_bp: int, months: int, more_bp: int) -> None:
    lower = total_interest_fen(principal_fen, rate_bp, months, FIRST)
    higher = total_interest_fen(principal_fen, rate_bp + more_bp, months, FIRST)

    assert lower <= higher
