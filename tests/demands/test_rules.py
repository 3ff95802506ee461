"""Demands: no step that the table does not name, no amount or term outside its bounds."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.demands.rules import (
    ASKING,
    FOLLOWS,
    DemandAmountRefused,
    DemandDateRefused,
    DemandPolicy,
    DemandState,
    DemandTermRefused,
    DemandTerms,
    IllegalDemandStep,
    LoanUse,
    RepaymentKind,
    check_terms,
    moved,
)

TODAY = date(2025, 6, 16)
POLICY = DemandPolicy(date(2020, 1, 1), max_amount_fen=5_000_000_000, max_open_demands=3, max_drafts=20, lives_days=90)
TERMS = DemandTerms(
    50_000_000, 12, LoanUse.WORKING_CAPITAL, RepaymentKind.EQUAL_INSTALMENTS, TODAY + timedelta(days=20)
)

ILLEGAL = [(state, wanted) for state in DemandState for wanted in DemandState if wanted not in FOLLOWS[state]]


@pytest.mark.parametrize(("state", "wanted"), ILLEGAL)
def test_a_step_that_the_table_does_not_name_is_refused(state: DemandState, wanted: DemandState) -> None:
    with pytest.raises(IllegalDemandStep):
        moved(state, wanted)


def test_every_state_is_reached_from_a_draft_and_every_life_ends() -> None:
    reached, frontier = {DemandState.DRAFT}, [DemandState.DRAFT]
    while frontier:
        following = FOLLOWS[frontier.pop()] - reached
        reached |= following
        frontier.extend(following)

    ends = {state for state in DemandState if not FOLLOWS[state]}

    assert reached == set(DemandState)
    assert ends == {DemandState.CLOSED, DemandState.WITHDRAWN, DemandState.EXPIRED, DemandState.REJECTED_ALL}


def test_a_demand_before_the_lenders_can_always_be_withdrawn() -> None:
    assert all(moved(state, DemandState.WITHDRAWN) is DemandState.WITHDRAWN for state in ASKING)


def test_terms_within_the_bounds_pass() -> None:
    check_terms(TERMS, POLICY, today=TODAY)


@pytest.mark.parametrize("amount_fen", [0, -1, 10**18, POLICY.max_amount_fen + 1, 2**63])
def test_an_amount_outside_the_bounds_is_refused(amount_fen: int) -> None:
    with pytest.raises(DemandAmountRefused, match="between 1 and 5000000000"):
        check_terms(replace(TERMS, amount_fen=amount_fen), POLICY, today=TODAY)


@pytest.mark.parametrize("term_months", [0, -12, 121, 10**9])
def test_a_term_outside_the_bounds_is_refused(term_months: int) -> None:
    with pytest.raises(DemandTermRefused):
        check_terms(replace(TERMS, term_months=term_months), POLICY, today=TODAY)


@pytest.mark.parametrize("days", [-1, 367, 4000])
def test_a_date_that_is_past_or_too_far_is_refused(days: int) -> None:
    with pytest.raises(DemandDateRefused):
        check_terms(replace(TERMS, wanted_by=TODAY + timedelta(days=days)), POLICY, today=TODAY)


@given(st.integers(), st.integers())
def test_whatever_passes_is_within_the_bounds(amount_fen: int, term_months: int) -> None:
    inside = 1 <= amount_fen <= POLICY.max_amount_fen and 1 <= term_months <= 120
    asked = replace(TERMS, amount_fen=amount_fen, term_months=term_months)

    refused = False
    try:
        check_terms(asked, POLICY, today=TODAY)
    except (DemandAmountRefused, DemandTermRefused):
        refused = True

    assert refused is not inside
