"""States of objections and repairs, and when a record is old enough: pure."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.foundation.clock import add_months
from xinyidai.objections.rules import (
    FOLLOWS,
    MAX_EVIDENCE,
    MAX_TEXT,
    OPEN,
    IllegalObjectionStep,
    ObjectionState,
    ObjectionTextRefused,
    TooMuchEvidence,
    check_told,
    objection_moved,
    yuan_of,
)
from xinyidai.objections.rules.repairs import (
    REPAIR_OPEN,
    REPAIR_STEPS,
    RepairRule,
    RepairState,
    RepairStepRefused,
    RepairTooEarly,
    Severity,
    check_old_enough,
    repair_moved,
)

ENDS = {ObjectionState.CLOSED, ObjectionState.WITHDRAWN}


@given(st.sampled_from(ObjectionState), st.sampled_from(ObjectionState))
def test_only_the_listed_steps_of_an_objection_exist(state: ObjectionState, wanted: ObjectionState) -> None:
    try:
        moved = objection_moved(state, wanted)
    except IllegalObjectionStep:
        moved = None

    assert (moved is wanted) is (wanted in FOLLOWS[state])


@given(st.lists(st.sampled_from(ObjectionState), max_size=12))
def test_an_objection_is_answered_at_most_once_and_never_disputed_again(wishes: list[ObjectionState]) -> None:
    state, lived = ObjectionState.FILED, [ObjectionState.FILED]
    for wanted in wishes:
        try:
            state = objection_moved(state, wanted)
        except IllegalObjectionStep:
            continue
        lived.append(state)

    assert len(set(lived)) == len(lived)
    assert len({ObjectionState.UPHELD, ObjectionState.REFUSED, ObjectionState.WITHDRAWN} & set(lived)) <= 1
    is_open = [one in OPEN for one in lived]
    assert is_open == sorted(is_open, reverse=True)
    assert ObjectionState.UPHELD not in lived or ObjectionState.ASKED in lived


def test_every_objection_can_come_to_an_end() -> None:
    reached = {ObjectionState.FILED}
    for _step in ObjectionState:
        reached |= {wanted for state in reached for wanted in FOLLOWS[state]}

    assert reached == set(ObjectionState)
    assert {state for state, after in FOLLOWS.items() if not after} == ENDS


@given(st.sampled_from(RepairState), st.sampled_from(RepairState))
def test_only_the_listed_steps_of_a_repair_exist(state: RepairState, wanted: RepairState) -> None:
    try:
        moved = repair_moved(state, wanted)
    except RepairStepRefused:
        moved = None

    assert (moved is wanted) is (wanted in REPAIR_STEPS[state])
    assert bool(REPAIR_STEPS[state]) is (state in REPAIR_OPEN)


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 36), st.integers(-40, 40))
def test_a_record_is_old_enough_from_its_day_on(listed_on: date, months: int, days: int) -> None:
    rule = RepairRule(Severity.ORDINARY, date(2020, 1, 1), months, ends_use=True)
    today = add_months(listed_on, months) + timedelta(days=days)

    try:
        check_old_enough(listed_on, rule, today=today)
        is_old = True
    except RepairTooEarly:
        is_old = False

    assert is_old is (days >= 0)


@pytest.mark.parametrize("text", ["", "错", "    错了    ", "x" * (MAX_TEXT + 1)])
def test_a_text_that_nobody_can_check_anything_by_is_refused(text: str) -> None:
    with pytest.raises(ObjectionTextRefused):
        check_told(text, 0)


def test_a_text_is_kept_without_blanks_and_evidence_is_bounded() -> None:
    assert check_told("  金额写错了一位  ", MAX_EVIDENCE) == "金额写错了一位"
    with pytest.raises(TooMuchEvidence):
        check_told("金额写错了一位", MAX_EVIDENCE + 1)


@given(st.integers(-(10**15), 10**15))
def test_an_amount_in_yuan_is_the_amount_in_fen(fen: int) -> None:
    told = yuan_of(fen)

    assert int(told.replace(".", "")) == fen
    assert told[-3] == "."
