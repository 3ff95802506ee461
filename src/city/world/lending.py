"""How a bank judges an applicant: a first look, a second with its own credit query, a rate, or a reason to say no."""

from dataclasses import dataclass
from datetime import date

from city.world.calendar import month_of, place_of
from city.world.draws import normal, whole
from city.world.institutions import WAN_FEN, Bank
from city.world.population import Firm
from city.world.weather import shocks

FIRST_LOOK_NOISE = 1.4
"""Papers alone tell less than papers and the bank's own query: the first look is so much noisier."""
SHOCK_SEEN = 1.5
STRANGER_SOUNDNESS = 0.8
"""What banks see in a firm that is not of this city, such as one that a person registered."""
LEAST_PART = 0.5
"""Less than this part of what was asked helps nobody: the bank says no instead."""
RANGE_BP = 40


@dataclass(frozen=True)
class Applicant:
    """What lies before a bank. `firm` is None for one that is not of this city; `sales_fen` None when not known."""

    firm: Firm | None
    name: str
    amount_fen: int
    term_months: int
    sales_fen: int | None


@dataclass(frozen=True)
class Judgement:
    """What a bank would do. `reason` is None when it lends `amount_fen` at `rate_bp`."""

    amount_fen: int
    rate_bp: int
    reason: str | None

    @property
    def lends(self) -> bool:
        """Say whether the bank lends."""
        return self.reason is None


def judge(seed: int, bank: Bank, applicant: Applicant, day: date, *, is_first_look: bool) -> Judgement:
    """Judge an applicant on a day. The same bank sees the same firm the same way all month."""
    way = bank.personality
    view = _view(seed, bank, applicant, day, is_first_look=is_first_look)
    if applicant.sales_fen is None:
        return Judgement(0, 0, "data_missing")
    amount_fen = _amount(bank, applicant, applicant.sales_fen)
    if amount_fen < max(way.min_amount_fen, int(LEAST_PART * applicant.amount_fen)):
        return Judgement(0, 0, "capacity_cash_flow")
    if not way.min_term_months <= applicant.term_months <= way.max_term_months:
        return Judgement(0, 0, "policy_term")
    if view < way.least_sound:
        return Judgement(0, 0, "behaviour_overdue" if view < way.least_sound - 1 else "capacity_debt")
    rate_bp = way.min_rate_bp + bank.rate_step_bp + int(way.slope_bp * max(0.0, 1.5 - view))
    return Judgement(amount_fen, min(way.max_rate_bp, rate_bp), None)


def answer_hours(seed: int, bank: Bank, natural_key: str, stage: str) -> int:
    """Return after how many working hours the bank answers at a stage (first or binding)."""
    least, most = bank.personality.answer_hours
    return whole(seed, least, most, bank.credit_code, "answers", stage, natural_key)


def _view(seed: int, bank: Bank, applicant: Applicant, day: date, *, is_first_look: bool) -> float:
    month = month_of(day)
    noise = bank.personality.view_noise * normal(seed, bank.credit_code, "sees", applicant.name, str(month))
    if is_first_look:
        noise += 0.3 * FIRST_LOOK_NOISE * normal(seed, bank.credit_code, "first sees", applicant.name, str(month))
    if applicant.firm is None:
        return STRANGER_SOUNDNESS + noise / 2
    seen = applicant.firm.quality + SHOCK_SEEN * float(shocks(seed, applicant.firm.industry_code)[place_of(month)])
    return seen + noise


def _amount(bank: Bank, applicant: Applicant, sales_fen: int) -> int:
    most_fen = min(
        bank.personality.max_amount_fen, applicant.amount_fen, int(bank.personality.most_of_sales * sales_fen)
    )
    return most_fen // WAN_FEN * WAN_FEN
