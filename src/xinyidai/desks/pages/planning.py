"""What an offer would ask back, as bank and firm both see it before the money is paid out."""

from datetime import datetime

from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.money import Fen
from xinyidai.loans.rules.schedules import schedule

PlannedRow = tuple[int, str, int, int]
"""A number, a day, principal and interest in fen."""


def planned_rows(
    kind: RepaymentKind, amount_fen: int, rate_bp: int, term_months: int, *, now: datetime
) -> list[PlannedRow]:
    """Return the instalments as if the money went out today."""
    planned = schedule(kind, Fen(amount_fen), rate_bp, term_months, disbursed_on=business_date(now))
    return [(one.number, one.due_on.isoformat(), one.principal_fen, one.interest_fen) for one in planned]
