"""Indicators of customers and suppliers: how many, how concentrated, how loyal."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ml.features.arrays import BoolArray, FloatArray, IntArray, counts, exact_sums, only_where, ratio
from ml.features.invoice_rows import InvoiceRows
from ml.features.reads import PURCHASES, SALES, YEAR


@dataclass(frozen=True)
class Pairs:
    """One row for each firm, side and partner with a valid invoice in the window; ``cell`` is firm * 2 + side."""

    cell: IntArray
    amount_12m: FloatArray
    months_12m: IntArray
    is_new: BoolArray
    bought_before: BoolArray


def partner_indicators(standing: InvoiceRows) -> dict[str, FloatArray]:
    """Compute every indicator of counterparties over the last 12 months; see the catalogue for each meaning."""
    size = len(standing.firms) * 2
    pairs = _pairs(standing)
    current = pairs.months_12m > 0
    number = counts(pairs.cell[current], size=size)
    known = counts(pairs.cell, size=size) > 0
    hhi, top = _concentration(pairs, size=size)
    repeat = ratio(counts(pairs.cell[pairs.months_12m > 1], size=size), number)
    # Loyalty needs a year before the last one to look back on.
    before = counts(pairs.cell[pairs.bought_before], size=size)
    kept = ratio(counts(pairs.cell[pairs.bought_before & current], size=size), before)
    sold = np.where(pairs.amount_12m > 0, pairs.amount_12m, 0.0)
    fresh = _ordered_sums(pairs.cell, np.where(pairs.is_new, sold, 0.0), size=size)
    fresh_share = only_where(before > 0, ratio(fresh, _ordered_sums(pairs.cell, sold, size=size)))
    number = only_where(known, number)
    by_side = {
        "count": number,
        "hhi": hhi,
        "top_share": top,
        "repeat_share": repeat,
        "kept_share": kept,
        "new_share": fresh_share,
    }
    sides = {SALES: "customer", PURCHASES: "supplier"}
    return {
        f"{word}_{name}": values.reshape(-1, 2)[:, side]
        for side, word in sides.items()
        for name, values in by_side.items()
    }


def _pairs(standing: InvoiceRows) -> Pairs:
    """Sum invoices by firm, side and partner.

    Sorted by cell and then by amount, so that neither the number a partner happens to get in a crowd nor the order of
    rows can matter.
    """
    partners = int(standing.partner.max(initial=0)) + 1
    # Hashing the pairs takes a third of the time of sorting a million rows by them.
    number, key = pd.factorize(standing.cell * partners + standing.partner)
    size = len(key)
    age = standing.months - 1 - standing.month
    recent = age < YEAR
    amount = exact_sums(number[recent], standing.net_fen[recent], size=size)
    marked = np.zeros(size * YEAR, dtype=np.bool_)
    marked[number[recent] * YEAR + age[recent]] = True
    older = number[~recent]
    earlier = number[~recent & (age < 2 * YEAR)]
    cell: IntArray = key // partners
    by_amount = np.lexsort((amount, cell))
    return Pairs(
        cell=cell[by_amount],
        amount_12m=amount[by_amount],
        months_12m=marked.reshape(size, YEAR).sum(axis=1)[by_amount],
        is_new=(counts(older, size=size) == 0)[by_amount],
        bought_before=(counts(earlier, size=size) > 0)[by_amount],
    )


def _concentration(pairs: Pairs, *, size: int) -> tuple[FloatArray, FloatArray]:
    """Herfindahl index of the partners' shares, and the share of the largest; NaN where nothing positive was traded."""
    positive = pairs.amount_12m > 0
    cell, amount = pairs.cell[positive], pairs.amount_12m[positive]
    total = _ordered_sums(cell, amount, size=size)
    share = amount / total[cell]
    top = np.zeros(size)
    top[cell] = share  # amounts ascend within a cell, so the last one written is the largest
    some = total > 0
    return only_where(some, _ordered_sums(cell, share * share, size=size)), only_where(some, top)


def _ordered_sums(cell: IntArray, values: FloatArray, *, size: int) -> FloatArray:
    """Sum floats by cell in row order, which the pairs fix."""
    return np.bincount(cell, weights=values, minlength=size).astype(np.float64)
