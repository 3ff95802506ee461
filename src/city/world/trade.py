"""Imports, exports and freight: of some firms only, and cut from the sales and purchases that they have anyway."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from city.world.calendar import FIRST_MONTH, MONTHS
from city.world.draws import draws
from city.world.paths import make_paths
from city.world.population import Firm
from city.world.strain import Monthly, months_before, strain

TRADERS: Mapping[str, float] = {"C": 0.40, "F": 0.35, "G": 0.08, "I": 0.10}
"""Which part of the firms of a trade deals abroad; sole traders a fifth as often."""
OF_SOLE_TRADERS = 0.2
SHIPPERS: Mapping[str, float] = {"C": 0.6, "E": 0.2, "F": 0.7, "G": 1.0}
FREIGHT_OF_SALES: Mapping[str, float] = {"C": 0.02, "E": 0.015, "F": 0.03, "G": 0.25}
ADVANCED, REGULAR, DISHONEST = "advanced", "regular", "dishonest"
"""高级认证企业, 其他注册登记和备案企业, 失信企业 of the customs' order of 2021."""
KEPT_FIRMS = 256


@dataclass(frozen=True)
class ImportExport(Monthly):
    """A month at the customs."""

    exported_fen: int
    imported_fen: int
    customs_grade: str


@dataclass(frozen=True)
class Logistics(Monthly):
    """A month of waybills and of the warehouse."""

    shipments: int
    freight_fen: int
    stock_fen: int


@lru_cache(maxsize=KEPT_FIRMS)
def import_export(seed: int, firm: Firm) -> tuple[ImportExport, ...]:
    """Return the months of a firm that deals abroad; it exports less than it sells and imports less than it buys."""
    chance = draws(seed, "customs", firm.credit_code)
    luck, most_out, most_in, graded = chance.random(4)
    part = TRADERS.get(firm.industry_code, 0.0) * (OF_SOLE_TRADERS if firm.is_sole_trader else 1.0)
    if luck >= part or firm.is_hollow:
        return ()
    paths = make_paths(seed, firm)
    is_there = chance.random((2, MONTHS)) < 0.85
    out = np.rint(100 * paths.sales_yuan * 0.7 * most_out * chance.random(MONTHS) * is_there[0]).astype(np.int64)
    into = np.rint(100 * paths.purchases_yuan * 0.6 * most_in * chance.random(MONTHS) * is_there[1]).astype(np.int64)
    usual = ADVANCED if firm.quality > 0.8 and graded < 0.5 else REGULAR
    grades = [DISHONEST if one > 3.0 else usual for one in strain(seed, firm).tolist()]
    listed = zip(out.tolist(), into.tolist(), grades, strict=True)
    return tuple(ImportExport(FIRST_MONTH + at, *row) for at, row in enumerate(listed))[months_before(firm) :]


@lru_cache(maxsize=KEPT_FIRMS)
def logistics(seed: int, firm: Firm) -> tuple[Logistics, ...]:
    """Return the months of a firm that ships: carriers by what they drive for others, traders by what they sell."""
    chance = draws(seed, "logistics", firm.credit_code)
    if chance.random() >= SHIPPERS.get(firm.industry_code, 0.0) * (0.5 if firm.is_hollow else 1.0):
        return ()
    paths = make_paths(seed, firm)
    yuan_a_shipment = chance.uniform(300, 1_500)
    freight_yuan = paths.sales_yuan * FREIGHT_OF_SALES[firm.industry_code] * chance.uniform(0.7, 1.3)
    shipments = chance.poisson(freight_yuan / yuan_a_shipment * 4)
    freight = np.where(shipments > 0, np.rint(100 * freight_yuan), 0).astype(np.int64)
    stock = np.rint(100 * paths.purchases_yuan * chance.uniform(0.3, 1.2, MONTHS)).astype(np.int64)
    listed = zip(shipments.tolist(), freight.tolist(), stock.tolist(), strict=True)
    return tuple(Logistics(FIRST_MONTH + at, *row) for at, row in enumerate(listed))[months_before(firm) :]
