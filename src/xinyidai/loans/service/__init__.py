"""Verbs of loans. Lock order as in agreements: demand, loan, reservation, then ledger accounts."""

from xinyidai.loans.service.consents_ended import note_ended_consent
from xinyidai.loans.service.counting import count_days_past_due, loans_to_count
from xinyidai.loans.service.drawing import disburse, lapse_line, open_line
from xinyidai.loans.service.holding import facts_lent_on
from xinyidai.loans.service.reading import read
from xinyidai.loans.service.recovering import apply_recovery, lock_loan, mark_compensated
from xinyidai.loans.service.repaying import Repaid, repay

__all__ = [
    "Repaid",
    "apply_recovery",
    "count_days_past_due",
    "disburse",
    "facts_lent_on",
    "lapse_line",
    "loans_to_count",
    "lock_loan",
    "mark_compensated",
    "note_ended_consent",
    "open_line",
    "read",
    "repay",
]
