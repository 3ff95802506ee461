"""What a loan costs the firm: interest in whole fen over the term, by repayment kind, in integers throughout."""

from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.money import Fen, fraction_half_up

MONTHS_BP = 120_000
"""Twelve months of 10,000 basis points: a month's interest is ``balance x rate_bp / MONTHS_BP``."""


def total_interest_fen(principal_fen: int, rate_bp: int, term_months: int, kind: RepaymentKind) -> int:
    """Return the interest over the whole term, each month's rounded half up.

    Parameters
    ----------
    principal_fen, rate_bp, term_months : int
        Positive principal, annual simple rate (年化单利) of zero or more, at least one month.
    kind : RepaymentKind
        Level instalments (等额本息) or interest monthly and principal at the end (先息后本).

    Notes
    -----
    A month counts as a twelfth of a year. The schedule of the loan counts days and may differ by that much; this is for
    comparing offers before there is a loan. Fees are not in it, and the platform charges none.
    """
    assert principal_fen > 0
    assert rate_bp >= 0
    assert term_months >= 1
    if kind is RepaymentKind.INTEREST_FIRST:
        return term_months * fraction_half_up(Fen(principal_fen), rate_bp, MONTHS_BP)
    instalment = level_instalment_fen(principal_fen, rate_bp, term_months)
    left_fen, interest_fen = principal_fen, 0
    for _month in range(term_months):
        this_month = fraction_half_up(Fen(left_fen), rate_bp, MONTHS_BP)
        interest_fen += this_month
        left_fen -= min(left_fen, instalment - this_month)
    return interest_fen


def level_instalment_fen(principal_fen: int, rate_bp: int, term_months: int) -> int:
    """Return the level monthly instalment, rounded half up; the last one takes what rounding left."""
    if rate_bp == 0:
        return fraction_half_up(Fen(principal_fen), 1, term_months)
    grown, unit = (MONTHS_BP + rate_bp) ** term_months, MONTHS_BP**term_months
    return fraction_half_up(Fen(principal_fen), rate_bp * grown, MONTHS_BP * (grown - unit))
