"""Verbs of agreements: lines and money by two people, capacity for offers and loans, exposure of claims.

Lock order, here and in every room above: agreement, loan, reservation, claim, then ledger accounts.
"""

from xinyidai.agreements.service.capacity import release, release_exposure, reserve, turn_into_cover
from xinyidai.agreements.service.claimed import claim_exposure, pay_exposure, return_exposure, unclaim_exposure
from xinyidai.agreements.service.lines import (
    approve_reopening,
    end_line,
    lock_line,
    pause_line,
    propose_reopening,
    reopen_line,
    watch_line,
)
from xinyidai.agreements.service.money import confirm_pay_in, declare_pay_in, pay_in
from xinyidai.agreements.service.opening import Proposal, approve_agreement, open_agreement, propose_agreement

__all__ = [
    "Proposal",
    "approve_agreement",
    "approve_reopening",
    "claim_exposure",
    "confirm_pay_in",
    "declare_pay_in",
    "end_line",
    "lock_line",
    "open_agreement",
    "pause_line",
    "pay_exposure",
    "pay_in",
    "propose_agreement",
    "propose_reopening",
    "release",
    "release_exposure",
    "reopen_line",
    "reserve",
    "return_exposure",
    "turn_into_cover",
    "unclaim_exposure",
    "watch_line",
]
