"""The lives of a dispatch and of an offer, and the reasons with which a lender may say no."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NewType
from uuid import UUID

from xinyidai.foundation.errors import Refusal

DispatchId = NewType("DispatchId", UUID)
OfferId = NewType("OfferId", UUID)


class DispatchPath(StrEnum):
    """How a lender came to be asked. All of them end in the same checks."""

    MATCH = "match"
    AFTER_TIMEOUT = "after_timeout"
    AFTER_DECLINE = "after_decline"
    MANUAL = "manual"


class DispatchState(StrEnum):
    """The life of one demand before one lender."""

    QUEUED = "queued"
    SENT = "sent"
    IN_REVIEW = "in_review"
    INDICATED = "indicated"
    CHOSEN = "chosen"
    OFFERED = "offered"
    DECLINED = "declined"
    TIMED_OUT = "timed_out"
    REDISPATCHED = "redispatched"
    ENDED = "ended"


DISPATCH_FOLLOWS: Mapping[DispatchState, frozenset[DispatchState]] = {
    DispatchState.QUEUED: frozenset({DispatchState.SENT}),
    DispatchState.SENT: frozenset(
        {
            DispatchState.IN_REVIEW,
            DispatchState.INDICATED,
            DispatchState.DECLINED,
            DispatchState.TIMED_OUT,
            DispatchState.ENDED,
        }
    ),
    DispatchState.IN_REVIEW: frozenset(
        {DispatchState.INDICATED, DispatchState.DECLINED, DispatchState.TIMED_OUT, DispatchState.ENDED}
    ),
    # The firm's turn: no clock of the lender runs, and the indication itself ends by time.
    DispatchState.INDICATED: frozenset({DispatchState.CHOSEN, DispatchState.DECLINED, DispatchState.ENDED}),
    DispatchState.CHOSEN: frozenset(
        {DispatchState.OFFERED, DispatchState.DECLINED, DispatchState.TIMED_OUT, DispatchState.ENDED}
    ),
    # A lender that takes its offer back is still chosen, and the clock still runs. An offer from before there were
    # two stages goes back to where its lender may indicate.
    DispatchState.OFFERED: frozenset({DispatchState.CHOSEN, DispatchState.IN_REVIEW, DispatchState.ENDED}),
    DispatchState.DECLINED: frozenset({DispatchState.REDISPATCHED}),
    DispatchState.TIMED_OUT: frozenset({DispatchState.REDISPATCHED}),
    # Ended: the firm took another offer, withdrew, let the demand expire or took its consent back.
    DispatchState.REDISPATCHED: frozenset(),
    DispatchState.ENDED: frozenset(),
}
WAITS_FOR_LENDER = (DispatchState.SENT, DispatchState.IN_REVIEW, DispatchState.CHOSEN)
"""A clock of the lender runs: for its indication, or, once chosen, for its offer."""

UNDER_AUTHORITY = (DispatchState.CHOSEN, DispatchState.OFFERED)
"""The lender may make its own credit query; a firm has only so many at a time."""

OPEN_TO_LENDER = (*WAITS_FOR_LENDER, DispatchState.INDICATED, DispatchState.OFFERED)
"""The demand lies before the lender."""


class DispatchEnd(StrEnum):
    """Why a dispatch ended without the lender's own no or silence: what the lender is told."""

    NOT_CHOSEN = "not_chosen"
    ANOTHER_ACCEPTED = "another_accepted"
    DEMAND_ENDED = "demand_ended"
    CONSENT_ENDED = "consent_ended"
    FIRM_DECLINED = "firm_declined"
    OFFER_EXPIRED = "offer_expired"


def told_to_lender(state: DispatchState, end: DispatchEnd) -> DispatchEnd:
    """Return what a lender is told: whoever still waited to be chosen hears just that it was not."""
    not_chosen = (DispatchEnd.ANOTHER_ACCEPTED, DispatchEnd.DEMAND_ENDED)
    return DispatchEnd.NOT_CHOSEN if state is DispatchState.INDICATED and end in not_chosen else end


class OfferState(StrEnum):
    """The life of an offer. Its terms never change; a better one is a new offer."""

    PROPOSED = "proposed"
    ISSUED = "issued"
    ACCEPTED = "accepted"
    DISBURSED = "disbursed"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


OFFER_FOLLOWS: Mapping[OfferState, frozenset[OfferState]] = {
    OfferState.PROPOSED: frozenset({OfferState.ISSUED, OfferState.WITHDRAWN, OfferState.DECLINED, OfferState.EXPIRED}),
    OfferState.ISSUED: frozenset({OfferState.ACCEPTED, OfferState.DECLINED, OfferState.EXPIRED, OfferState.WITHDRAWN}),
    # Lapsed: accepted, and not disbursed by the last day.
    OfferState.ACCEPTED: frozenset({OfferState.DISBURSED, OfferState.LAPSED}),
    OfferState.DISBURSED: frozenset(),
    OfferState.DECLINED: frozenset(),
    OfferState.EXPIRED: frozenset(),
    OfferState.WITHDRAWN: frozenset(),
    OfferState.LAPSED: frozenset(),
}
BEFORE_THE_FIRM = (OfferState.PROPOSED, OfferState.ISSUED)
TAKEN = (OfferState.ACCEPTED, OfferState.DISBURSED)
"""At most one offer of a demand is ever in one of these."""


class OfferEnd(StrEnum):
    """Why an offer was declined or withdrawn, where it was not the firm's plain no."""

    FIRM_DECLINED = "firm_declined"
    ANOTHER_ACCEPTED = "another_accepted"
    DEMAND_ENDED = "demand_ended"
    CONSENT_ENDED = "consent_ended"
    LENDER_WITHDREW = "lender_withdrew"


class DeclineReason(StrEnum):
    """Why a lender says no: a closed list of families, so that refusals can be counted and answered."""

    IDENTITY = "identity"
    DATA_MISSING = "data_missing"
    DATA_CONTRADICTORY = "data_contradictory"
    POLICY_INDUSTRY = "policy_industry"
    POLICY_REGION = "policy_region"
    POLICY_AGE = "policy_age"
    POLICY_AMOUNT = "policy_amount"
    POLICY_TERM = "policy_term"
    CAPACITY_CASH_FLOW = "capacity_cash_flow"
    CAPACITY_DEBT = "capacity_debt"
    BEHAVIOUR_ARREARS = "behaviour_arrears"
    BEHAVIOUR_OVERDUE = "behaviour_overdue"
    BEHAVIOUR_LITIGATION = "behaviour_litigation"
    LIST_HIT = "list_hit"
    GUARANTEE_MISSING = "guarantee_missing"
    GUARANTEE_QUOTA = "guarantee_quota"
    PRODUCT_CLOSED = "product_closed"
    SUSPICION = "suspicion"
    CANNOT_PROCEED = "cannot_proceed"


SAYABLE = frozenset(set(DeclineReason) - {DeclineReason.CANNOT_PROCEED})
"""What a lender may say; `CANNOT_PROCEED` is what the firm hears of a suspicion."""


def told_to_firm(reason: DeclineReason) -> DeclineReason:
    """Return what the firm is told: a suspicion of fraud or laundering may not be disclosed (反洗钱法, tipping off)."""
    return DeclineReason.CANNOT_PROCEED if reason is DeclineReason.SUSPICION else reason


class IllegalDispatchStep(Refusal):
    """The dispatch is not in a state from which this may follow."""

    code = "illegal_dispatch_step"
    status = 409
    title_zh = "派单当前状态为 {state}，不能变为 {wanted}"
    title_en = "The dispatch is {state} and cannot become {wanted}"


class IllegalOfferStep(Refusal):
    """The offer is not in a state from which this may follow."""

    code = "illegal_offer_step"
    status = 409
    title_zh = "报价当前状态为 {state}，不能变为 {wanted}"
    title_en = "The offer is {state} and cannot become {wanted}"


class DeclineReasonRefused(Refusal):
    """The reason is one that the platform says, not a lender."""

    code = "decline_reason_refused"
    status = 422
    title_zh = "拒绝原因 {reason} 不可由机构选择"
    title_en = "The reason {reason} is not a lender's to give"


def dispatch_moved(state: DispatchState, wanted: DispatchState) -> DispatchState:
    """Return `wanted` when it may follow `state`.

    Raises
    ------
    IllegalDispatchStep
    """
    if wanted not in DISPATCH_FOLLOWS[state]:
        raise IllegalDispatchStep(state=state.value, wanted=wanted.value)
    return wanted


def offer_moved(state: OfferState, wanted: OfferState) -> OfferState:
    """Return `wanted` when it may follow `state`.

    Raises
    ------
    IllegalOfferStep
    """
    if wanted not in OFFER_FOLLOWS[state]:
        raise IllegalOfferStep(state=state.value, wanted=wanted.value)
    return wanted


def sayable(reason: DeclineReason) -> DeclineReason:
    """Return the reason when a lender may give it.

    Raises
    ------
    DeclineReasonRefused
    """
    if reason not in SAYABLE:
        raise DeclineReasonRefused(reason=reason.value)
    return reason
