"""Social insurance and housing fund: who is insured, on which base, what was paid and what is owed."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from city.world.calendar import FIRST_MONTH, MONTHS
from city.world.draws import draws, uniform
from city.world.paths import make_paths
from city.world.population import Firm
from city.world.strain import Monthly, Wholes, carry, months_before

SOCIAL_PPM = 369_000
"""Pension 24, medical 11.5, unemployment 1, injury 0.4 of a hundred, employer and employee together (rounded)."""
USUAL_BASE_YUAN = 4_600
WAGE_GROWTH = 0.004
HAS_SOCIAL_INSURANCE = {"firm": 1.0, "sole_trader": 0.6}
HAS_HOUSING_FUND = {"firm": 0.85, "sole_trader": 0.2}
HOUSING_RATES_PPM = (100_000, 120_000, 140_000, 160_000, 200_000, 240_000)
MILLION = 1_000_000
KEPT_FIRMS = 256
START = 48


@dataclass(frozen=True)
class SocialInsurance(Monthly):
    """A month's contributions."""

    insured: int
    base_fen: int
    paid_fen: int
    owed_fen: int


@dataclass(frozen=True)
class HousingFund(Monthly):
    """A month's deposits."""

    depositors: int
    base_fen: int
    paid_fen: int
    owed_fen: int


@lru_cache(maxsize=KEPT_FIRMS)
def social_insurance(seed: int, firm: Firm) -> tuple[SocialInsurance, ...]:
    """Return the months of a firm that has an account, none for one that has not; insured are most of the staff."""
    if not _has_insurance(seed, firm):
        return ()
    insured, base = _people(seed, firm)
    carried = carry(seed, firm, "social_insurance", base * SOCIAL_PPM // MILLION)
    listed = zip(*(one.tolist() for one in (insured, base, carried.paid_fen, carried.owed_fen)), strict=True)
    rows = [SocialInsurance(FIRST_MONTH + at, *row) for at, row in enumerate(listed)]
    return tuple(rows[months_before(firm) :])


@lru_cache(maxsize=KEPT_FIRMS)
def housing_fund(seed: int, firm: Firm) -> tuple[HousingFund, ...]:
    """Return the months of a firm that has an account; some of the insured deposit, on the same base."""
    chance = draws(seed, "housing fund", firm.credit_code)
    has_account, rate_at, part = chance.random(3)
    if has_account >= HAS_HOUSING_FUND[firm.kind] or not _has_insurance(seed, firm):
        return ()
    insured, base = _people(seed, firm)
    depositors = np.maximum(np.minimum(insured, 1), np.rint(insured * (0.5 + 0.5 * part)).astype(np.int64))
    deposit_base = base * depositors // np.maximum(1, insured)
    rate_ppm = HOUSING_RATES_PPM[int(rate_at * len(HOUSING_RATES_PPM))]
    carried = carry(seed, firm, "housing_fund", deposit_base * rate_ppm // MILLION)
    listed = zip(*(one.tolist() for one in (depositors, deposit_base, carried.paid_fen, carried.owed_fen)), strict=True)
    rows = [HousingFund(FIRST_MONTH + at, *row) for at, row in enumerate(listed)]
    return tuple(rows[months_before(firm) :])


def _has_insurance(seed: int, firm: Firm) -> bool:
    return uniform(seed, "has insurance", firm.credit_code) < HAS_SOCIAL_INSURANCE[firm.kind]


def _people(seed: int, firm: Firm) -> tuple[Wholes, Wholes]:
    """Return people insured and the sum of their bases in fen, each of shape (MONTHS,).

    A hollow firm insures a fraction of the staff that it claims: contributions cost money, papers do not.
    """
    chance = draws(seed, "insured", firm.credit_code)
    part = chance.uniform(0.45, 0.9) if firm.is_sole_trader else chance.uniform(0.7, 1.0)
    staff = make_paths(seed, firm).staff
    insured = np.maximum(1, np.rint(staff * (0.15 if firm.is_hollow else part))).astype(np.int64)
    wages = USUAL_BASE_YUAN * chance.uniform(0.9, 1.6) * np.exp(WAGE_GROWTH * (np.arange(MONTHS) // 12 * 12 - START))
    return insured, insured * np.rint(wages).astype(np.int64) * 100
