"""Tax: monthly and quarterly returns, the yearly grade, and public notices of arrears."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from city.world.calendar import FIRST_MONTH, MONTHS, first_day, next_working_day
from city.world.draws import draws, normal, whole
from city.world.paths import make_paths
from city.world.population import Firm
from city.world.strain import GIVES_WAY_AT, Monthly, Wholes, carry, months_before, strain

FILED_BY_DAY = 15
MOST_DAYS_EARLY = 10
MOST_DAYS_LATE = 30
LATE_SHARE = 0.02
LATE_OF_POOR = 0.05
INCOME_TAX_PPM = 12_000
"""Income tax by sales: small profits at the rates of small firms come to about that."""
MILLION = 1_000_000
KEPT_FIRMS = 256
USUAL_SCORE = 84.0
FIRST_YEAR = FIRST_MONTH // 12


@dataclass(frozen=True)
class TaxFiling(Monthly):
    """A return: `tax_kind` is vat each month, and cit (sole traders: iit) for the quarter that ends with the month."""

    tax_kind: str
    declared_sales_fen: int
    paid_fen: int
    filed_on: date


@dataclass(frozen=True)
class TaxGrade:
    """The grade of a year: A, B, C, D, or M for the new and for those without sales."""

    year: int
    grade: str


@dataclass(frozen=True)
class TaxArrears:
    """A public notice of what is owed at the end of a quarter."""

    tax_kind: str
    owed_fen: int
    published_on: date


@lru_cache(maxsize=KEPT_FIRMS)
def tax_filings(seed: int, firm: Firm) -> tuple[TaxFiling, ...]:
    """Return every return of a firm in order of months; declared sales lie near what was invoiced."""
    sales, vat, income = _declared(seed, firm)
    vat_paid = carry(seed, firm, "tax", vat).paid_fen
    income_paid = carry(seed, firm, "tax", income).paid_fen
    rows: list[TaxFiling] = []
    for at in range(months_before(firm), MONTHS):
        month = FIRST_MONTH + at
        filed_on = filed(seed, firm, month)
        rows.append(TaxFiling(month, "vat", int(sales[at]), int(vat_paid[at]), filed_on))
        if month % 3 == 2:
            quarter = int(sales[max(at - 2, months_before(firm)) : at + 1].sum())
            rows.append(TaxFiling(month, _income_tax(firm), quarter, int(income_paid[at]), filed_on))
    return tuple(rows)


def filed(seed: int, firm: Firm, month: int) -> date:
    """Return the day on which a month's return is filed: by the fifteenth of the next; poor firms are late oftener."""
    due_on = next_working_day(first_day(month + 1) + timedelta(days=FILED_BY_DAY - 1))
    return due_on + timedelta(days=_days_late(seed, firm, month))


def tax_grades(seed: int, firm: Firm, known_by: date) -> list[TaxGrade]:
    """Return the grades that were published by a day: those of a year in April of the next."""
    years = range(max(FIRST_YEAR, firm.established_on.year), FIRST_YEAR + MONTHS // 12)
    return [
        TaxGrade(year, _grade(seed, firm, year))
        for year in years
        if date(year + 1, 4, whole(seed, 8, 28, firm.credit_code, "graded", str(year))) <= known_by
    ]


def tax_arrears(seed: int, firm: Firm, known_by: date) -> list[TaxArrears]:
    """Return the notices that were out by a day: what was owed at the end of a quarter, some weeks after it."""
    _, vat, income = _declared(seed, firm)
    owed = {
        "vat": carry(seed, firm, "tax", vat).owed_fen,
        _income_tax(firm): carry(seed, firm, "tax", income).owed_fen,
    }
    rows: list[TaxArrears] = []
    for at in range(2, MONTHS, 3):
        days = whole(seed, 12, 28, firm.credit_code, "arrears notice", str(at))
        published_on = first_day(FIRST_MONTH + at + 1) + timedelta(days=days)
        rows += [TaxArrears(kind, int(by[at]), published_on) for kind, by in owed.items() if by[at]]
    return [row for row in rows if row.published_on <= known_by]


def _declared(seed: int, firm: Firm) -> tuple[Wholes, Wholes, Wholes]:
    """Return declared sales, VAT due and income tax due in fen, each of shape (MONTHS,)."""
    paths, chance = make_paths(seed, firm), draws(seed, "filings", firm.credit_code)
    # Some sales are made without an invoice and declared all the same; a poor firm declares a little less.
    more = chance.uniform(-0.01, 0.06, MONTHS) - 0.02 * min(2.0, max(0.0, -firm.quality))
    sales = np.rint(100 * paths.sales_yuan * (1 + more)).astype(np.int64)
    vat = np.rint(100 * paths.tax_yuan).astype(np.int64)
    income = np.zeros(MONTHS, dtype=np.int64)
    quarters = sales.reshape(-1, 3).sum(axis=1)
    income[2::3] = quarters * INCOME_TAX_PPM // MILLION
    return sales, vat, income


def _grade(seed: int, firm: Firm, year: int) -> str:
    begins = (year - FIRST_YEAR) * 12
    months = range(max(begins, months_before(firm)), begins + 12)
    late = sum(_days_late(seed, firm, FIRST_MONTH + at) > 0 for at in months)
    pressed = sum(bool(strain(seed, firm)[at] > GIVES_WAY_AT["tax"]) for at in months)
    noise = 5 * normal(seed, firm.credit_code, "grade", str(year))
    score = USUAL_SCORE + 6 * float(np.clip(firm.quality, -2, 2)) + noise - 2 * late - 4 * pressed
    has_sales = bool(make_paths(seed, firm).sales_yuan[begins : begins + 12].sum() > 0)
    if score >= 40 and (firm.established_on.year == year or (score >= 70 and not has_sales)):
        return "M"
    return next((grade for grade, least in (("A", 90), ("B", 70), ("C", 40)) if score >= least), "D")


def _income_tax(firm: Firm) -> str:
    return "iit" if firm.is_sole_trader else "cit"


def _days_late(seed: int, firm: Firm, month: int) -> int:
    """Return by how many days a return is late; below zero it is early."""
    is_late, early, late = draws(seed, "filed", firm.credit_code, str(month)).random(3)
    if is_late < LATE_SHARE + LATE_OF_POOR * min(2.0, max(0.0, -firm.quality)):
        return 1 + int(late * MOST_DAYS_LATE)
    return -int(early * MOST_DAYS_EARLY)
