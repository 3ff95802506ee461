"""What happens to claims, for the rooms above."""

from dataclasses import dataclass


@dataclass(frozen=True)
class _ClaimEvent:
    claim_id: str
    loan_id: str
    lender_id: str
    fund_id: str

    @property
    def aggregate(self) -> str:
        """Return the loan."""
        return f"loan:{self.loan_id}"


@dataclass(frozen=True)
class ClaimFiled(_ClaimEvent):
    """A lender claims lost principal."""


@dataclass(frozen=True)
class ClaimApproved(_ClaimEvent):
    """Two people of the fund approved a claim; it can be paid."""


@dataclass(frozen=True)
class ClaimDenied(_ClaimEvent):
    """A claim was denied with a code; the loan stays covered."""


@dataclass(frozen=True)
class ClaimPaid(_ClaimEvent):
    """Fund and guarantor paid their parts of a loss."""


@dataclass(frozen=True)
class RecoveryRecorded(_ClaimEvent):
    """Money collected after a claim was shared out."""
