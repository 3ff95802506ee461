"""Drift: what a binding offer is worse by than what its lender had indicated."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from xinyidai.demands.rules import RepaymentKind
from xinyidai.matching.rules.drift import Drift, drift_of
from xinyidai.matching.rules.offers import Indicated, OfferTerms

UNTIL = datetime(2025, 6, 16, 4, tzinfo=UTC) + timedelta(days=30)
LEVEL, BULLET = RepaymentKind.EQUAL_INSTALMENTS, RepaymentKind.INTEREST_FIRST
RANGE = Indicated(40_000_000, 50_000_000, 380, 450, 6, 12, (LEVEL,), UNTIL)
OFFER = OfferTerms(40_000_000, 450, 12, LEVEL, UNTIL)

kinds = st.sampled_from(list(RepaymentKind))
ranges = st.builds(
    lambda amounts, rates, terms, kind: Indicated(*sorted(amounts), *sorted(rates), *sorted(terms), (kind,), UNTIL),
    st.tuples(st.integers(1, 10**12), st.integers(1, 10**12)),
    st.tuples(st.integers(0, 3600), st.integers(0, 3600)),
    st.tuples(st.integers(1, 120), st.integers(1, 120)),
    kinds,
)
offers = st.builds(OfferTerms, st.integers(1, 10**12), st.integers(0, 3600), st.integers(1, 120), kinds, st.just(UNTIL))


def test_an_offer_at_the_far_end_of_the_range_has_not_drifted() -> None:
    assert drift_of(RANGE, OFFER) == Drift(0, 0, 0, is_inside=True)


def test_an_amount_below_and_a_rate_above_are_measured() -> None:
    worse = replace(OFFER, amount_fen=30_000_000, rate_bp=470)

    assert drift_of(RANGE, worse) == Drift(10_000_000, 250_000, 20, is_inside=False)


def test_a_single_fen_below_is_not_rounded_away() -> None:
    assert drift_of(RANGE, replace(OFFER, amount_fen=39_999_999)) == Drift(1, 1, 0, is_inside=False)


def test_better_than_indicated_is_inside() -> None:
    better = replace(OFFER, amount_fen=60_000_000, rate_bp=100)

    assert drift_of(RANGE, better) == Drift(0, 0, 0, is_inside=True)


def test_another_term_or_way_of_repaying_is_outside_without_a_measure() -> None:
    longer, bullet = replace(OFFER, term_months=13), replace(OFFER, repayment_kind=BULLET)

    assert [drift_of(RANGE, one) for one in (longer, bullet)] == [Drift(0, 0, 0, is_inside=False)] * 2


@given(ranges, offers)
def test_drift_is_zero_or_says_by_how_much(indicated: Indicated, offered: OfferTerms) -> None:
    drift = drift_of(indicated, offered)

    assert offered.amount_fen + drift.amount_below_fen >= indicated.min_amount_fen
    assert offered.rate_bp - drift.rate_above_bp <= indicated.max_rate_bp
    assert 0 <= drift.amount_below_ppm <= 1_000_000
    assert (drift.amount_below_ppm == 0) == (drift.amount_below_fen == 0)
    assert not drift.is_inside or drift.amount_below_fen == drift.rate_above_bp == 0


@given(ranges, offers, st.integers(0, 10**12), st.integers(0, 3600))
def test_what_is_better_for_the_firm_never_drifts_more(
    indicated: Indicated, offered: OfferTerms, more_fen: int, less_bp: int
) -> None:
    better = replace(offered, amount_fen=offered.amount_fen + more_fen, rate_bp=max(0, offered.rate_bp - less_bp))

    before, after = drift_of(indicated, offered), drift_of(indicated, better)

    assert after.amount_below_fen <= before.amount_below_fen
    assert after.amount_below_ppm <= before.amount_below_ppm
    assert after.rate_above_bp <= before.rate_above_bp
    assert after.is_inside or not before.is_inside
