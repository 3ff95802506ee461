"""What firms want: in which month a firm asks for finance, how much, for how long and for what, and whom it asks."""

from dataclasses import dataclass
from datetime import date, timedelta

from city.world.calendar import first_day, is_working_day, month_of, place_of
from city.world.draws import draws, uniform, whole
from city.world.institutions import WAN_FEN, Bank, banks
from city.world.paths import make_paths
from city.world.population import Firm

MONTHLY_WISH = {"firm": 0.056, "sole_trader": 0.039}
MOST_LOANS = 2
REST_MONTHS = 6
"""A firm waits so long before it asks again, whatever came of it; a hollow one does not wait."""
USES = {
    "C": ("raw_materials", "equipment", "technology"),
    "E": ("raw_materials", "wages", "order_delivery"),
    "F": ("working_capital", "raw_materials", "premises"),
    "G": ("equipment", "working_capital", "wages"),
    "H": ("premises", "raw_materials", "wages"),
    "I": ("technology", "wages", "order_delivery"),
    "L": ("working_capital", "wages", "premises"),
    "M": ("technology", "equipment", "wages"),
}
TERMS = {"firm": (6, 12, 12, 12, 18, 24), "sole_trader": (6, 9, 12, 12)}
MOST_BANKS_ASKED = 3
WANTED_WITHIN_DAYS = 45
HOLLOW_ASKS_WAN = (25, 40)


@dataclass(frozen=True)
class Wish:
    """A demand for finance as a firm means it, and the banks that it lets look."""

    amount_fen: int
    term_months: int
    use: str
    repayment_kind: str
    wanted_by: date
    banks: tuple[str, ...]


def asks_on(seed: int, firm: Firm, month: int) -> date | None:
    """Return the working day of a month on which the firm would ask for finance, None when it does not want any."""
    wishes = firm.is_hollow or uniform(seed, firm.credit_code, "wish", str(month)) < MONTHLY_WISH[firm.kind]
    if not wishes:
        return None
    days = [first_day(month) + timedelta(days=on) for on in range((first_day(month + 1) - first_day(month)).days)]
    working = [day for day in days if is_working_day(day)]
    return working[int(uniform(seed, firm.credit_code, "wish day", str(month)) * len(working))]


def wish_on(seed: int, firm: Firm, day: date) -> Wish:
    """Return what the firm asks for on a day."""
    chance = draws(seed, "wish", firm.credit_code, str(month_of(day)))
    # Drawn in one order whatever is used, so that a rule for one kind of firm does not move the luck of another.
    part, term_at, use_at, kind_at = chance.uniform(0.08, 0.30), *chance.random(3)
    terms, uses = TERMS[firm.kind], USES[firm.industry_code]
    amount_wan = max(2, round(part * yearly_sales_yuan(seed, firm, day) / 10_000))
    if firm.is_hollow:
        amount_wan = whole(seed, *HOLLOW_ASKS_WAN, firm.credit_code, "asks", str(month_of(day)))
    return Wish(
        amount_fen=amount_wan * WAN_FEN,
        term_months=12 if firm.is_hollow else terms[int(term_at * len(terms))],
        use=uses[int(use_at * len(uses))],
        repayment_kind="equal_instalments" if firm.is_hollow or kind_at < 0.7 else "interest_first",
        wanted_by=day + timedelta(days=WANTED_WITHIN_DAYS),
        banks=tuple(bank.credit_code for bank in _asked(seed, firm, amount_wan * WAN_FEN)),
    )


def yearly_sales_yuan(seed: int, firm: Firm, day: date) -> float:
    """Return the sales of the twelve whole months before a day."""
    place = place_of(month_of(day))
    return float(make_paths(seed, firm).sales_yuan[max(0, place - 12) : place].sum())


def _asked(seed: int, firm: Firm, amount_fen: int) -> list[Bank]:
    fitting = [
        bank
        for bank in banks()
        if bank.serves(firm.region_code)
        and bank.personality.min_amount_fen <= amount_fen <= bank.personality.max_amount_fen
    ]
    if firm.is_hollow:
        return [bank for bank in fitting if bank.personality.requires_cover]
    liked = sorted(fitting, key=lambda bank: uniform(seed, firm.credit_code, "likes", bank.credit_code))
    return sorted(liked[:MOST_BANKS_ASKED], key=lambda bank: bank.credit_code)
