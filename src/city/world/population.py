"""The registry: synthetic firms and sole traders, and what only the city knows of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from stdnum.cn import uscc

from city.world.draws import draws
from city.world.weather import INDUSTRIES

DISTRICTS: Mapping[str, str] = {
    "500101": "万州",
    "500103": "渝中",
    "500106": "沙坪坝",
    "500107": "九龙坡",
    "500108": "南岸",
    "500112": "渝北",
    "500116": "江津",
    "500118": "永川",
}
SOLE_TRADER_SHARE = 2 / 3
EARLIER_LOAN_SHARE = 0.6
HOLLOW_EVERY = 150
"""One firm in so many hides that it is failing: sound on paper, insolvent soon after it has borrowed (骗贷、空壳)."""
FOUNDED_BEFORE = date(2023, 7, 1)
_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@dataclass(frozen=True)
class Firm:
    """One synthetic firm or sole trader. What stands below `staff` is hidden and never leaves the city.

    `quality` is standard normal; `is_hollow` firms show the papers of a sound firm and stop paying soon.
    """

    credit_code: str
    name: str
    kind: str
    region_code: str
    industry_code: str
    established_on: date
    staff: int
    has_earlier_loan: bool
    quality: float
    is_hollow: bool

    @property
    def is_sole_trader(self) -> bool:
        """Say whether it is a natural person in business (个体工商户)."""
        return self.kind == "sole_trader"


@lru_cache(maxsize=8)
def make_firms(seed: int, count: int) -> tuple[Firm, ...]:
    """Make `count` firms in credit-code order; a bigger city holds every firm of a smaller one."""
    return tuple(sorted((_make_firm(seed, number) for number in range(count)), key=lambda firm: firm.credit_code))


def _make_firm(seed: int, number: int) -> Firm:
    chance = draws(seed, "firm", str(number))
    is_hollow = number % HOLLOW_EVERY == HOLLOW_EVERY // 3
    is_sole_trader = bool(chance.random() < SOLE_TRADER_SHARE) and not is_hollow
    region_code = tuple(DISTRICTS)[int(chance.integers(len(DISTRICTS)))]
    industry = tuple(INDUSTRIES)[int(chance.integers(len(INDUSTRIES)))]
    # Hexadecimal digits of the number keep two firms apart whatever the letters are.
    letters = "".join(_LETTERS[place] for place in chance.integers(len(_LETTERS), size=3))
    code = ("92" if is_sole_trader else "91") + region_code + "MA" + letters + f"{number:04X}"
    suffix = "经营部" if is_sole_trader else "有限公司"
    days_old = int(chance.integers(0, 4_000))
    staff = int(chance.integers(1, 6) if is_sole_trader else chance.integers(3, 60))
    quality = float(chance.standard_normal())
    has_earlier_loan = bool(chance.random() < EARLIER_LOAN_SHARE) and not is_hollow
    return Firm(
        credit_code=code + uscc.calc_check_digit(code),
        name=f"模拟{DISTRICTS[region_code]}{number:04d}号{INDUSTRIES[industry].trade}{suffix}",
        kind="sole_trader" if is_sole_trader else "firm",
        region_code=region_code,
        industry_code=industry,
        established_on=FOUNDED_BEFORE - timedelta(days=800 if is_hollow else days_old),
        staff=max(staff, 12) if is_hollow else staff,
        has_earlier_loan=has_earlier_loan,
        quality=1.2 if is_hollow else quality,
        is_hollow=is_hollow,
    )
