"""Synthetic firms: a registry entry and a hidden quality that only the city knows."""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from stdnum.cn import uscc

REGIONS = ("500103", "500106", "500107", "500108", "500112", "500101", "500116", "500118")
INDUSTRIES = ("C", "E", "F", "G", "H", "I", "L", "M")
TRADES = {
    "C": "机械",
    "E": "建筑",
    "F": "商贸",
    "G": "物流",
    "H": "餐饮",
    "I": "软件",
    "L": "商务服务",
    "M": "技术服务",
}
SOLE_TRADER_SHARE = 2 / 3
_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@dataclass(frozen=True)
class Firm:
    """One synthetic firm or sole trader; `quality` is standard normal and never leaves the city."""

    credit_code: str
    name: str
    kind: str
    region_code: str
    industry_section: str
    established_on: date
    staff: int
    quality: float


def draws(seed: int, *names: str) -> np.random.Generator:
    """Return a generator that depends on the seed and the names only, whatever else is drawn and in which order."""
    key = hashlib.sha256("\x1f".join((str(seed), *names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(key, "big"))


def make_firms(seed: int, count: int, *, as_of: date) -> list[Firm]:
    """Make `count` firms in credit-code order."""
    firms = [_make_firm(seed, number, as_of=as_of) for number in range(count)]
    return sorted(firms, key=lambda firm: firm.credit_code)


def _make_firm(seed: int, number: int, *, as_of: date) -> Firm:
    chance = draws(seed, "firm", str(number))
    is_sole_trader = chance.random() < SOLE_TRADER_SHARE
    region_code = str(chance.choice(REGIONS))
    industry = str(chance.choice(INDUSTRIES))
    head = ("92" if is_sole_trader else "91") + region_code
    subject = "MA" + "".join(chance.choice(list(_LETTERS), size=6)) + str(number % 10)
    code = head + subject
    suffix = "经营部" if is_sole_trader else "有限公司"
    return Firm(
        credit_code=code + uscc.calc_check_digit(code),
        name=f"合成{number:04d}号{TRADES[industry]}{suffix}",
        kind="sole_trader" if is_sole_trader else "firm",
        region_code=region_code,
        industry_section=industry,
        established_on=as_of - timedelta(days=int(chance.integers(500, 6000))),
        staff=int(chance.integers(1, 6) if is_sole_trader else chance.integers(3, 120)),
        quality=float(chance.standard_normal()),
    )
