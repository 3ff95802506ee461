"""Electricity, water and gas: what the meters say, what was charged, what is owed, and whether a line was cut."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from city.world.calendar import FIRST_MONTH, MONTHS
from city.world.draws import draws
from city.world.paths import make_paths
from city.world.population import Firm
from city.world.strain import Monthly, Wholes, carry, months_before
from city.world.weather import Floats

FEN_A_KWH = 72
FEN_A_WATER_M3 = 455
FEN_A_GAS_M3 = 298
WATER_A_HEAD: Mapping[str, float] = {"C": 3.5, "E": 3.0, "F": 1.2, "G": 1.8, "H": 11.0, "I": 1.0, "L": 1.1, "M": 1.0}
"""Cubic metres by head and month: restaurants wash, offices drink tea."""
BURNS_GAS: Mapping[str, float] = {"C": 0.35, "H": 0.95}
"""Which part of a trade's firms have gas at all."""
GAS_BY_YUAN: Mapping[str, float] = {"C": 0.006, "H": 0.011}
CUT_OFF_LEAVES = 0.7
"""The part of a month's electricity that is used all the same when a line is cut for some of its days."""
KEPT_FIRMS = 256


@dataclass(frozen=True)
class Electricity(Monthly):
    """A month of the electricity meter."""

    used_kwh: int
    charged_fen: int
    owed_fen: int
    is_cut_off: bool


@dataclass(frozen=True)
class Water(Monthly):
    """A month of the water meter."""

    used_m3: int
    charged_fen: int
    owed_fen: int


@dataclass(frozen=True)
class Gas(Monthly):
    """A month of the gas meter."""

    used_m3: int
    charged_fen: int
    owed_fen: int


@lru_cache(maxsize=KEPT_FIRMS)
def electricity(seed: int, firm: Firm) -> tuple[Electricity, ...]:
    """Return the months of a firm's electricity meter."""
    kwh = np.rint(make_paths(seed, firm).electricity_kwh).astype(np.int64)
    is_cut_off = carry(seed, firm, "electricity", kwh * FEN_A_KWH).is_cut_off
    kwh = np.where(is_cut_off, np.rint(kwh * CUT_OFF_LEAVES).astype(np.int64), kwh)
    owed = carry(seed, firm, "electricity", kwh * FEN_A_KWH).owed_fen
    listed = zip(kwh.tolist(), owed.tolist(), is_cut_off.tolist(), strict=True)
    rows = [
        Electricity(FIRST_MONTH + at, used, used * FEN_A_KWH, unpaid, is_cut)
        for at, (used, unpaid, is_cut) in enumerate(listed)
    ]
    return tuple(rows[months_before(firm) :])


@lru_cache(maxsize=KEPT_FIRMS)
def water(seed: int, firm: Firm) -> tuple[Water, ...]:
    """Return the months of a firm's water meter: by heads, and by how much there is to do."""
    chance, staff = draws(seed, "water", firm.credit_code), make_paths(seed, firm).staff
    people = np.minimum(staff, 2) if firm.is_hollow else staff
    size = WATER_A_HEAD[firm.industry_code] * chance.uniform(0.7, 1.4)
    used = np.rint(people * size * _activity(seed, firm) * np.exp(chance.normal(0.0, 0.1, MONTHS)))
    listed = _charged(seed, firm, "water", used, FEN_A_WATER_M3)
    return tuple(Water(FIRST_MONTH + at, *row) for at, row in enumerate(listed))[months_before(firm) :]


@lru_cache(maxsize=KEPT_FIRMS)
def gas(seed: int, firm: Firm) -> tuple[Gas, ...]:
    """Return the months of a firm's gas meter, none where its trade burns no gas."""
    chance = draws(seed, "gas", firm.credit_code)
    if chance.random() >= BURNS_GAS.get(firm.industry_code, 0.0) or firm.is_hollow:
        return ()
    sales = make_paths(seed, firm).sales_yuan
    size = GAS_BY_YUAN[firm.industry_code] * chance.uniform(0.7, 1.4)
    winter = np.array([1.15 if month % 12 in (11, 0, 1) else 1.0 for month in range(FIRST_MONTH, FIRST_MONTH + MONTHS)])
    used = np.rint(sales * size * winter * np.exp(chance.normal(0.0, 0.1, MONTHS)))
    listed = _charged(seed, firm, "gas", used, FEN_A_GAS_M3)
    return tuple(Gas(FIRST_MONTH + at, *row) for at, row in enumerate(listed))[months_before(firm) :]


def _activity(seed: int, firm: Firm) -> Floats:
    sales = make_paths(seed, firm).sales_yuan
    activity: Floats = 0.5 + 0.5 * np.minimum(2.0, sales / max(1.0, float(np.median(sales))))
    return activity


def _charged(seed: int, firm: Firm, what: str, used: Floats, fen: int) -> list[tuple[int, int, int]]:
    amounts: Wholes = used.astype(np.int64)
    owed = carry(seed, firm, what, amounts * fen).owed_fen
    return [(one, one * fen, unpaid) for one, unpaid in zip(amounts.tolist(), owed.tolist(), strict=True)]
