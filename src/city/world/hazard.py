"""Who stops paying and when, who pays late, and what comes back: draws against a hidden hazard.

All draws are common random numbers: a firm's luck in a month does not depend on the loan, so dearer or larger terms
can only bring a default forward, and two policies can be compared on the same luck.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from city.world.calendar import last_working_day, month_of, next_working_day, place_of
from city.world.draws import draws, uniform, whole
from city.world.paths import make_paths
from city.world.population import Firm
from city.world.weather import shocks

BASE_MONTHLY = 0.0007
QUALITY_EFFECT = 1.0
SHOCK_EFFECT = 2.5
RATE_EFFECT = 0.10
"""Growth of the log hazard a percentage point: what a dear loan costs is what a weak firm can bear least."""
USUAL_RATE_BP = 500
BURDEN_EFFECT = 1.2
MOST_BURDEN = 1.5
MOST_MONTHLY = 0.25
HOLLOW_AFTER_MONTHS = (2, 3)
LATE_SHARE = 0.03
LATE_DAYS = (2, 15)


@dataclass(frozen=True)
class Terms:
    """What was lent, when, at which simple yearly rate, for how long."""

    principal_fen: int
    rate_bp: int
    term_months: int
    disbursed_on: date


def monthly_hazard(seed: int, firm: Firm, terms: Terms, month: int) -> float:
    """Return the probability that a firm with these terms stops paying in a month, given that it paid until then."""
    if firm.is_hollow:
        return 1.0 if month >= _hollow_month(seed, firm, terms) else 0.0
    paths, place = make_paths(seed, firm), place_of(month)
    yearly_fen = 100 * float(paths.sales_yuan[max(0, place - 11) : place + 1].sum()) + 1
    burden = min(MOST_BURDEN, terms.principal_fen / yearly_fen * 12 / max(6, terms.term_months))
    exponent = (
        -QUALITY_EFFECT * float(np.clip(firm.quality, -3, 3))
        - SHOCK_EFFECT * float(shocks(seed, firm.industry_code)[place])
        + RATE_EFFECT * (terms.rate_bp - USUAL_RATE_BP) / 100
        + BURDEN_EFFECT * burden
    )
    return min(MOST_MONTHLY, BASE_MONTHLY * float(np.exp(exponent)))


def luck(seed: int, credit_code: str, month: int) -> float:
    """Return a firm's luck of a month in (0, 1): below the hazard it stops paying."""
    return uniform(seed, credit_code, "default", str(month))


def default_month(seed: int, firm: Firm, terms: Terms) -> int | None:
    """Return the month in which the firm stops paying, None when it pays to the end. Never the month of the loan."""
    begins = month_of(terms.disbursed_on)
    for month in range(begins + 1, begins + terms.term_months + 1):
        if luck(seed, firm.credit_code, month) < monthly_hazard(seed, firm, terms, month):
            return month
    return None


def payment_day(seed: int, firm: Firm, due_on: date, defaults_in: int | None) -> date | None:
    """Return the working day on which an instalment is paid, None when it never is.

    Money due on a day off is sent the working day before; a few payments are late by days.
    """
    if defaults_in is not None and month_of(due_on) >= defaults_in:
        return None
    if uniform(seed, firm.credit_code, "late", due_on.isoformat()) >= LATE_SHARE * (2.0 if firm.quality < 0 else 1.0):
        return last_working_day(due_on)
    days = whole(seed, *LATE_DAYS, firm.credit_code, "late days", due_on.isoformat())
    return next_working_day(due_on + timedelta(days=days))


def recovered_ppm(seed: int, credit_code: str, number: int) -> int:
    """Return the part of a claim that the lender collects in its first or second attempt (number 1 or 2)."""
    share = draws(seed, credit_code, "recovery", str(number)).beta(1.6, 5.0)
    return 10_000 + int(400_000 * share)


def yearly_pd(seed: int, firm: Firm, terms: Terms) -> float:
    """Return the true probability that the firm stops paying within the term or a year, whichever is shorter."""
    begins, stays = month_of(terms.disbursed_on), 1.0
    for month in range(begins + 1, begins + min(12, terms.term_months) + 1):
        stays *= 1 - monthly_hazard(seed, firm, terms, month)
    return 1 - stays


def _hollow_month(seed: int, firm: Firm, terms: Terms) -> int:
    return month_of(terms.disbursed_on) + whole(seed, *HOLLOW_AFTER_MONTHS, firm.credit_code, "hollow")
