"""The lives of dispatches and offers: no step that the tables do not name."""

import pytest

from xinyidai.matching.rules.states import (
    DISPATCH_FOLLOWS,
    OFFER_FOLLOWS,
    SAYABLE,
    DeclineReason,
    DeclineReasonRefused,
    DispatchState,
    IllegalDispatchStep,
    IllegalOfferStep,
    OfferState,
    dispatch_moved,
    offer_moved,
    sayable,
    told_to_firm,
)


def test_every_step_of_a_dispatch_is_allowed_or_refused_by_the_table() -> None:
    allowed, refused = set(), set()
    for state in DispatchState:
        for wanted in DispatchState:
            try:
                allowed.add((state, dispatch_moved(state, wanted)))
            except IllegalDispatchStep:
                refused.add((state, wanted))

    assert allowed == {(state, wanted) for state, following in DISPATCH_FOLLOWS.items() for wanted in following}
    assert len(allowed | refused) == len(DispatchState) ** 2


def test_every_step_of_an_offer_is_allowed_or_refused_by_the_table() -> None:
    allowed, refused = set(), set()
    for state in OfferState:
        for wanted in OfferState:
            try:
                allowed.add((state, offer_moved(state, wanted)))
            except IllegalOfferStep:
                refused.add((state, wanted))

    assert allowed == {(state, wanted) for state, following in OFFER_FOLLOWS.items() for wanted in following}
    assert len(allowed | refused) == len(OfferState) ** 2


def test_only_an_issued_offer_is_ever_accepted() -> None:
    before_accepted = {state for state, following in OFFER_FOLLOWS.items() if OfferState.ACCEPTED in following}

    assert before_accepted == {OfferState.ISSUED}


def test_a_suspicion_is_never_told_to_the_firm() -> None:
    told = {told_to_firm(reason) for reason in SAYABLE}

    assert DeclineReason.SUSPICION not in told
    assert told_to_firm(DeclineReason.SUSPICION) is DeclineReason.CANNOT_PROCEED


def test_a_lender_does_not_say_what_only_the_firm_hears() -> None:
    with pytest.raises(DeclineReasonRefused):
        sayable(DeclineReason.CANNOT_PROCEED)
