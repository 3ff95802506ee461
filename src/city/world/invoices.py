"""Synthetic VAT invoices: a firm's monthly sales and purchases cut into invoices, all months at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from city.world.calendar import FIRST_MONTH, MONTHS, name_of
from city.world.draws import draws
from city.world.paths import make_paths
from city.world.population import Firm
from city.world.weather import INDUSTRIES

COLUMNS = (
    "invoice_no",
    "direction",
    "issued_on",
    "counterparty",
    "net_yuan",
    "tax_yuan",
    "gross_yuan",
    "status",
)
Row = tuple[str, str, str, str, str, str, str, str]
Wholes = NDArray[np.int64]
ISSUED_BEFORE_DAY = 29
KEPT_FIRMS = 32
"""Invoices of so many firms stay in memory, so that the pages of one pull are cut from one drawing."""


@dataclass(frozen=True)
class Drawn:
    """All invoices of a firm, sorted by month and day; arrays of one length, and where each month begins."""

    begins: Wholes
    day: Wholes
    is_sale: NDArray[np.bool_]
    partner: Wholes
    net_fen: Wholes
    tax_fen: Wholes
    is_void: NDArray[np.bool_]


def invoice_rows(seed: int, firm: Firm, first_month: int, last_month: int, *, until: date | None = None) -> list[Row]:
    """Return the invoices from one month to another, both included, in the order of COLUMNS; amounts are yuan as text.

    A month's invoices are the same whichever months are asked for. `until` leaves out that day and later ones.
    """
    drawn = _draw(seed, firm)
    rows: list[Row] = []
    for month in range(max(first_month, FIRST_MONTH), min(last_month, FIRST_MONTH + MONTHS - 1) + 1):
        rows += _month_rows(drawn, firm, month)
    return rows if until is None else [row for row in rows if row[2] < until.isoformat()]


def _month_rows(drawn: Drawn, firm: Firm, month: int) -> Iterator[Row]:
    place = month - FIRST_MONTH
    span = slice(int(drawn.begins[place]), int(drawn.begins[place + 1]))
    head, in_words, side = f"{month // 12 % 100:02d}{month % 12 + 1:02d}", name_of(month), firm.credit_code[-6:-1]
    columns = (drawn.day, drawn.is_sale, drawn.partner, drawn.net_fen, drawn.tax_fen, drawn.is_void)
    listed = zip(*(one[span].tolist() for one in columns), strict=True)
    for number, (day, is_sale, partner, net_fen, tax_fen, is_void) in enumerate(listed, 1):
        yield (
            f"{head}{number:04d}",
            "out" if is_sale else "in",
            f"{in_words}-{day + 1:02d}",
            f"模拟{'客户' if is_sale else '供应商'}{side}{partner:03d}",
            _yuan(net_fen),
            _yuan(tax_fen),
            _yuan(net_fen + tax_fen),
            "void" if is_void else "valid",
        )


@lru_cache(maxsize=KEPT_FIRMS)
def _draw(seed: int, firm: Firm) -> Drawn:
    chance = draws(seed, "invoices", firm.credit_code)
    paths, poor = make_paths(seed, firm), min(2.0, max(0.0, -firm.quality))
    amounts = np.stack([paths.sales_yuan, paths.purchases_yuan], axis=1)
    wanted = (2.5, 1.5) if firm.is_sole_trader else (6.0, 4.0)
    counts = (1 + chance.poisson(wanted, size=amounts.shape)) * (amounts > 0)
    flat_counts = counts.ravel()
    cell = np.repeat(np.arange(flat_counts.size), flat_counts)
    total = cell.size
    # A gamma weight over the sum of its month is a Dirichlet share, drawn for all months in one call.
    weights = chance.gamma(1.5, size=total)
    shares = weights / np.bincount(cell, weights, minlength=flat_counts.size)[cell]
    is_red = chance.random(total) < 0.01 + 0.03 * poor
    net_fen = np.rint(amounts.ravel()[cell] * shares * 100).astype(np.int64) * np.where(is_red, -1, 1)
    tax_fen = np.rint(net_fen * INDUSTRIES[firm.industry_code].vat_rate).astype(np.int64)
    is_sale = cell % 2 == 0
    customers = max(2, int(7 + 4 * firm.quality))
    partner = np.where(is_sale, chance.integers(0, customers, total), chance.integers(0, 6, total))
    day = chance.integers(0, ISSUED_BEFORE_DAY - 1, total)
    is_void = chance.random(total) < 0.02 + 0.04 * poor
    order = np.lexsort((np.arange(total), day, cell // 2))
    begins = np.concatenate([[0], np.cumsum(counts.sum(axis=1))]).astype(np.int64)
    return Drawn(begins, day[order], is_sale[order], partner[order], net_fen[order], tax_fen[order], is_void[order])


def _yuan(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"
