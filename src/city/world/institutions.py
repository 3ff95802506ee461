"""The institutions of the city: twelve banks of four kinds, a fund, a guarantor, agencies and a regulator."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from stdnum.cn import uscc

from city.world.population import DISTRICTS

WAN_FEN = 1_000_000
"""Ten thousand yuan (一万元) in fen."""
MILLION = 1_000_000
SEAT = "500103"


@dataclass(frozen=True)
class Personality:
    """How a kind of bank lends.

    `answer_hours` are working hours, least and most, to an indication and again to a binding answer; `least_sound` is
    what its own view of a firm must reach (the view is the hidden quality with noise of `view_noise`); rates grow by
    `slope_bp` for each standard deviation that a firm looks worse.
    """

    kind: str
    answer_hours: tuple[int, int]
    least_sound: float
    view_noise: float
    slope_bp: int
    most_of_sales: float
    requires_cover: bool
    answer_working_days: int
    min_amount_fen: int
    max_amount_fen: int
    min_term_months: int
    max_term_months: int
    min_rate_bp: int
    max_rate_bp: int
    clauses: tuple[tuple[str, str, int, str], ...]


PERSONALITIES: Mapping[str, Personality] = {
    "large": Personality(
        kind="large", answer_hours=(16, 32), least_sound=0.3, view_noise=0.55, slope_bp=25, most_of_sales=0.35,
        requires_cover=True, answer_working_days=7, min_amount_fen=10 * WAN_FEN, max_amount_fen=300 * WAN_FEN,
        min_term_months=6, max_term_months=24, min_rate_bp=345, max_rate_bp=480,
        clauses=(("age_months", "gte", 24, "too_young"), ("score_band", "lte", 8, "band_too_high")),
    ),
    "city": Personality(
        kind="city", answer_hours=(4, 12), least_sound=-0.05, view_noise=0.65, slope_bp=45, most_of_sales=0.45,
        requires_cover=True, answer_working_days=4, min_amount_fen=5 * WAN_FEN, max_amount_fen=200 * WAN_FEN,
        min_term_months=3, max_term_months=24, min_rate_bp=420, max_rate_bp=720,
        clauses=(("age_months", "gte", 12, "too_young"),),
    ),
    "rural": Personality(
        kind="rural", answer_hours=(8, 20), least_sound=-0.2, view_noise=0.45, slope_bp=45, most_of_sales=0.45,
        requires_cover=True, answer_working_days=5, min_amount_fen=2 * WAN_FEN, max_amount_fen=100 * WAN_FEN,
        min_term_months=3, max_term_months=12, min_rate_bp=450, max_rate_bp=760,
        clauses=(("age_months", "gte", 6, "too_young"),),
    ),
    "internet": Personality(
        kind="internet", answer_hours=(0, 0), least_sound=-0.25, view_noise=0.8, slope_bp=90, most_of_sales=0.30,
        requires_cover=False, answer_working_days=2, min_amount_fen=1 * WAN_FEN, max_amount_fen=20 * WAN_FEN,
        min_term_months=3, max_term_months=12, min_rate_bp=900, max_rate_bp=1_440,
        clauses=(("score_band", "lte", 9, "band_too_high"),),
    ),
}  # fmt: skip
BANKS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("large", "模拟长江银行", SEAT, ()),
    ("large", "模拟嘉陵银行", SEAT, ()),
    ("large", "模拟巴山银行", SEAT, ()),
    ("city", "模拟山城银行", SEAT, ()),
    ("city", "模拟两江城市银行", "500112", ()),
    ("city", "模拟三峡城市银行", "500101", ()),
    ("city", "模拟金佛城市银行", "500107", ()),
    ("rural", "模拟万州农村银行", "500101", ("500101",)),
    ("rural", "模拟江津农村银行", "500116", ("500116", "500107")),
    ("rural", "模拟永川农村银行", "500118", ("500118", "500106")),
    ("internet", "模拟云桥网络银行", "500112", ()),
    ("internet", "模拟灯火网络银行", "500108", ()),
)
REPAYMENT_KINDS = ("equal_instalments", "interest_first")


@dataclass(frozen=True)
class Bank:
    """A bank, its way of lending and its one product."""

    credit_code: str
    name: str
    region_code: str
    districts: tuple[str, ...]
    personality: Personality
    product_code: str
    rate_step_bp: int
    """What this bank adds to its kind's rates, so that no two banks of a kind ask the same."""

    def serves(self, region_code: str) -> bool:
        """Say whether it lends in a district."""
        return not self.districts or region_code in self.districts


@dataclass(frozen=True)
class Institution:
    """A fund, guarantor, agency or regulator."""

    credit_code: str
    name: str
    kind: str
    duty: str
    region_code: str


@lru_cache(maxsize=1)
def banks() -> tuple[Bank, ...]:
    """Return the twelve banks in credit-code order; they are the same in every city."""
    made = []
    for number, (kind, name, seat, districts) in enumerate(BANKS, 1):
        made.append(
            Bank(
                credit_code=_code("91", seat, f"MAB{number:06d}"),
                name=f"{name}股份有限公司",
                region_code=seat,
                districts=districts,
                personality=PERSONALITIES[kind],
                product_code=f"SIM-{kind.upper()}-{number:02d}",
                rate_step_bp=5 * (number % 4),
            )
        )
    return tuple(sorted(made, key=lambda bank: bank.credit_code))


@lru_cache(maxsize=1)
def institutions() -> tuple[Institution, ...]:
    """Return the institutions that are no banks."""
    listed = (
        ("12", "MAF000001", "模拟小微企业风险补偿资金池", "fund", "compensation_fund"),
        ("91", "MAG000001", "模拟融资担保有限公司", "guarantor", "guarantor"),
        ("11", "MAT000001", "模拟税务局", "agency", "tax"),
        ("12", "MAC000001", "模拟征信服务中心", "agency", "credit_history"),
        ("11", "MAR000001", "模拟金融监督管理局", "regulator", "regulator"),
    )
    return tuple(
        Institution(_code(head, SEAT, body), name, kind, duty, SEAT) for head, body, name, kind, duty in listed
    )


def product_terms(bank: Bank) -> dict[str, object]:
    """Return a bank's product in the shape in which the platform takes one in."""
    way = bank.personality
    return {
        "code": bank.product_code,
        "name_zh": f"{bank.name[:-6]}小微贷",
        "name_en": f"Simulated {way.kind} bank loan {bank.product_code[-2:]}",
        "min_amount_fen": way.min_amount_fen,
        "max_amount_fen": way.max_amount_fen,
        "min_term_months": way.min_term_months,
        "max_term_months": way.max_term_months,
        "min_rate_bp": way.min_rate_bp,
        "max_rate_bp": way.max_rate_bp,
        "repayment_kinds": list(REPAYMENT_KINDS),
        "applicant_kinds": [],
        "region_codes": sorted(bank.districts),
        "industry_codes": [],
        "requires_cover": way.requires_cover,
        "answer_working_days": way.answer_working_days,
        "clauses": [
            {"field": field, "operator": operator, "value": value, "code": code}
            for field, operator, value, code in way.clauses
        ],
    }


def agreement_terms(bank: Bank) -> dict[str, object] | None:
    """Return what the fund, the guarantor and a bank agreed on; None for a bank that carries its losses alone."""
    if not bank.personality.requires_cover:
        return None
    return {
        "name": f"{bank.name[:-6]}风险分担协议",
        "fund_share_ppm": 300_000,
        "guarantor_share_ppm": 400_000,
        "lender_share_ppm": 300_000,
        "capacity_fen": 10_000 * WAN_FEN,
        "per_firm_cap_fen": 300 * WAN_FEN,
        "claim_after_days": 90,
        "max_rate_bp": 800,
    }


def district_name(region_code: str) -> str:
    """Return what a district is called."""
    return DISTRICTS.get(region_code, region_code)


def _code(head: str, region_code: str, body: str) -> str:
    return head + region_code + body + uscc.calc_check_digit(head + region_code + body)
