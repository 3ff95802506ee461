"""What an indicator reads, in integers and in words: pure."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from xinyidai.foundation.errors import Refusal

INVOICES = "vat_invoice"
"""The catalogue's item that every indicator of this version is computed from."""


class Measure(StrEnum):
    """Unit of a reading; a ratio is given in parts per million, so that every reading is an integer."""

    FEN = "fen"
    PPM = "ppm"
    MONTHS = "months"
    DAYS = "days"
    COUNT = "count"


class NoInvoices(Refusal):
    """There is no invoice in the window: nothing can be said of the firm, neither good nor bad."""

    code = "no_invoices"
    status = 422
    title_zh = "截至该时点没有可用的发票数据，无法评估"
    title_en = "There is no invoice up to that moment: nothing can be assessed"


@dataclass(frozen=True)
class IndicatorText:
    """One indicator as it is explained to people; advice is empty where a firm can do nothing lawful about it."""

    code: str
    name_zh: str
    name_en: str
    measure: Measure
    is_mutable: bool
    advice_zh: str
    advice_en: str
    description: str


@dataclass(frozen=True)
class Reading:
    """The value of one indicator; None is "no data" and never zero."""

    code: str
    measure: Measure
    value: int | None


@dataclass(frozen=True)
class Lineage:
    """What a firm's indicators were computed from: how many rows, over which Shanghai days, and their fingerprint."""

    rows: int
    first_issued_on: date | None
    last_issued_on: date | None
    fingerprint: str


def in_words_zh(measure: Measure, value: int | None) -> str:
    """Return a value as a Chinese reader expects it."""
    if value is None:
        return "无数据"
    units = {Measure.MONTHS: " 个月", Measure.DAYS: " 天", Measure.COUNT: ""}
    if measure is Measure.FEN:
        return f"{_two_decimals(value)} 元"
    if measure is Measure.PPM:
        return f"{_percent(value)} %"
    return f"{value:,}{units[measure]}"


def in_words_en(measure: Measure, value: int | None) -> str:
    """Return a value as an English reader expects it."""
    if value is None:
        return "no data"
    units = {Measure.MONTHS: " months", Measure.DAYS: " days", Measure.COUNT: ""}
    if measure is Measure.FEN:
        return f"{_two_decimals(value)} yuan"
    if measure is Measure.PPM:
        return f"{_percent(value)} %"
    return f"{value:,}{units[measure]}"


def _two_decimals(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


def _percent(ppm: int) -> str:
    """Return parts per million as percent with one decimal, rounded half away from zero."""
    tenths = (abs(ppm) + 500) // 1_000
    sign = "-" if ppm < 0 and tenths else ""
    return f"{sign}{tenths // 10:,}.{tenths % 10}"
