"""Verbs of matching: match and dispatch, indicate, choose, offer, accept.

Lock order, here and in the rooms above: demand, dispatch, offer, written authority, then agreements.
"""

from xinyidai.matching.service import replaying as replaying
from xinyidai.matching.service.accepting import AcceptedView, accept, lapse_due, mark_disbursed, overdue_acceptances
from xinyidai.matching.service.choosing import ChoiceView, choose_lenders
from xinyidai.matching.service.dispatching import (
    MatchView,
    assign,
    decline,
    end_for_demand,
    end_without_authority,
    end_without_consent,
    match,
    overdue_dispatches,
    replace_dispatch,
    settle,
    take_up,
    time_out_due,
)
from xinyidai.matching.service.indicating import expire_indications, indicate, overdue_indications
from xinyidai.matching.service.offering import (
    approve_offer,
    decline_offer,
    expire_offers,
    make_offer,
    overdue_offers,
    withdraw_offer,
)
from xinyidai.matching.service.showing import Applicant, MatchShown, show_applicant, show_application, show_match

__all__ = [
    "AcceptedView",
    "Applicant",
    "ChoiceView",
    "MatchShown",
    "MatchView",
    "accept",
    "approve_offer",
    "assign",
    "choose_lenders",
    "decline",
    "decline_offer",
    "end_for_demand",
    "end_without_authority",
    "end_without_consent",
    "expire_indications",
    "expire_offers",
    "indicate",
    "lapse_due",
    "make_offer",
    "mark_disbursed",
    "match",
    "overdue_acceptances",
    "overdue_dispatches",
    "overdue_indications",
    "overdue_offers",
    "replace_dispatch",
    "settle",
    "show_applicant",
    "show_application",
    "show_match",
    "take_up",
    "time_out_due",
    "withdraw_offer",
]
