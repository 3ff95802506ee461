"""A firm's months: sales, purchases, declared tax, electricity, staff. Each path covers every month of the world."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from city.world.calendar import MONTHS, place_of
from city.world.draws import draws
from city.world.population import Firm
from city.world.weather import INDUSTRIES, Floats, seasons, shocks

START_OF_TREND = 48
"""Trends are counted from January 2025 on, so a firm's size speaks of the year in which stories begin."""

HOLLOW_LOG_SIZE = 11.9
"""What a hollow firm claims to sell, so that every bank of its district would lend to it."""


@dataclass(frozen=True)
class Paths:
    """Monthly numbers, each of shape (MONTHS,): yuan without tax, yuan, kilowatt hours, people."""

    sales_yuan: Floats
    purchases_yuan: Floats
    tax_yuan: Floats
    electricity_kwh: Floats
    staff: Floats

    def sales_in(self, month: int) -> float:
        """Return the sales of a month in yuan."""
        return float(self.sales_yuan[place_of(month)])


@lru_cache(maxsize=4096)
def make_paths(seed: int, firm: Firm) -> Paths:
    """Return a firm's months.

    Sales follow size, season, the industry's times, a slow trend with the hidden quality, and noise that a poor firm
    has more of; months without any sale come oftener to a poor firm. Electricity follows sales below one for one,
    because lights and cold stores run on; declared tax follows sales with small errors.
    """
    chance = draws(seed, "paths", firm.credit_code)
    about, poor = INDUSTRIES[firm.industry_code], max(0.0, -firm.quality)
    log_size = chance.normal(10.1 if firm.is_sole_trader else 11.4, 0.5)
    size = np.exp(HOLLOW_LOG_SIZE if firm.is_hollow else log_size) * (1 + firm.staff / 60)
    times = np.arange(MONTHS) - START_OF_TREND
    log_sales = seasons(firm.industry_code) + shocks(seed, firm.industry_code)
    log_sales = log_sales + 0.006 * np.clip(firm.quality, -2.5, 2.5) * times
    log_sales = log_sales + chance.normal(0.0, 0.12 + 0.09 * min(poor, 2.0), size=MONTHS)
    is_idle = chance.random(MONTHS) < (0.02 if firm.is_sole_trader else 0.005) + 0.06 * min(poor, 2.0)
    sales = size * np.exp(log_sales) * ~is_idle
    margin = chance.uniform(0.10, 0.30) + 0.05 * np.tanh(firm.quality)
    purchases = sales * (1 - margin) * np.exp(chance.normal(0.0, 0.10, size=MONTHS))
    tax = sales * 0.03 * np.exp(chance.normal(0.0, 0.08, size=MONTHS))
    activity = 0.25 + 0.75 * sales / size
    kwh = size * about.kwh_per_yuan * activity * np.exp(chance.normal(0.0, 0.08, size=MONTHS))
    staff = np.maximum(1, np.rint(firm.staff * np.exp(0.5 * 0.006 * firm.quality * times)))
    paths = Paths(sales, purchases, tax, kwh, staff)
    for one in (sales, purchases, tax, kwh, staff):
        one.setflags(write=False)
    return paths
