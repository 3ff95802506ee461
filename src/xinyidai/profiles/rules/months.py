"""Sales by month, as a firm sees them: pure."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from xinyidai.foundation.clock import add_months
from xinyidai.sources.rules.invoices import Invoices


@dataclass(frozen=True)
class MonthOfSales:
    """Net sales of one Shanghai month, void invoices left out, red-letter invoices taken off."""

    month: date
    net_fen: int


def monthly_sales(invoices: Invoices, *, until: date, months: int = 24) -> tuple[MonthOfSales, ...]:
    """Return the net sales of the months up to and with that of `until`, oldest first, months without sales as zero.

    Parameters
    ----------
    invoices : Invoices
        Of one firm.
    """
    first = add_months(until.replace(day=1), 1 - months)
    month = (invoices.issued_on.astype("datetime64[M]") - np.datetime64(first, "M")).astype(np.int64)
    counted = invoices.is_sale & ~invoices.is_void & (month >= 0) & (month < months)
    summed = np.zeros(months, dtype=np.int64)
    np.add.at(summed, month[counted], invoices.net_fen[counted])
    return tuple(MonthOfSales(add_months(first, place), net_fen) for place, net_fen in enumerate(summed.tolist()))
