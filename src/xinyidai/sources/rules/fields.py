"""Words, dates and short texts of a delivery, column by column."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from xinyidai.sources.rules.amounts import BoolArray, as_bools

DayArray = npt.NDArray[np.datetime64]
CodeArray = npt.NDArray[np.int32]

EARLIEST_DAY = np.datetime64("1994-01-01")
"""Value-added tax invoices began with the tax reform of 1994; an earlier day is a typing error."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CONTROL = r"[\x00-\x1f\x7f]"
_SHANGHAI = "Asia/Shanghai"


@dataclass(frozen=True)
class Words:
    """A column of few distinct texts: `code` points into `words`, -1 where the field is missing."""

    words: list[str]
    code: CodeArray


@dataclass(frozen=True)
class Texts:
    """A column of short texts, stripped of blanks at both ends; null where nothing was left."""

    texts: pa.Array
    is_missing: BoolArray
    is_too_long: BoolArray
    has_bad_character: BoolArray


@dataclass(frozen=True)
class Days:
    """A column of days; `day` is the first of 1970 wherever a mask is true."""

    day: DayArray
    is_missing: BoolArray
    is_bad: BoolArray


def as_text(column: pa.Array) -> pa.Array:
    """Return any column as text, blanks at both ends removed, empty as null."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = _whole_numbers(column)
    trimmed = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def _whole_numbers(column: pa.Array) -> pa.Array:
    """A column of numbers with a gap arrives as doubles: 7 became 7.0 on the way, and is read as 7 again."""
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column


def read_words(column: pa.Array) -> Words:
    """Code a column of few distinct texts."""
    coded = as_text(column).dictionary_encode()
    code = np.asarray(pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False), dtype=np.int32)
    return Words(coded.dictionary.to_pylist(), code)


def read_meanings(column: pa.Array, meanings: Mapping[str, int]) -> tuple[CodeArray, BoolArray, BoolArray]:
    """Return each field's meaning (0 where there is none), whether it is missing, whether it is unknown."""
    found = read_words(column)
    table = np.array([*(meanings.get(word, -1) for word in found.words), -1], dtype=np.int32)
    meaning = table[found.code]
    missing = found.code < 0
    return np.maximum(meaning, 0), missing, (meaning < 0) & ~missing


def read_texts(column: pa.Array, *, most: int) -> Texts:
    """Read a column of texts of at most `most` characters without control characters."""
    texts = as_text(column)
    return Texts(
        texts=texts,
        is_missing=as_bools(texts.is_null()),
        is_too_long=as_bools(pc.greater(pc.utf8_length(texts), most)),
        has_bad_character=as_bools(pc.match_substring_regex(texts, _CONTROL)),
    )


def read_days(column: pa.Array) -> Days:
    """Read a column of days: dates, moments (Shanghai's day; midnight where it has no zone), or text as 2017-07-18.

    A moment without a zone that is not midnight is no day, and neither is one before `EARLIEST_DAY`.
    """
    if pa.types.is_date(column.type):
        return _from_dates(column.cast(pa.date32()), as_bools(column.is_null()))
    if pa.types.is_timestamp(column.type):
        return _from_moments(column)
    coded = as_text(column).dictionary_encode()
    table = np.array([*map(_day, coded.dictionary.to_pylist()), None], dtype="datetime64[D]")
    missing = as_bools(coded.is_null())
    code = np.asarray(pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False), dtype=np.int32)
    return _days(table[code], missing)


def _day(word: str) -> date | None:
    """Return a day written as 2017-07-18 and in no other of ISO's ways, None for all else."""
    try:
        return date.fromisoformat(word) if _DAY.fullmatch(word) else None
    except ValueError:
        return None


def _from_dates(dates: pa.Array, missing: BoolArray) -> Days:
    numbers = np.asarray(pc.fill_null(dates.cast(pa.int32()), 0).to_numpy(zero_copy_only=False))
    return _days(numbers.astype("datetime64[D]"), missing)


def _from_moments(column: pa.Array) -> Days:
    missing = as_bools(column.is_null())
    if column.type.tz is not None:
        column = pc.local_timestamp(column.cast(pa.timestamp(column.type.unit, _SHANGHAI)))
        moments = column.to_numpy(zero_copy_only=False)
        return _days(moments.astype("datetime64[D]"), missing)
    moments = column.to_numpy(zero_copy_only=False)
    days = moments.astype("datetime64[D]")
    return _days(np.where(days == moments, days, np.datetime64("NaT")), missing)


def _days(day: DayArray, missing: BoolArray) -> Days:
    bad = (np.isnat(day) | (day < EARLIEST_DAY)) & ~missing
    return Days(np.where(bad | missing, np.datetime64("1970-01-01"), day), missing, bad)
