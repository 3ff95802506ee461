"""Which invoices each indicator rests on: one declaration, read both ways, and no second implementation of a value.

An indicator looks at nothing beside what it declares: an invoice that it does not name may come, go or change and the
value stays bit for bit; without any that it names the value is NaN. Tests hold each indicator to both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ml.features.arrays import BoolArray, IntArray
from ml.features.invoice_rows import HISTORY_MONTHS, InvoiceColumns, month_bounds

PURCHASES, SALES = 0, 1
YEAR = 12
"""Rolling months."""


@dataclass(frozen=True)
class Reads:
    """Invoices that an indicator looks at: those of one side that meet every condition.

    ``months`` are the last so many rolling months, None the whole window. Red-letter and void invoices are looked at or
    not. What is not counted enters no sum: it only tells whether there is any history, and since when.
    """

    side: int
    months: int | None = None
    with_red: bool = True
    with_void: bool = False
    is_counted: bool = True


SALES_EVER: Final = (Reads(SALES),)
SALES_OF_YEAR: Final = (Reads(SALES, YEAR),)
SALES_OF_TWO_YEARS: Final = (Reads(SALES, 2 * YEAR),)
SALES_KNOWN: Final = (Reads(SALES, is_counted=False),)
SALES_BLUE: Final = (Reads(SALES, with_red=False),)
SALES_WITH_VOID: Final = (Reads(SALES, with_void=True),)
PURCHASES_EVER: Final = (Reads(PURCHASES),)
PURCHASES_OF_YEAR: Final = (Reads(PURCHASES, YEAR),)
PURCHASES_OF_TWO_YEARS: Final = (Reads(PURCHASES, 2 * YEAR),)
PURCHASES_KNOWN: Final = (Reads(PURCHASES, is_counted=False),)
PURCHASES_BLUE: Final = (Reads(PURCHASES, with_red=False),)
PURCHASES_WITH_VOID: Final = (Reads(PURCHASES, with_void=True),)


@dataclass(frozen=True)
class Looked:
    """Which invoices one indicator looks at, and which of them it counts; both of shape (n_invoices,)."""

    read: BoolArray
    counted: BoolArray


def looked_at(
    asked: Sequence[tuple[Reads, ...]],
    invoices: InvoiceColumns,
    *,
    as_of: pd.Timestamp,
    history_months: int = HISTORY_MONTHS,
) -> list[Looked]:
    """Find the invoices that indicators with these reads look at, as of a moment; one answer for each, in order.

    One invoice at a time asks which indicators it feeds; all invoices of a firm ask what an indicator rests on.

    Parameters
    ----------
    asked : sequence of tuple of Reads
        The ``reads`` of the indicators.
    invoices : InvoiceColumns, n_invoices rows
        In any order, of any firms.
    """
    months_back = _months_back(invoices.issued_us, as_of=as_of, history_months=history_months)
    return [_looked(reads, invoices, months_back, history_months=history_months) for reads in asked]


def _looked(
    reads: tuple[Reads, ...], invoices: InvoiceColumns, months_back: IntArray, *, history_months: int
) -> Looked:
    read = np.zeros(len(months_back), dtype=np.bool_)
    counted = read.copy()
    for one in reads:
        found = (invoices.side == one.side) & (months_back >= 0)
        found &= months_back < (history_months if one.months is None else one.months)
        if not one.with_void:
            found &= ~invoices.is_void
        if not one.with_red:
            found &= invoices.net_fen >= 0
        read |= found
        if one.is_counted:
            counted |= found
    return Looked(read, counted)


def _months_back(issued_us: IntArray, *, as_of: pd.Timestamp, history_months: int) -> IntArray:
    """Give each invoice's rolling month, 0 the latest; -1 for those after the as-of moment."""
    bounds = month_bounds(as_of, history_months)
    back: IntArray = history_months - np.searchsorted(bounds, issued_us, side="right")
    return back
