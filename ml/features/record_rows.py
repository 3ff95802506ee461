"""Reads frames of records into months by firm, and into dated rows: what indicators from records are computed from."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.features.arrays import BoolArray, FloatArray, IntArray, row_sums

WINDOW = 24
"""Months that are counted back from the newest with a record."""
OLDEST_NEWEST = 4
"""How many months old the newest record may be: owners tell a month up to two months later, and may miss one."""
MONTHLY = (
    "social_insurance",
    "housing_fund",
    "water",
    "electricity",
    "gas",
    "tax_filing",
    "import_export",
    "logistics",
    "vat_invoice",
)
DATED_BY = {
    "tax_arrears": "published_on",
    "judgment": "decided_on",
    "enforcement": "filed_on",
    "penalty": "decided_on",
    "honour_list": "listed_on",
    "intellectual_property": "granted_on",
    "tender": "awarded_on",
}
"""Items that are no months, and the day that a record of each is told by."""
Records = Mapping[str, pd.DataFrame]
DayArray = npt.NDArray[np.datetime64]


def day_of(as_of: pd.Timestamp) -> np.datetime64:
    """Return the Shanghai day of a moment: what happened before it counts, what happens on it does not."""
    moment = as_of if as_of.tzinfo is not None else as_of.tz_localize("UTC")
    return np.datetime64(moment.tz_convert("Asia/Shanghai").date(), "D")


def in_window(item: str, frame: pd.DataFrame, *, today: np.datetime64, months: int | None) -> BoolArray:
    """Say of each record whether an indicator that looks ``months`` back looks at it.

    For monthly items further back by OLDEST_NEWEST, as far as the newest month may be from today.
    """
    if item in MONTHLY:
        back = _months_back(frame, today)
        return (back >= 0) & (back < (WINDOW if months is None else months) + OLDEST_NEWEST - 1)
    days = days_in(frame, DATED_BY[item])
    found: BoolArray = days < today
    return found if months is None else found & (days >= months_before(today, months))


def months_before(today: np.datetime64, months: int) -> np.datetime64:
    """Return the day so many calendar months earlier; a month without the day ends on its last instead."""
    start = today.astype("datetime64[M]")
    first = (start - months).astype("datetime64[D]")
    length = (start - months + 1).astype("datetime64[D]") - first
    within = min(today - start.astype("datetime64[D]"), length - np.timedelta64(1, "D"))
    found: np.datetime64 = first + within
    return found


def days_in(frame: pd.DataFrame, column: str) -> DayArray:
    """Return a column of days; NaT where there is none."""
    return pd.to_datetime(frame[column]).to_numpy(dtype="datetime64[D]")


def amounts_in(frame: pd.DataFrame, column: str) -> FloatArray:
    """Return a column of whole numbers as float64, exact below 2^53; NaN where there is none."""
    return pd.to_numeric(frame[column]).to_numpy(dtype=np.float64)


def _months_back(frame: pd.DataFrame, today: np.datetime64) -> IntArray:
    month = days_in(frame, "month").astype("datetime64[M]")
    back: IntArray = (today.astype("datetime64[M]") - month).astype(np.int64) - 1
    return back


@dataclass(frozen=True)
class Months:
    """One number a firm and month: the last column is the newest month with any record of the item.

    NaN where there is no record; all NaN where the newest is too old. ``ends`` is how many months before the last whole
    month the newest is, by firm.
    """

    values: FloatArray
    ends: IntArray

    def last(self, months: int) -> FloatArray:
        """Return the newest months."""
        return self.values[:, -months:]


def months_of(
    frame: pd.DataFrame, values: FloatArray, firm: IntArray, *, firms: int, today: np.datetime64, ends: IntArray | None
) -> Months:
    """Sum values by firm and month, and move each firm's newest month to the end, or to where ``ends`` has it."""
    width = WINDOW + OLDEST_NEWEST - 1
    back = _months_back(frame, today)
    inside = (back >= 0) & (back < width)
    cell = firm[inside] * width + (width - 1 - back[inside])
    summed = np.bincount(cell, weights=values[inside], minlength=firms * width).reshape(firms, width)
    known = np.bincount(cell, minlength=firms * width).reshape(firms, width) > 0
    table = np.where(known, summed, np.nan)
    newest = np.argmax(known[:, ::-1], axis=1)
    end = np.where(known.any(axis=1), newest, width) if ends is None else ends
    at = np.arange(width - WINDOW, width)[None, :] - end[:, None]
    moved = np.take_along_axis(table, np.clip(at, 0, width - 1), axis=1)
    return Months(np.where((end < OLDEST_NEWEST)[:, None] & (at >= 0), moved, np.nan), end)


def known_sum(months: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the sum of the known months of each row, and how many they are; added in a fixed order."""
    known = ~np.isnan(months)
    return row_sums(np.where(known, months, 0.0)), row_sums(known.astype(np.float64))


def trend(months: FloatArray, *, least: int) -> FloatArray:
    """Return the slope of known months over their mean; NaN with fewer than ``least`` or no positive mean."""
    known = ~np.isnan(months)
    y = np.where(known, months, 0.0)
    x = np.where(known, np.arange(months.shape[1], dtype=np.float64)[None, :], 0.0)
    n, sx, sy = row_sums(known.astype(np.float64)), row_sums(x), row_sums(y)
    spread = n * row_sums(x * x) - sx * sx
    is_told = (n >= max(least, 2)) & (sy > 0)
    slope = np.divide(n * row_sums(x * y) - sx * sy, spread, out=np.full(len(n), np.nan), where=is_told)
    relative: FloatArray = np.divide(slope * n, sy, out=np.full(len(n), np.nan), where=is_told)
    return relative


def seasonal_drop(months: FloatArray) -> FloatArray:
    """Return one less the last three months over the same three a year before; NaN unless all six are known."""
    now, counted = known_sum(months[:, -3:])
    before, counted_before = known_sum(months[:, -15:-12])
    is_told = (counted == 3) & (counted_before == 3) & (before > 0)
    drop: FloatArray = 1.0 - np.divide(now, before, out=np.full(len(now), np.nan), where=is_told)
    return drop


def share_of_months(months: FloatArray, *, least: int) -> FloatArray:
    """Return the sum of months that hold 0 or 1; NaN with fewer than ``least`` known."""
    total, counted = known_sum(months)
    return np.where(counted >= least, total, np.nan)


def unbroken(is_good: FloatArray) -> FloatArray:
    """Count the months on end, back from the newest, that hold 1; NaN where the newest is not known."""
    run, alive = np.zeros(len(is_good)), np.ones(len(is_good), dtype=np.bool_)
    for column in range(is_good.shape[1] - 1, -1, -1):
        alive &= is_good[:, column] == 1.0
        run += alive
    return np.where(np.isnan(is_good[:, -1]), np.nan, run)
