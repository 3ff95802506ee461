"""What happens to loans, for the rooms above."""

from dataclasses import dataclass


@dataclass(frozen=True)
class _LoanEvent:
    loan_id: str
    firm_id: str
    lender_id: str

    @property
    def aggregate(self) -> str:
        """Return the loan."""
        return f"loan:{self.loan_id}"


@dataclass(frozen=True)
class LoanDisbursed(_LoanEvent):
    """The lender paid the loan out."""


@dataclass(frozen=True)
class LoanRepaid(_LoanEvent):
    """A repayment was written down; the loan may be closed by it."""


@dataclass(frozen=True)
class LoanOverdue(_LoanEvent):
    """An instalment passed its due date unpaid, after none was."""


@dataclass(frozen=True)
class LoanDefaulted(_LoanEvent):
    """The loan is more than ninety days past due for the first time."""


@dataclass(frozen=True)
class LoanClosed(_LoanEvent):
    """Nothing is owed any more."""
