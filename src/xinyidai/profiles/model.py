"""The one door from profiles to `ml`: floats stay behind it, integers and hexadecimal texts come out.

What computes in `ml` is imported when first used, so a web process that shows no profile does not carry it.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import datetime
from functools import cache

import numpy as np
import pandas as pd

from ml.features.invoice_rows import InvoiceColumns
from xinyidai.profiles.rules.readings import INVOICES, IndicatorText, Measure, Reading
from xinyidai.profiles.rules.record_readings import RecordText
from xinyidai.sources.rules.amounts import BoolArray
from xinyidai.sources.rules.invoices import Invoices

_MILLION = 1_000_000


def compute(invoices: Invoices, *, as_of: datetime) -> pd.DataFrame:
    """Compute every indicator of the firms that have an invoice in the window; see `ml.features.invoices`."""
    from ml.features.invoices import invoice_indicators

    return invoice_indicators(_columns_of(invoices), as_of=pd.Timestamp(as_of))


def looked_at(code: str, invoices: Invoices, *, as_of: datetime) -> tuple[BoolArray, BoolArray]:
    """Say of each invoice whether the indicator looks at it, and whether it counts it; see `ml.features.reads`."""
    from ml.features import reads
    from ml.features.invoices import INDICATORS

    (indicator,) = (one for one in INDICATORS if one.code == code)
    (found,) = reads.looked_at([indicator.reads], _columns_of(invoices), as_of=pd.Timestamp(as_of))
    return found.read, found.counted


def fed_by(invoice: Invoices, *, as_of: datetime) -> tuple[str, ...]:
    """Return the indicators that look at an invoice, given as a single row, in the order of the catalogue."""
    from ml.features import reads
    from ml.features.invoices import INDICATORS

    asked = list(dict.fromkeys(one.reads for one in INDICATORS))
    found = reads.looked_at(asked, _columns_of(invoice), as_of=pd.Timestamp(as_of))
    looks = {one for one, looked in zip(asked, found, strict=True) if looked.read.any()}
    return tuple(one.code for one in INDICATORS if one.reads in looks)


def records_fed_by(invoice: Invoices, *, as_of: datetime) -> tuple[str, ...]:
    """Return the indicators from records that set them beside sales in which an invoice, given as a single row, is."""
    from ml.features.records import records_read

    sales = {INVOICES: _sales_by_month(invoice)}
    beside = [text.code for text in record_texts() if INVOICES in text.item_codes]
    return tuple(code for code in beside if records_read(code, sales, as_of=pd.Timestamp(as_of))[INVOICES].any())


def _columns_of(invoices: Invoices) -> InvoiceColumns:
    return InvoiceColumns(
        firms=np.array(invoices.firms, dtype=object),
        firm=invoices.firm,
        issued_us=invoices.issued_at_us,
        side=invoices.is_sale.astype(np.int64),
        partner=invoices.counterparty,
        net_fen=invoices.net_fen,
        tax_fen=invoices.tax_fen,
        is_void=invoices.is_void,
    )


@cache
def indicator_texts() -> tuple[IndicatorText, ...]:
    """Return what each indicator is called and means, in the order of the columns."""
    from ml.features.indicator import Unit
    from ml.features.invoices import INDICATORS

    return tuple(
        IndicatorText(
            code=indicator.code,
            name_zh=indicator.name_zh,
            name_en=indicator.name_en,
            measure=Measure.PPM if indicator.unit is Unit.RATIO else Measure(indicator.unit.value),
            is_mutable=indicator.is_mutable,
            advice_zh=indicator.advice_zh,
            advice_en=indicator.advice_en,
            description=indicator.description,
        )
        for indicator in INDICATORS
    )


@cache
def feature_version() -> str:
    """Return the version of the indicators: it changes with any name, unit or meaning in their catalogue."""
    catalogue = [[text.code, text.measure, text.description] for text in indicator_texts()]
    return "invoices-" + hashlib.sha256(json.dumps(catalogue).encode()).hexdigest()[:12]


def vector_of(frame: pd.DataFrame, place: int) -> dict[str, str | None]:
    """Return one row of `compute` as exact texts: `float.hex()`, and None for no data."""
    values = frame.to_numpy(dtype="float64")[place].tolist()
    return {
        text.code: None if math.isnan(value) else value.hex()
        for text, value in zip(indicator_texts(), values, strict=True)
    }


def frame_of(vectors: list[Mapping[str, str | None]]) -> pd.DataFrame:
    """Return the rows that `vector_of` wrote, bit for bit, in their order."""
    codes = [text.code for text in indicator_texts()]
    rows = [[_float(vector.get(code)) for code in codes] for vector in vectors]
    return pd.DataFrame(rows, columns=codes, dtype="float64")


def readings_of(vector: Mapping[str, str | None]) -> tuple[Reading, ...]:
    """Return what people are shown of a vector: integers, rounded half to even."""
    return tuple(
        Reading(text.code, text.measure, reading_value(text.measure, _float(vector.get(text.code))))
        for text in indicator_texts()
    )


def reading_value(measure: Measure, value: float) -> int | None:
    """Return a float as the integer of its measure; None for no data."""
    if math.isnan(value):
        return None
    return round(value * _MILLION) if measure is Measure.PPM else round(value)


@cache
def record_texts() -> tuple[RecordText, ...]:
    """Return what each indicator from records is called and means, in the order in which they are shown."""
    from ml.features.indicator import Unit
    from ml.features.record_catalogue import RECORD_INDICATORS

    return tuple(
        RecordText(
            code=one.code,
            item_codes=(one.item, *one.beside),
            name_zh=one.name_zh,
            name_en=one.name_en,
            measure=Measure.PPM if one.unit is Unit.RATIO else Measure(one.unit.value),
            least_months=one.least_months,
            definition_zh=one.definition_zh,
            definition_en=one.definition_en,
        )
        for one in RECORD_INDICATORS
    )


@cache
def record_version() -> str:
    """Return the version of the indicators from records: it changes with any name, unit or meaning."""
    catalogue = [[text.code, list(text.item_codes), text.measure, text.definition_en] for text in record_texts()]
    return "records-" + hashlib.sha256(json.dumps(catalogue).encode()).hexdigest()[:12]


def compute_records(
    records: Mapping[str, pd.DataFrame], sales: Invoices | None, *, as_of: datetime
) -> Mapping[str, Mapping[str, int | None]]:
    """Return the values of the indicators from records, as integers, by firm (text) and code.

    `sales` are the firms' invoices, for those indicators that set records against them.
    """
    from ml.features.records import record_indicators

    asked = dict(records) if sales is None else {**records, INVOICES: _sales_by_month(sales)}
    frame = record_indicators(asked, as_of=pd.Timestamp(as_of))
    measures = {text.code: text.measure for text in record_texts()}
    return {
        str(firm): {code: reading_value(measures[code], float(row[code])) for code in frame.columns}
        for firm, row in frame.iterrows()
    }


def _sales_by_month(invoices: Invoices) -> pd.DataFrame:
    """Return net sales by firm and calendar month, void invoices left out."""
    firm = np.repeat(np.array(invoices.firms, dtype=object), invoices.counts)
    counted = invoices.is_sale & ~invoices.is_void
    month = invoices.issued_on[counted].astype("datetime64[M]").astype("datetime64[s]")
    rows = pd.DataFrame({"firm_id": firm[counted], "month": month, "net_fen": invoices.net_fen[counted]})
    summed: pd.DataFrame = rows.groupby(["firm_id", "month"], as_index=False).sum()
    return summed


def _float(text: str | None) -> float:
    return math.nan if text is None else float.fromhex(text)
