"""Sales by month, as a firm sees them: pure."""

from dataclasses import dataclass
from datetime import date

import pandas as pd

from xinyidai.foundation.clock import add_months


@dataclass(frozen=True)
class MonthOfSales:
    """Net sales of one Shanghai month, void invoices left out, red-letter invoices taken off."""

    month: date
    net_fen: int


def monthly_sales(invoices: pd.DataFrame, *, until: date, months: int = 24) -> tuple[MonthOfSales, ...]:
    """Return the net sales of the months up to and with that of `until`, oldest first, months without sales as zero.

    Parameters
    ----------
    invoices : DataFrame
        As `sources.queries.invoices` returns it, of one firm: ``issued_at`` (datetime64, UTC), ``direction``,
        ``net_fen`` (int64), ``is_void``.
    """
    sold = invoices[(invoices["direction"] == "out") & ~invoices["is_void"]]
    month_of = sold["issued_at"].dt.tz_convert("Asia/Shanghai").dt.strftime("%Y-%m")
    summed = sold.groupby(month_of)["net_fen"].sum()
    first = add_months(until.replace(day=1), 1 - months)
    spans = [add_months(first, place) for place in range(months)]
    return tuple(MonthOfSales(month, int(summed.get(f"{month:%Y-%m}", 0))) for month in spans)
