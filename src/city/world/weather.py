"""What hits many firms at once: the season of an industry, good and bad times, and one downturn in every city."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from city.world.calendar import FIRST_MONTH, MONTHS, festival_share, place_of
from city.world.draws import draws

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Industry:
    """A section of GB/T 4754: what its firms are called, how it is taxed, how seasons move it.

    `seasons` are log factors of the four quarters; `festival` says how much of the closed days it loses (restaurants
    win some back); `kwh_per_yuan` is electricity by sales; `shock` is how hard bad times hit it.
    """

    trade: str
    vat_rate: float
    seasons: tuple[float, float, float, float]
    festival: float
    kwh_per_yuan: float
    shock: float


INDUSTRIES = {
    "C": Industry("机械", 0.13, (-0.04, 0.03, 0.02, 0.04), 1.0, 0.060, 0.05),
    "E": Industry("建筑", 0.09, (-0.16, 0.08, 0.06, 0.05), 1.1, 0.015, 0.06),
    "F": Industry("商贸", 0.13, (-0.03, -0.02, 0.00, 0.10), 0.8, 0.008, 0.04),
    "G": Industry("物流", 0.09, (-0.05, 0.01, 0.02, 0.08), 0.9, 0.010, 0.05),
    "H": Industry("餐饮", 0.06, (0.00, 0.02, 0.06, -0.02), 0.4, 0.035, 0.06),
    "I": Industry("软件", 0.06, (-0.10, -0.03, 0.00, 0.16), 0.7, 0.006, 0.04),
    "L": Industry("商务服务", 0.06, (-0.05, 0.02, 0.00, 0.07), 0.8, 0.006, 0.04),
    "M": Industry("技术服务", 0.06, (-0.08, 0.00, 0.01, 0.12), 0.8, 0.007, 0.04),
}
PERSISTENCE = 0.85
DOWNTURN_MONTHS = 6
DOWNTURN_DEPTH = 0.35
FIRST_DOWNTURN = 2025 * 12 + 3
DOWNTURN_CHOICES = 12


@lru_cache(maxsize=64)
def downturn(seed: int) -> tuple[str, int]:
    """Return which industry has its bad half year, and from which month on: within a year from April 2025."""
    chance = draws(seed, "downturn")
    industry = sorted(INDUSTRIES)[int(chance.integers(len(INDUSTRIES)))]
    return industry, FIRST_DOWNTURN + int(chance.integers(DOWNTURN_CHOICES))


@lru_cache(maxsize=256)
def shocks(seed: int, industry: str) -> Floats:
    """Return an industry's good and bad times, shape (MONTHS,): log factors of sales without the season.

    Good and bad months follow each other (an autoregression that starts before the world does); the downturn is added.
    """
    noise = draws(seed, "weather", industry).normal(0.0, INDUSTRIES[industry].shock, MONTHS + 24)
    times = np.zeros(len(noise))
    for at in range(1, len(noise)):
        times[at] = PERSISTENCE * times[at - 1] + noise[at]
    times = times[24:]
    hit, begins = downturn(seed)
    if industry == hit:
        place = place_of(begins)
        times[place : place + DOWNTURN_MONTHS] -= DOWNTURN_DEPTH
    times.setflags(write=False)
    return times


@lru_cache(maxsize=64)
def seasons(industry: str) -> Floats:
    """Return an industry's season, shape (MONTHS,): log factors of sales, with the spring festival's days lost."""
    about = INDUSTRIES[industry]
    months = range(FIRST_MONTH, FIRST_MONTH + MONTHS)
    quarters = np.array([about.seasons[month % 12 // 3] for month in months])
    closed = np.array([festival_share(month) for month in months])
    season = quarters + np.log1p(-np.minimum(0.9, about.festival * closed))
    season.setflags(write=False)
    return season
