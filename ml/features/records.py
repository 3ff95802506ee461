"""Indicators from records of many firms at once as of a moment; see the catalogue for the meaning of each.

As with invoices: a firm alone equals the same firm in a crowd bit by bit, in any order of rows, and what happens on the
as-of day or later changes nothing. NaN says that there is nothing to say it from; 0 is a measured nothing.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ml.features.arrays import BoolArray, FloatArray, IntArray, exact_sums, ratio
from ml.features.record_catalogue import RECORD_INDICATORS as RECORD_INDICATORS
from ml.features.record_indicator import RecordIndicator
from ml.features.record_rows import (
    DATED_BY,
    MONTHLY,
    Months,
    Records,
    amounts_in,
    day_of,
    days_in,
    in_window,
    known_sum,
    months_of,
    seasonal_drop,
    share_of_months,
    trend,
    unbroken,
)

_BY_CODE = {one.code: one for one in RECORD_INDICATORS}
_HOLDING = ("valid", "pledged")


def record_indicators(records: Records, *, as_of: pd.Timestamp) -> pd.DataFrame:
    """Compute every indicator from records of every firm that has one.

    Parameters
    ----------
    records : mapping of item to DataFrame
        Columns ``firm_id`` and those of the item, amounts in int64 fen. ``vat_invoice`` is net sales by month:
        ``firm_id``, ``month`` (its first day), ``net_fen``. An item that is missing has no data.
    as_of : Timestamp
        Months that were over, and days before its Shanghai day, count. Without a zone it is UTC.

    Returns
    -------
    DataFrame, shape (n_firms, n_indicators), float64
        Indexed by ``firm_id`` (str, sorted); columns are the codes of ``RECORD_INDICATORS``. Ratios as ratios.
    """
    known = {item: frame for item, frame in records.items() if item in MONTHLY or item in DATED_BY}
    names = sorted({str(name) for frame in known.values() for name in frame["firm_id"]})
    drawn = _Drawn(known, {name: place for place, name in enumerate(names)}, day_of(as_of))
    columns = {one.code: _value(drawn, one) for one in RECORD_INDICATORS}
    return pd.DataFrame(columns, index=pd.Index(names, dtype="str", name="firm_id"), dtype="float64")


def records_read(code: str, records: Records, *, as_of: pd.Timestamp) -> dict[str, BoolArray]:
    """Say of each record, by item, whether an indicator looks at it: without these no data, others change nothing."""
    one = _BY_CODE[code]
    return {
        item: in_window(item, frame, today=day_of(as_of), months=one.months)
        for item, frame in records.items()
        if item in (one.item, *one.beside)
    }


@dataclass
class _Drawn:
    """The records of all firms; months are made when first asked for."""

    records: Records
    places: dict[str, int]
    today: np.datetime64
    _firms: dict[str, IntArray] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.places)

    def nothing(self) -> FloatArray:
        return np.full(self.size, np.nan)

    def firm(self, item: str) -> IntArray:
        if item not in self._firms:
            names = self.records[item]["firm_id"]
            self._firms[item] = np.array([self.places[str(name)] for name in names], dtype=np.int64)
        return self._firms[item]

    def months(
        self, item: str, *columns: str, ends: IntArray | None = None, only: BoolArray | None = None
    ) -> FloatArray | None:
        """Return the sum of some columns by month, all of WINDOW; None without the item."""
        found = self.table(item, *columns, ends=ends, only=only)
        return None if found is None else found.values

    def table(
        self, item: str, *columns: str, ends: IntArray | None = None, only: BoolArray | None = None
    ) -> Months | None:
        frame = self.records.get(item)
        if frame is None or not len(frame):
            return None
        rows = np.ones(len(frame), dtype=np.bool_) if only is None else only
        values = np.zeros(int(rows.sum()))
        for column in columns:
            values = values + amounts_in(frame, column)[rows]
        return months_of(frame[rows], values, self.firm(item)[rows], firms=self.size, today=self.today, ends=ends)

    def vat(self) -> Months | None:
        frame = self.records.get("tax_filing")
        if frame is None or not len(frame):
            return None
        return self.table("tax_filing", "declared_sales_fen", only=(frame["tax_kind"] == "vat").to_numpy(np.bool_))

    def events(self, one: RecordIndicator) -> "_Events | None":
        frame = self.records.get(one.item)
        if frame is None or not len(frame):
            return None
        inside = in_window(one.item, frame, today=self.today, months=one.months)
        return _Events(frame[inside], self.firm(one.item)[inside], self.size, self.today)


@dataclass(frozen=True)
class _Events:
    """Dated records inside a window."""

    frame: pd.DataFrame
    firm: IntArray
    size: int
    today: np.datetime64

    @property
    def known(self) -> BoolArray:
        return np.bincount(self.firm, minlength=self.size) > 0

    def count(self, mask: BoolArray) -> FloatArray:
        found = np.bincount(self.firm[mask], minlength=self.size).astype(np.float64)
        return np.where(self.known, found, np.nan)

    def sum(self, mask: BoolArray, column: str) -> FloatArray:
        values = amounts_in(self.frame, column)
        told = mask & ~np.isnan(values)
        whole = values[told].astype(np.int64)
        return np.where(self.known, exact_sums(self.firm[told], whole, size=self.size), np.nan)

    def says(self, column: str, *words: str) -> BoolArray:
        return self.frame[column].isin(words).to_numpy(np.bool_)

    def all(self) -> BoolArray:
        return np.ones(len(self.frame), dtype=np.bool_)

    def is_open(self, column: str) -> BoolArray:
        """Say of each record whether the day on which it stops has not come."""
        ends = days_in(self.frame, column)
        return np.isnat(ends) | (ends >= self.today)

    def days_since_first(self, column: str) -> FloatArray:
        first = np.full(self.size, np.iinfo(np.int64).max)
        np.minimum.at(first, self.firm, days_in(self.frame, column).astype(np.int64))
        return np.where(self.known, self.today.astype(np.int64) - first.astype(np.float64), np.nan)

    def newest_of_each(self, kind: str, column: str) -> BoolArray:
        """Mark the newest record of each firm and kind; of two of one day the later by its kind's order."""
        order = np.lexsort((days_in(self.frame, column), self.frame[kind].astype(str).to_numpy(str), self.firm))
        names = pd.MultiIndex.from_arrays([self.firm[order], self.frame[kind].to_numpy()[order]])
        newest = np.zeros(len(order), dtype=np.bool_)
        newest[order] = ~names.duplicated(keep="last")
        return newest


_TRENDS = {
    "insured_trend": "insured",
    "electricity_trend": "used_kwh",
    "freight_trend": "freight_fen",
    "shipments_trend": "shipments",
}
_DROPS = {"electricity_seasonal_drop": "used_kwh", "water_seasonal_drop": "used_m3", "gas_seasonal_drop": "used_m3"}
_NEWEST = {"insured_headcount": "insured", "fund_depositors": "depositors"}
_OWED = {"insurance_owed_months": "owed_fen", "electricity_owed_months": "owed_fen"}


def _value(drawn: _Drawn, one: RecordIndicator) -> FloatArray:
    found = _of_months(drawn, one) if one.item in MONTHLY else _of_events(drawn, one)
    return drawn.nothing() if found is None else found


def _of_months(drawn: _Drawn, one: RecordIndicator) -> FloatArray | None:
    code, item = one.code, one.item
    column = (_TRENDS | _DROPS | _NEWEST | _OWED).get(code)
    months = None if column is None else drawn.months(item, column)
    if column is not None:
        if months is None:
            return None
        if code in _TRENDS:
            return trend(months[:, -12:], least=one.least_months)
        if code in _DROPS:
            return seasonal_drop(months)
        if code in _NEWEST:
            return months[:, -1]
        return share_of_months(_marks(months > 0, months)[:, -12:], least=one.least_months)
    return _MONTHLY_BY_CODE[code](drawn, one)


def _marks(is_marked: BoolArray, months: FloatArray) -> FloatArray:
    return np.where(np.isnan(months), np.nan, is_marked.astype(np.float64))


def _insurance_months_unbroken(drawn: _Drawn, one: RecordIndicator) -> FloatArray | None:
    paid, owed = drawn.months(one.item, "paid_fen"), drawn.months(one.item, "owed_fen")
    return None if paid is None or owed is None else unbroken(_marks((paid > 0) & (owed == 0), paid))


def _fund_to_insured(drawn: _Drawn, one: RecordIndicator) -> FloatArray | None:
    depositors, insured = drawn.months(one.item, "depositors"), drawn.months("social_insurance", "insured")
    return None if depositors is None or insured is None else ratio(depositors[:, -1], insured[:, -1])


def _electricity_cut_off_months(drawn: _Drawn, one: RecordIndicator) -> FloatArray | None:
    months = drawn.months(one.item, "is_cut_off")
    return None if months is None else share_of_months(months[:, -12:], least=one.least_months)


def _declared_sales_trend(drawn: _Drawn, one: RecordIndicator) -> FloatArray | None:
    vat = drawn.vat()
    return None if vat is None else trend(vat.last(12), least=one.least_months)


def _declared_to_invoiced(drawn: _Drawn, one: RecordIndicator) -> FloatArray | None:
    vat = drawn.vat()
    return None if vat is None else _to_sales(drawn, vat, one.least_months)


def _to_sales(drawn: _Drawn, told: Months, least: int) -> FloatArray | None:
    """Set what is told of months against the sales invoiced in the same months; without an invoice they are none."""
    sales = drawn.months("vat_invoice", "net_fen", ends=told.ends)
    if sales is None:
        return None
    months = told.last(12)
    total, counted = known_sum(months)
    invoiced, _ = known_sum(np.where(np.isnan(months), np.nan, sales[:, -12:]))
    return np.where(counted >= least, ratio(total, invoiced), np.nan)


def _tax_paid_fen(drawn: _Drawn, one: RecordIndicator) -> FloatArray | None:
    months = drawn.months(one.item, "paid_fen")
    if months is None:
        return None
    total, counted = known_sum(months[:, -12:])
    return np.where(counted >= one.least_months, total, np.nan)


def _export_share(drawn: _Drawn, one: RecordIndicator) -> FloatArray | None:
    exported, both = drawn.months(one.item, "exported_fen"), drawn.months(one.item, "exported_fen", "imported_fen")
    if exported is None or both is None:
        return None
    total, counted = known_sum(both[:, -12:])
    return np.where(counted >= one.least_months, ratio(known_sum(exported[:, -12:])[0], total), np.nan)


def _trade_to_sales(drawn: _Drawn, one: RecordIndicator) -> FloatArray | None:
    both = drawn.table(one.item, "exported_fen", "imported_fen")
    return None if both is None else _to_sales(drawn, both, one.least_months)


_MONTHLY_BY_CODE = {
    "insurance_months_unbroken": _insurance_months_unbroken,
    "fund_to_insured": _fund_to_insured,
    "electricity_cut_off_months": _electricity_cut_off_months,
    "declared_sales_trend": _declared_sales_trend,
    "declared_to_invoiced": _declared_to_invoiced,
    "tax_paid_fen": _tax_paid_fen,
    "export_share": _export_share,
    "trade_to_sales": _trade_to_sales,
}
_EVENTS_BY_CODE = {
    "tax_arrears_days": lambda events: events.days_since_first("published_on"),
    "tax_arrears_owed_fen": lambda events: events.sum(events.newest_of_each("tax_kind", "published_on"), "owed_fen"),
    "judgments_as_defendant": lambda events: events.count(events.says("role", "defendant")),
    "claimed_against_fen": lambda events: events.sum(events.says("role", "defendant"), "claimed_fen"),
    "enforcement_open_fen": lambda events: events.sum(events.is_open("ended_on"), "owed_fen"),
    "penalties_count": lambda events: events.count(events.all()),
    "negative_lists": lambda events: events.count(
        events.frame["is_negative"].to_numpy(np.bool_) & events.is_open("removed_on")
    ),
    "rights_valid": lambda events: events.count(events.says("status", *_HOLDING)),
    "inventions_valid": lambda events: events.count(
        events.says("status", *_HOLDING) & events.says("kind", "invention")
    ),
    "tenders_awarded_fen": lambda events: events.sum(events.all(), "awarded_fen"),
}


def _of_events(drawn: _Drawn, one: RecordIndicator) -> FloatArray | None:
    events = drawn.events(one)
    return None if events is None else _EVENTS_BY_CODE[one.code](events)
