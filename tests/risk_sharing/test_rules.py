"""Splits of losses and recoveries: to the fen, within what each holds, has and bore."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.agreements.rules import RiskParts, Shares, parts_of
from xinyidai.foundation.money import Fen, Ppm
from xinyidai.risk_sharing.rules import (
    CLAIM_STEPS,
    ClaimState,
    ClaimStepRefused,
    CostsAboveReceipts,
    PayingPower,
    check_claim_step,
    is_stop_loss_reached,
    split_loss,
    split_recovery,
)

FOUR_ONE_FIVE = Shares(Ppm(200_000), Ppm(300_000), Ppm(500_000))
amounts = st.integers(0, 10**13)
RICH = PayingPower(Fen(10**14), Fen(10**14))


@st.composite
def shares(draw: st.DrawFn) -> Shares:
    fund = draw(st.integers(1, 1_000_000))
    guarantor = draw(st.integers(0, 1_000_000 - fund))
    return Shares(Ppm(1_000_000 - fund - guarantor), Ppm(fund), Ppm(guarantor))


@given(lost=amounts, agreed=shares(), fund_cash=amounts, fund_held=amounts, guarantor_cash=amounts)
def test_a_loss_is_split_exactly_and_nobody_pays_more_than_share_money_or_reserve(
    lost: int, agreed: Shares, fund_cash: int, fund_held: int, guarantor_cash: int
) -> None:
    fund, guarantor = PayingPower(Fen(fund_cash), Fen(fund_held)), PayingPower(Fen(guarantor_cash), Fen(10**14))

    split = split_loss(Fen(lost), agreed, fund=fund, guarantor=guarantor)

    by_shares = parts_of(Fen(lost), agreed)
    assert split.total_fen == lost
    assert 0 <= split.fund_fen <= min(by_shares.fund_fen, fund_cash, fund_held)
    assert 0 <= split.guarantor_fen <= min(by_shares.guarantor_fen, guarantor_cash)
    assert split.lender_fen >= by_shares.lender_fen


def test_the_fund_pays_what_it_has_and_the_lender_carries_the_rest() -> None:
    poor = PayingPower(Fen(10_000), Fen(10**9))

    split = split_loss(Fen(100_001), FOUR_ONE_FIVE, fund=poor, guarantor=RICH)

    assert split == RiskParts(Fen(10_000), Fen(50_001), Fen(40_000))


@given(
    lost=st.integers(1, 10**13),
    agreed=shares(),
    recoveries=st.lists(st.tuples(st.integers(1, 10**12), st.integers(0, 10**11)), min_size=1, max_size=50),
)
def test_recoveries_return_costs_first_and_never_more_than_each_bore(
    lost: int, agreed: Shares, recoveries: list[tuple[int, int]]
) -> None:
    borne = split_loss(Fen(lost), agreed, fund=RICH, guarantor=RICH)
    returned = RiskParts(Fen(0), Fen(0), Fen(0))

    for received, asked_costs in recoveries:
        costs = min(received, asked_costs)
        split = split_recovery(Fen(received), Fen(costs), borne=borne, recovered_before_fen=returned.total_fen)
        assert split.costs_fen + split.principal.total_fen + split.interest_fen == received
        assert min(split.principal.fund_fen, split.principal.guarantor_fen, split.principal.lender_fen) >= 0
        returned = RiskParts(
            Fen(returned.fund_fen + split.principal.fund_fen),
            Fen(returned.guarantor_fen + split.principal.guarantor_fen),
            Fen(returned.lender_fen + split.principal.lender_fen),
        )
        for got, bore in (
            (returned.fund_fen, borne.fund_fen),
            (returned.guarantor_fen, borne.guarantor_fen),
            (returned.lender_fen, borne.lender_fen),
        ):
            assert got <= bore
            assert abs(got * lost - returned.total_fen * bore) < lost


def test_a_thousand_partial_recoveries_give_the_same_parts_as_one() -> None:
    borne = RiskParts(Fen(30_001), Fen(50_001), Fen(19_999))
    at_once = split_recovery(Fen(99_000), Fen(0), borne=borne, recovered_before_fen=Fen(0)).principal

    pieces = [
        split_recovery(Fen(99), Fen(0), borne=borne, recovered_before_fen=Fen(99 * n)).principal for n in range(1_000)
    ]

    assert sum(piece.fund_fen for piece in pieces) == at_once.fund_fen
    assert sum(piece.guarantor_fen for piece in pieces) == at_once.guarantor_fen
    assert sum(piece.lender_fen for piece in pieces) == at_once.lender_fen


def test_what_is_left_after_the_principal_is_the_lenders_interest() -> None:
    borne = RiskParts(Fen(30), Fen(50), Fen(20))

    split = split_recovery(Fen(130), Fen(10), borne=borne, recovered_before_fen=Fen(0))

    assert (split.costs_fen, split.principal, split.interest_fen) == (10, borne, 20)


def test_costs_above_what_came_in_are_refused() -> None:
    with pytest.raises(CostsAboveReceipts):
        split_recovery(Fen(10), Fen(11), borne=RiskParts(Fen(1), Fen(1), Fen(1)), recovered_before_fen=Fen(0))


@pytest.mark.parametrize(("paid", "reached"), [(49_999, False), (50_000, False), (50_001, True)])
def test_the_stop_loss_is_reached_beyond_its_part_of_what_was_lent(paid: int, reached: bool) -> None:
    assert is_stop_loss_reached(Fen(paid), Fen(1_000_000), 50_000) is reached


@given(state=st.sampled_from(ClaimState), wanted=st.sampled_from(ClaimState))
def test_only_the_listed_steps_of_a_claim_exist(state: ClaimState, wanted: ClaimState) -> None:
    refused = False
    try:
        check_claim_step(state, wanted)
    except ClaimStepRefused:
        refused = True

    assert refused is (wanted not in CLAIM_STEPS[state])
