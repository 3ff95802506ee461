"""Reads a frame of invoice facts into the numpy columns all invoice indicators are computed from."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.features.arrays import BoolArray, IntArray

HISTORY_MONTHS = 36
"""How far back the window goes, in rolling months."""

COLUMNS = ("enterprise_id", "issued_at", "direction", "counterparty_id", "net_fen", "tax_fen", "is_void")
_COLUMN_OF = {"firm": "enterprise_id", "partner": "counterparty_id"}

_DAY_US = 86_400_000_000
# China has kept one zone without summer time since 1992, so Shanghai is a fixed shift for every invoice there is.
_SHANGHAI_US = 8 * 3_600_000_000


class InvoiceFrameInvalid(ValueError):
    """The frame lacks a column, holds another type than promised, or misses a value where none may be missing."""


@dataclass(frozen=True)
class InvoiceColumns:
    """Invoices in any order, as columns of equal length n; what a frame is read into.

    ``firm`` points into ``firms``, the firms' names (str); ``partner`` numbers the partners in any way, without
    regard to their firm; ``issued_us`` is in microseconds UTC; ``side`` is 0 for purchases (进项) and 1 for sales
    (销项). A firm or partner of -1 is missing, which only invoices outside the window may have.
    """

    firms: npt.NDArray[np.object_]
    firm: IntArray
    issued_us: IntArray
    side: IntArray
    partner: IntArray
    net_fen: IntArray
    tax_fen: IntArray
    is_void: BoolArray


@dataclass(frozen=True)
class InvoiceRows:
    """Invoices inside the window, as columns of equal length n over ``firms``.

    ``month`` counts rolling months ending at the as-of moment, 0 the oldest and ``months - 1`` the latest; ``day``
    counts Shanghai dates from the first day of the window; ``side`` is 0 for purchases (进项) and 1 for sales (销项).
    """

    firms: pd.Index
    months: int
    days: int
    firm: IntArray
    side: IntArray
    month: IntArray
    day: IntArray
    partner: IntArray
    net_fen: IntArray
    tax_fen: IntArray
    is_void: BoolArray

    @property
    def cell(self) -> IntArray:
        """Firm and side in one number, firm * 2 + side."""
        return self.firm * 2 + self.side

    def standing(self) -> Self:
        """Leave the void invoices out; the firms stay, even those with void invoices alone."""
        kept = ~self.is_void
        return replace(
            self,
            firm=self.firm[kept],
            side=self.side[kept],
            month=self.month[kept],
            day=self.day[kept],
            partner=self.partner[kept],
            net_fen=self.net_fen[kept],
            tax_fen=self.tax_fen[kept],
            is_void=self.is_void[kept],
        )


def read_invoices(invoices: pd.DataFrame | InvoiceColumns, *, as_of: pd.Timestamp, history_months: int) -> InvoiceRows:
    """Cut the window out of the invoices and code their firms, partners, months and days.

    Raises
    ------
    InvoiceFrameInvalid
        See the class; also for a window under 12 months.
    """
    columns = invoices if isinstance(invoices, InvoiceColumns) else columns_of(invoices)
    if history_months < 12:
        raise InvoiceFrameInvalid("history_months must be at least 12")
    bounds = month_bounds(as_of, history_months)
    inside = (columns.issued_us >= bounds[0]) & (columns.issued_us < bounds[-1])
    everything = bool(inside.all())

    def cut(values: np.ndarray) -> np.ndarray:
        return values if everything else values[inside]

    for name in ("firm", "partner"):
        if cut(getattr(columns, name)).min(initial=0) < 0:
            raise InvoiceFrameInvalid(f"{_COLUMN_OF[name]} misses a value")
    at = cut(columns.issued_us)
    firm, firms = _in_order(cut(columns.firm), columns.firms)
    first_day = (int(bounds[0]) + _SHANGHAI_US) // _DAY_US
    days = (int(bounds[-1]) + _SHANGHAI_US) // _DAY_US - first_day + 1
    day: IntArray = (at + _SHANGHAI_US) // _DAY_US - first_day
    return InvoiceRows(
        firms=firms,
        months=history_months,
        days=days,
        firm=firm,
        side=cut(columns.side),
        month=_months(at, day, bounds=bounds, starts=(np.arange(days) + first_day) * _DAY_US - _SHANGHAI_US),
        day=day,
        partner=cut(columns.partner),
        net_fen=cut(columns.net_fen),
        tax_fen=cut(columns.tax_fen),
        is_void=cut(columns.is_void),
    )


def columns_of(invoices: pd.DataFrame) -> InvoiceColumns:
    """Read a frame's columns, after a look at their types.

    Raises
    ------
    InvoiceFrameInvalid
        See the class.
    """
    missing = [column for column in COLUMNS if column not in invoices.columns]
    if missing:
        raise InvoiceFrameInvalid(f"missing columns: {', '.join(missing)}")
    issued_us = _moments(invoices["issued_at"])
    firm, firms = _codes(invoices["enterprise_id"])
    partner, _ = _codes(invoices["counterparty_id"])
    return InvoiceColumns(
        firms=firms.astype(str).to_numpy(dtype=object),
        firm=firm,
        issued_us=issued_us,
        side=_sides(invoices["direction"]),
        partner=partner,
        net_fen=_fen(invoices["net_fen"]),
        tax_fen=_fen(invoices["tax_fen"]),
        is_void=_flags(invoices["is_void"]),
    )


def month_bounds(as_of: pd.Timestamp, months: int) -> IntArray:
    """Give the months + 1 ascending edges of the rolling months, in microseconds UTC.

    A month without the as-of day (the 31st) ends on its last day instead.
    """
    moment = as_of.tz_convert("UTC").tz_localize(None) if as_of.tzinfo is not None else as_of
    local = moment.to_datetime64().astype("datetime64[us]") + np.timedelta64(_SHANGHAI_US, "us")
    start = local.astype("datetime64[M]")
    within = (local - start.astype("datetime64[us]")).astype(np.int64)
    edges = start - np.arange(months, -1, -1)
    first = edges.astype("datetime64[D]").astype(np.int64)
    length = (edges + 1).astype("datetime64[D]").astype(np.int64) - first
    day = np.minimum(within // _DAY_US, length - 1)
    result: IntArray = (first + day) * _DAY_US + within % _DAY_US - _SHANGHAI_US
    return result


def _months(at: IntArray, day: IntArray, *, bounds: IntArray, starts: IntArray) -> IntArray:
    """Find each moment's month by its day, a sixth of the time of a search: a day holds one month's edge at most."""
    by_day = np.maximum(np.searchsorted(bounds, starts, side="right") - 1, 0)
    month: IntArray = by_day[day]
    month += at >= bounds[month + 1]
    return month


def _moments(column: pd.Series) -> IntArray:
    if not isinstance(column.dtype, pd.DatetimeTZDtype) and column.dtype.kind != "M":
        raise InvoiceFrameInvalid("issued_at must be datetime64 in UTC")
    index = pd.DatetimeIndex(column)
    if index.hasnans:
        raise InvoiceFrameInvalid("issued_at misses a value")
    return np.asarray(index.as_unit("us").asi8)


def _codes(column: pd.Series) -> tuple[IntArray, pd.Index]:
    """Number the values from 0, -1 where one is missing; a name may be behind no row."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return np.asarray(column.cat.codes, dtype=np.int64), column.cat.categories
    coded, names = pd.factorize(column, use_na_sentinel=True)
    return coded.astype(np.int64, copy=False), pd.Index(names)


def _in_order(firm: IntArray, names: npt.NDArray[np.object_]) -> tuple[IntArray, pd.Index]:
    """Number the firms that are there from 0 without holes, as their names sort."""
    present = np.flatnonzero(np.bincount(firm, minlength=len(names)))
    kept = names[present]
    order = np.argsort(kept, kind="stable")
    place = np.zeros(len(names), dtype=np.int64)
    place[present[order]] = np.arange(present.size)
    return place[firm], pd.Index(kept[order], dtype="str", name="enterprise_id")


def _sides(column: pd.Series) -> IntArray:
    """1 for sales ('out'), 0 for purchases ('in')."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, words = np.asarray(column.cat.codes, dtype=np.int64), list(column.cat.categories)
    else:
        found, names = pd.factorize(column)
        codes, words = found.astype(np.int64, copy=False), list(names)
    used = np.bincount(codes[codes >= 0], minlength=len(words)) if codes.size else np.zeros(len(words))
    strange = [str(word) for word, count in zip(words, used, strict=True) if count and word not in ("in", "out")]
    if strange or (codes.size and codes.min() < 0):
        raise InvoiceFrameInvalid("direction must be 'in' or 'out'")
    return np.array([word == "out" for word in words] or [False], dtype=np.int64)[codes]


def _fen(column: pd.Series) -> IntArray:
    if column.dtype != np.dtype(np.int64):
        raise InvoiceFrameInvalid(f"{column.name} must be int64 fen")
    return column.to_numpy()


def _flags(column: pd.Series) -> BoolArray:
    if column.dtype != np.dtype(np.bool_):
        raise InvoiceFrameInvalid(f"{column.name} must be bool")
    return column.to_numpy()
