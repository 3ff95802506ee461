"""Money: splits sum exactly, are within a fen of the exact share, and do not drift over instalments."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.foundation.money import Fen, Ppm, fraction_half_up, share_out

amounts = st.integers(min_value=-(10**15), max_value=10**15).map(Fen)


@st.composite
def share_tables(draw: st.DrawFn) -> dict[str, Ppm]:
    count = draw(st.integers(2, 8))
    cuts = sorted(draw(st.lists(st.integers(0, 1_000_000), min_size=count - 1, max_size=count - 1)))
    bounds = [0, *cuts, 1_000_000]
    return {f"party{number}": Ppm(bounds[number + 1] - bounds[number]) for number in range(count)}


@given(amounts, share_tables())
def test_parts_sum_exactly_and_lie_within_a_fen_of_the_exact_share(amount: Fen, shares: dict[str, Ppm]) -> None:
    parts = share_out(amount, shares)

    assert sum(parts.values()) == amount
    assert all(abs(parts[key] - Fraction(amount * ppm, 1_000_000)) < 1 for key, ppm in shares.items())


@given(amounts, share_tables())
def test_the_order_of_the_parties_changes_nobodys_part(amount: Fen, shares: dict[str, Ppm]) -> None:
    turned_round = dict(reversed(shares.items()))

    assert share_out(amount, shares) == share_out(amount, turned_round)


@given(amounts, st.integers(-(10**6), 10**6), st.integers(1, 10**6))
def test_half_up_is_the_nearest_integer_and_ties_leave_zero(amount: Fen, numerator: int, denominator: int) -> None:
    exact = Fraction(amount * numerator, denominator)

    rounded = fraction_half_up(amount, numerator, denominator)

    assert abs(rounded - exact) <= Fraction(1, 2)
    assert abs(rounded) >= abs(exact) or abs(rounded - exact) < Fraction(1, 2)


@pytest.mark.parametrize("shares", [{"a": 999_999}, {"a": 1_000_001, "b": -1}, {}])
def test_shares_that_are_not_a_whole_are_refused(shares: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="1,000,000"):
        share_out(Fen(100), {key: Ppm(ppm) for key, ppm in shares.items()})
