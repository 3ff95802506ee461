"""Repayment schedules that sum to the principal exactly.

Month rule: every month is one twelfth of a year whatever its days (30/360), so interest of a full period is
``balance x rate / 12``, rounded half up to the fen. The last instalment takes the rest of the principal.
Due dates are counted from the disbursement date, not from one another: 31 January, 28 February, 31 March.
"""

from dataclasses import dataclass
from datetime import date

from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.clock import add_months
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.money import Fen, fraction_half_up

MONTHLY = 120_000
"""A rate in basis points a year, divided by this, is the fraction of one month."""

MAX_PRINCIPAL_FEN = 10**13
MAX_RATE_BP = 3_600
MAX_MONTHS = 120


class LoanTermsRefused(Refusal):
    """Principal, rate or months are out of range."""

    code = "loan_terms_refused"
    status = 422
    title_zh = "贷款条件 {field} 的值不被接受"
    title_en = "The loan's {field} is refused"


@dataclass(frozen=True)
class Part:
    """One instalment's principal and interest."""

    principal_fen: Fen
    interest_fen: Fen


@dataclass(frozen=True)
class PlannedInstalment:
    """An instalment with its number, from 1, and the day it falls due."""

    number: int
    due_on: date
    principal_fen: Fen
    interest_fen: Fen


def equal_instalments(principal_fen: Fen, rate_bp: int, months: int) -> tuple[Part, ...]:
    """Return equal monthly payments (等额本息).

    Parameters
    ----------
    principal_fen : Fen
        1 to 10**13.
    rate_bp : int
        Yearly rate, 0 to 3,600.
    months : int
        1 to 120.

    Returns
    -------
    tuple of Part
        Principal parts sum exactly to `principal_fen` and none is negative. All payments but the last are the annuity
        rounded half up to the fen; rounding a tiny loan up may leave the last payments empty.

    Raises
    ------
    LoanTermsRefused
        A term is out of range.
    """
    _check(principal_fen, rate_bp, months)
    payment = _annuity(principal_fen, rate_bp, months)
    parts = []
    balance = principal_fen
    for number in range(1, months + 1):
        interest = month_interest(balance, rate_bp)
        principal = balance if number == months else min(balance, Fen(payment - interest))
        parts.append(Part(principal, interest))
        balance = Fen(balance - principal)
    return tuple(parts)


def interest_first(principal_fen: Fen, rate_bp: int, months: int) -> tuple[Part, ...]:
    """Return interest every month and the principal with the last payment (先息后本).

    Raises
    ------
    LoanTermsRefused
        A term is out of range.
    """
    _check(principal_fen, rate_bp, months)
    interest = month_interest(principal_fen, rate_bp)
    return (*(Part(Fen(0), interest) for _month in range(months - 1)), Part(principal_fen, interest))


def schedule(
    kind: RepaymentKind, principal_fen: Fen, rate_bp: int, months: int, *, disbursed_on: date
) -> tuple[PlannedInstalment, ...]:
    """Return the instalments of a loan with their due dates."""
    of_kind = {RepaymentKind.EQUAL_INSTALMENTS: equal_instalments, RepaymentKind.INTEREST_FIRST: interest_first}
    parts = of_kind[kind](principal_fen, rate_bp, months)
    return tuple(
        PlannedInstalment(number, add_months(disbursed_on, number), part.principal_fen, part.interest_fen)
        for number, part in enumerate(parts, start=1)
    )


def month_interest(balance_fen: Fen, rate_bp: int) -> Fen:
    """Return the interest of one full month, half up."""
    return fraction_half_up(balance_fen, rate_bp, MONTHLY)


def _annuity(principal_fen: Fen, rate_bp: int, months: int) -> Fen:
    if rate_bp == 0:
        return fraction_half_up(principal_fen, 1, months)
    grown, still = (MONTHLY + rate_bp) ** months, MONTHLY**months
    # P r (1+r)^n / ((1+r)^n - 1) over whole numbers: 120 months need 2,000 bits, which Python has, and no rounding.
    return fraction_half_up(principal_fen, rate_bp * grown, MONTHLY * (grown - still))


def _check(principal_fen: Fen, rate_bp: int, months: int) -> None:
    for field, is_fine in (
        ("principal_fen", 1 <= principal_fen <= MAX_PRINCIPAL_FEN),
        ("rate_bp", 0 <= rate_bp <= MAX_RATE_BP),
        ("months", 1 <= months <= MAX_MONTHS),
    ):
        if not is_fine:
            raise LoanTermsRefused(field=field)
