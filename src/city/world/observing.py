"""How figures reach those who ask: late, now and then not at all, twice, or wrong at first and right months later.

What stands in the other files is what was; this one says what an office shows of it on a day. Pure in (seed, credit
code, month, item).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache

from city.world.calendar import MONTHS, first_day, month_of, place_of
from city.world.contributions import housing_fund, social_insurance
from city.world.draws import draws
from city.world.filings import TaxFiling, tax_filings
from city.world.meters import electricity, gas, water
from city.world.population import Firm
from city.world.strain import Monthly
from city.world.trade import import_export, logistics
from city.world.weather import Floats

MILLION = 1_000_000
CORRECTED_AFTER_DAYS = (45, 150)
MOST_MONTHS_BACK = 9
"""What changes on a day belongs to one of so many months before it."""
KEPT_FIRMS = 2_048


@dataclass(frozen=True)
class Manner:
    """How an office shows an item: from which day of the next month, and how often it fails to.

    `corrected` names the amounts that may be wrong at first; the others follow the first of them in proportion.
    """

    figures: Callable[[int, Firm], Sequence[Monthly]]
    readable_from_day: int
    corrected: tuple[str, ...]
    late_share: float = 0.03
    most_late_days: int = 25
    gap_share: float = 0.01
    doubled_share: float = 0.01
    corrected_share: float = 0.03


MANNERS: Mapping[str, Manner] = {
    "tax_filing": Manner(tax_filings, 18, ("declared_sales_fen", "paid_fen"), late_share=0.01, gap_share=0.0),
    "social_insurance": Manner(social_insurance, 22, ("paid_fen",), late_share=0.05, corrected_share=0.04),
    "housing_fund": Manner(housing_fund, 12, ("paid_fen",)),
    "electricity": Manner(electricity, 5, ("used_kwh", "charged_fen"), corrected_share=0.05),
    "water": Manner(water, 8, ("used_m3", "charged_fen"), gap_share=0.02, corrected_share=0.06),
    "gas": Manner(gas, 8, ("used_m3", "charged_fen")),
    "import_export": Manner(import_export, 20, ("exported_fen",), doubled_share=0.0),
    "logistics": Manner(logistics, 10, ("freight_fen",), late_share=0.08, gap_share=0.03, doubled_share=0.03),
}


@dataclass(frozen=True)
class Sighting:
    """When a month can be read, when it is put right (None: it was right), and how far it was off until then."""

    readable_on: date
    corrected_on: date | None
    first_ppm: int
    is_gap: bool
    is_doubled: bool


def sighting(seed: int, credit_code: str, month: int, item: str) -> Sighting:
    """Return how a month of a firm shows in an item."""
    manner = MANNERS[item]
    late, days, gap, doubled, wrong, off, after = _chances(seed, credit_code, item)[place_of(month)].tolist()
    readable_on = first_day(month + 1) + timedelta(days=manner.readable_from_day - 1)
    if late < manner.late_share:
        readable_on += timedelta(days=1 + int(days * manner.most_late_days))
    least, most = CORRECTED_AFTER_DAYS
    corrected_on = readable_on + timedelta(days=least + int(after * (most - least)))
    return Sighting(
        readable_on=readable_on,
        corrected_on=corrected_on if wrong < manner.corrected_share else None,
        first_ppm=700_000 + int(600_000 * off),
        is_gap=bool(gap < manner.gap_share),
        is_doubled=bool(doubled < manner.doubled_share),
    )


@lru_cache(maxsize=KEPT_FIRMS)
def _chances(seed: int, credit_code: str, item: str) -> Floats:
    # One drawing for all months of a firm: a generator a month would cost more than everything else here.
    return draws(seed, "seen", item, credit_code).random((MONTHS, 7))


def shown(seed: int, firm: Firm, item: str, first_month: int, last_month: int, known_by: date) -> list[Monthly]:
    """Return the rows of some months, both included, as the office showed them on a day; a doubled one stands twice."""
    rows: list[Monthly] = []
    for row in MANNERS[item].figures(seed, firm):
        if first_month <= row.month <= last_month and row.month < month_of(known_by):
            seen = sighting(seed, firm.credit_code, row.month, item)
            if not seen.is_gap and _readable_on(row, seen) <= known_by:
                rows += [_as_of(row, seen, item, known_by)] * (2 if seen.is_doubled else 1)
    return rows


def changed(seed: int, firm: Firm, item: str, day: date) -> list[Monthly]:
    """Return the rows that could first be read on a day, or were put right on it."""
    last = month_of(day) - 1
    rows: list[Monthly] = []
    for row in MANNERS[item].figures(seed, firm):
        if last - MOST_MONTHS_BACK <= row.month <= last:
            seen = sighting(seed, firm.credit_code, row.month, item)
            if not seen.is_gap and day in (_readable_on(row, seen), seen.corrected_on):
                rows += [_as_of(row, seen, item, day)] * (2 if seen.is_doubled else 1)
    return rows


def _readable_on(row: Monthly, seen: Sighting) -> date:
    """Return the day from which a row can be read: a return not before it was filed."""
    if isinstance(row, TaxFiling):
        return max(seen.readable_on, row.filed_on + timedelta(days=1))
    return seen.readable_on


def _as_of(row: Monthly, seen: Sighting, item: str, day: date) -> Monthly:
    if seen.corrected_on is None or day >= seen.corrected_on:
        return row
    return scaled(row, MANNERS[item].corrected, seen.first_ppm)


def scaled(row: Monthly, fields: Sequence[str], ppm: int) -> Monthly:
    """Return a row whose first named amount is so much of what it was, and the others in proportion, rounded down."""
    amounts = {name: int(getattr(row, name)) for name in fields}
    was = amounts[fields[0]]
    now = was * ppm // MILLION
    others = {name: amount * now // was if was else amount for name, amount in amounts.items()}
    return replace(row, **{**others, fields[0]: now})
