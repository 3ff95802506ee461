"""Indicators of the size, course and unevenness of sales and purchases, from monthly sums."""

from dataclasses import dataclass

import numpy as np

from ml.features.arrays import BoolArray, FloatArray, IntArray, counts, exact_sums, only_where, ratio, row_sums
from ml.features.invoice_rows import InvoiceRows
from ml.features.reads import PURCHASES, SALES, YEAR

# A sale a month older weighs a tenth less: half of the weight lies in the last 6.6 months.
_RECENCY = 0.9
_LEAST_MONTHS = 3


@dataclass(frozen=True)
class Turnover:
    """Monthly sums of valid invoices, shape (n_firms, 2 sides, months), the latest month last."""

    net: FloatArray
    tax: FloatArray
    count: FloatArray

    def has(self, side: int) -> BoolArray:
        """Whether the firm has any valid invoice of the side in the whole window."""
        return row_sums(self.count[:, side]) > 0

    def year(self, matrix: FloatArray, side: int) -> FloatArray:
        """Sum of the last 12 months."""
        return row_sums(matrix[:, side, -YEAR:])


def monthly_turnover(standing: InvoiceRows) -> Turnover:
    """Sum invoices by firm, side and rolling month."""
    shape = (len(standing.firms), 2, standing.months)
    size = shape[0] * shape[1] * shape[2]
    cells: IntArray = standing.cell * standing.months + standing.month
    return Turnover(
        net=exact_sums(cells, standing.net_fen, size=size).reshape(shape),
        tax=exact_sums(cells, standing.tax_fen, size=size).reshape(shape),
        count=counts(cells, size=size).reshape(shape),
    )


def turnover_indicators(turnover: Turnover) -> dict[str, FloatArray]:
    """Compute every indicator that needs only monthly sums; see the catalogue for each meaning."""
    has_sales, has_purchases = turnover.has(SALES), turnover.has(PURCHASES)
    sales_12m = only_where(has_sales, turnover.year(turnover.net, SALES))
    purchases_12m = only_where(has_purchases, turnover.year(turnover.net, PURCHASES))
    both = has_sales & has_purchases
    monthly = turnover.net[:, SALES]
    age = _age_months(turnover.count[:, SALES])
    trend, volatility = _course(monthly, age)
    latest = monthly[:, -YEAR:]
    bought = turnover.net[:, PURCHASES, -YEAR:]
    either = row_sums((turnover.count.sum(axis=1) > 0).astype(np.float64))
    tax_out, tax_in = (turnover.year(turnover.tax, side) for side in (SALES, PURCHASES))
    return {
        "history_months": _age_months(turnover.count.sum(axis=1)),
        "active_months": only_where(either > 0, either),
        "sales_12m_fen": sales_12m,
        "purchases_12m_fen": purchases_12m,
        "sales_total_fen": only_where(has_sales, row_sums(monthly)),
        "sales_recency_weighted_fen": only_where(has_sales, _recency_weighted(monthly)),
        "sales_growth_yoy": _growth(turnover, age),
        "sales_recent_share": ratio(row_sums(monthly[:, -_LEAST_MONTHS:]), only_where(has_sales, sales_12m)),
        "sales_trend": trend,
        "sales_volatility": volatility,
        "sales_peak_share": ratio(latest.max(axis=1), sales_12m),
        "sales_idle_months": only_where(
            has_sales, row_sums((turnover.count[:, SALES, -YEAR:] == 0).astype(np.float64))
        ),
        "sales_coverage": ratio(row_sums((turnover.count[:, SALES] > 0).astype(np.float64)), age),
        "loss_months": only_where(both, row_sums((latest < bought).astype(np.float64))),
        "gross_margin": only_where(both, ratio(sales_12m - purchases_12m, sales_12m)),
        "sales_to_purchases": only_where(both, ratio(sales_12m, purchases_12m)),
        "sales_invoices_12m": only_where(has_sales, turnover.year(turnover.count, SALES)),
        "purchase_invoices_12m": only_where(has_purchases, turnover.year(turnover.count, PURCHASES)),
        "output_tax_rate": only_where(has_sales, ratio(tax_out, sales_12m)),
        "input_tax_rate": only_where(has_purchases, ratio(tax_in, purchases_12m)),
        "tax_burden": only_where(both, ratio(tax_out - tax_in, sales_12m)),
    }


def _age_months(monthly_count: FloatArray) -> FloatArray:
    """Months since the first invoice, that month included; NaN without any."""
    seen = monthly_count > 0
    first = np.argmax(seen, axis=1)
    return only_where(np.asarray(seen.any(axis=1)), (monthly_count.shape[1] - first).astype(np.float64))


def _recency_weighted(monthly: FloatArray) -> FloatArray:
    months = monthly.shape[1]
    weights = np.ones(months)
    for month in range(months - 2, -1, -1):
        weights[month] = weights[month + 1] * _RECENCY
    return row_sums(monthly * weights)


def _growth(turnover: Turnover, age: FloatArray) -> FloatArray:
    """Sales of the last 12 months over those of the 12 before, less one; NaN under 24 months of history."""
    monthly = turnover.net[:, SALES]
    if monthly.shape[1] < 2 * YEAR:
        return np.full(monthly.shape[0], np.nan)
    before = row_sums(monthly[:, -2 * YEAR : -YEAR])
    return only_where(age >= 2 * YEAR, ratio(row_sums(monthly[:, -YEAR:]), before) - 1)


def _course(monthly: FloatArray, age: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least-squares slope and standard deviation of monthly sales, both over their mean.

    Over the last 12 months, or since the first sale where that is later; NaN under three months or without a positive
    mean. The months before a firm's first sale are not zeros of a working firm and would feign growth.
    """
    latest = monthly[:, -YEAR:]
    width = latest.shape[1]
    span = np.minimum(np.nan_to_num(age), width)
    position = np.arange(width, dtype=np.float64)
    counted = position[None, :] >= (width - span)[:, None]
    sales = np.where(counted, latest, 0.0)
    mean = ratio(row_sums(sales), span)
    offset = np.where(counted, position[None, :] - (width - 1 - (span - 1) / 2)[:, None], 0.0)
    spread = np.where(counted, latest - mean[:, None], 0.0)
    usable = only_where((span >= _LEAST_MONTHS) & (mean > 0), mean)
    slope = ratio(row_sums(offset * spread), row_sums(offset * offset))
    deviation = np.sqrt(ratio(row_sums(spread * spread), span - 1))
    return ratio(slope, usable), ratio(deviation, usable)
