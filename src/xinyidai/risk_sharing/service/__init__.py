"""Verbs of risk sharing. Lock order: agreement, loan, claim, reservation, the payers' money, then ledger accounts."""

from xinyidai.risk_sharing.service.covering import end_cover, make_cover
from xinyidai.risk_sharing.service.filing import file_claim, withdraw_claim
from xinyidai.risk_sharing.service.paying import pay_claim
from xinyidai.risk_sharing.service.reading import read
from xinyidai.risk_sharing.service.recovering import record_recovery
from xinyidai.risk_sharing.service.reviewing import approve_claim, deny_claim

__all__ = [
    "approve_claim",
    "deny_claim",
    "end_cover",
    "file_claim",
    "make_cover",
    "pay_claim",
    "read",
    "record_recovery",
    "withdraw_claim",
]
