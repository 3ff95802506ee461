"""Shares and growing splits: exact, fair to the fen, never taking back."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.agreements.rules import (
    LINE_STEPS,
    LineState,
    LineStepRefused,
    RiskParts,
    Shares,
    SharesBelowPolicy,
    SharesRefused,
    SharingPolicy,
    Terms,
    TermsRefused,
    check_line_step,
    check_terms,
    grown_parts,
    parts_of,
    released_by,
)
from xinyidai.foundation.money import Fen, Ppm

POLICY = SharingPolicy(date(2025, 3, 1), 200_000, 50_000, "财金〔2025〕11号", is_verified=False)


@st.composite
def shares(draw: st.DrawFn) -> Shares:
    fund = draw(st.integers(1, 1_000_000))
    guarantor = draw(st.integers(0, 1_000_000 - fund))
    return Shares(Ppm(1_000_000 - fund - guarantor), Ppm(fund), Ppm(guarantor))


def terms(**changed: object) -> Terms:
    plain: dict[str, object] = {
        "shares": Shares(Ppm(200_000), Ppm(300_000), Ppm(500_000)),
        "capacity_fen": Fen(10_000_000),
        "per_firm_cap_fen": Fen(1_000_000),
        "claim_after_days": 60,
        "max_rate_bp": 1_500,
        "stop_loss_ppm": 50_000,
        "valid_from": date(2025, 6, 1),
        "valid_to": date(2026, 6, 1),
    }
    return Terms(**(plain | changed))  # type: ignore[arg-type]


@given(total=st.integers(0, 10**13), agreed=shares())
def test_parts_sum_exactly_and_lie_within_a_fen_of_the_exact_share(total: int, agreed: Shares) -> None:
    parts = parts_of(Fen(total), agreed)

    assert parts.total_fen == total
    for part, ppm in (
        (parts.fund_fen, agreed.fund_ppm),
        (parts.guarantor_fen, agreed.guarantor_ppm),
        (parts.lender_fen, agreed.lender_ppm),
    ):
        assert abs(part * 1_000_000 - total * ppm) < 1_000_000


@given(agreed=shares(), cuts=st.lists(st.integers(0, 10**12), min_size=1, max_size=60))
def test_growing_splits_never_shrink_and_never_drift_by_a_fen(agreed: Shares, cuts: list[int]) -> None:
    reserved = parts_of(Fen(max(cuts)), agreed)

    grown = [released_by(Fen(total), reserved) for total in sorted(cuts)]

    for total, parts in zip(sorted(cuts), grown, strict=True):
        assert parts.total_fen == total
        for part, whole in (
            (parts.fund_fen, reserved.fund_fen),
            (parts.guarantor_fen, reserved.guarantor_fen),
            (parts.lender_fen, reserved.lender_fen),
        ):
            assert abs(part * reserved.total_fen - total * whole) < max(reserved.total_fen, 1)
    for earlier, later in pairwise(grown):
        step = later - earlier
        assert min(step.fund_fen, step.guarantor_fen, step.lender_fen) >= 0
    assert grown[-1] == reserved


def test_a_thousand_single_fen_end_at_the_same_parts_as_one_payment() -> None:
    reserved = RiskParts(Fen(333), Fen(333), Fen(334))

    steps = [released_by(Fen(total), reserved) for total in range(1001)]

    assert steps[-1] == reserved
    assert all((later - earlier).total_fen == 1 for earlier, later in pairwise(steps))


def test_a_growing_split_refuses_more_than_the_weights_hold() -> None:
    with pytest.raises(ValueError, match="between zero and the sum"):
        grown_parts(Fen(11), {"fund": Fen(4), "lender": Fen(6)})


@pytest.mark.parametrize(
    ("agreed", "has_guarantor"),
    [
        (Shares(Ppm(200_000), Ppm(300_000), Ppm(400_000)), True),
        (Shares(Ppm(-1), Ppm(500_001), Ppm(500_000)), True),
        (Shares(Ppm(500_000), Ppm(0), Ppm(500_000)), True),
        (Shares(Ppm(200_000), Ppm(300_000), Ppm(500_000)), False),
        (Shares(Ppm(200_000), Ppm(800_000), Ppm(0)), True),
    ],
)
def test_shares_that_make_no_whole_or_have_no_bearer_are_refused(agreed: Shares, has_guarantor: bool) -> None:
    with pytest.raises(SharesRefused):
        check_terms(terms(shares=agreed), POLICY, has_guarantor=has_guarantor)


def test_a_lender_below_the_policy_minimum_is_refused() -> None:
    low = Shares(Ppm(199_999), Ppm(300_001), Ppm(500_000))

    with pytest.raises(SharesBelowPolicy):
        check_terms(terms(shares=low), POLICY, has_guarantor=True)


def test_without_a_known_policy_no_minimum_is_invented() -> None:
    low = Shares(Ppm(100_000), Ppm(400_000), Ppm(500_000))

    check_terms(terms(shares=low), None, has_guarantor=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("capacity_fen", 0),
        ("capacity_fen", 2**63),
        ("per_firm_cap_fen", -1),
        ("claim_after_days", 0),
        ("max_rate_bp", 3_601),
        ("stop_loss_ppm", 0),
        ("valid_to", date(2025, 6, 1)),
    ],
)
def test_terms_out_of_range_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(TermsRefused) as refused:
        check_terms(terms(**{field: value}), POLICY, has_guarantor=True)

    assert refused.value.facts == {"field": field}


@given(state=st.sampled_from(LineState), wanted=st.sampled_from(LineState))
def test_an_ended_line_stays_ended(state: LineState, wanted: LineState) -> None:
    is_known = wanted in LINE_STEPS[state]

    refused = False
    try:
        check_line_step(state, wanted)
    except LineStepRefused:
        refused = True

    assert refused is not is_known
    assert LINE_STEPS[LineState.ENDED] == frozenset()
