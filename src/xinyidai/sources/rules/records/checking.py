"""Checking a chunk of records: column by column, every failing rule of every row, whatever the kind."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from xinyidai.sources.rules.amounts import BoolArray, IntArray, as_bools, read_amounts
from xinyidai.sources.rules.checking import firms_of
from xinyidai.sources.rules.delivery import Fault
from xinyidai.sources.rules.fields import CodeArray, Words, as_text, read_days, read_meanings, read_texts, read_words
from xinyidai.sources.rules.layouts import Layout
from xinyidai.sources.rules.records.kinds import MOST_CODE, MOST_TEXT, Column, ColumnKind, RecordKind

Masks = dict[Fault, BoolArray]
HashArray = npt.NDArray[np.uint64]

FLAGS: Final = {"true": 1, "false": 0, "1": 1, "0": 0, "是": 1, "否": 0}
EARLIEST_YEAR: Final = 1994
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_FEN_A_WHOLE: Final = 100
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class RecordRows:
    """A chunk as read: what the columns alone can say. `values` has the table's columns, typed, null where absent."""

    raw: pa.RecordBatch
    line_no: IntArray
    firm: Words
    values: Mapping[str, pa.Array]
    first_day: npt.NDArray[np.datetime64]
    faults: Mapping[Fault, BoolArray]


@dataclass(frozen=True)
class Records:
    """Rows that may become facts, as columns of equal length; `firm` points into `firms`."""

    kind: RecordKind
    firms: Sequence[UUID]
    firm: CodeArray
    line_no: IntArray
    values: Mapping[str, pa.Array]

    def __len__(self) -> int:
        return len(self.line_no)

    def take(self, rows: BoolArray) -> "Records":
        """Return the rows of a mask."""
        mask = pa.array(rows)
        values = {name: column.filter(mask) for name, column in self.values.items()}
        return Records(self.kind, self.firms, self.firm[rows], self.line_no[rows], values)


@dataclass(frozen=True)
class JudgedRecords:
    """A chunk divided: the good rows, and the faults of the others by their position in the chunk."""

    records: Records
    bad: IntArray
    faults: Mapping[Fault, BoolArray]


def layout_of(kind: RecordKind) -> Layout:
    """Return how a delivery of these records is read."""
    return Layout(kind.delivered, partial(read_records, kind))


def read_records(kind: RecordKind, raw: pa.RecordBatch, line_no: IntArray) -> RecordRows:
    """Read the columns of a chunk and mark what is wrong with them by themselves."""
    firm = read_words(raw["credit_code"])
    faults: Masks = {Fault.MISSING_FIELD: firm.code < 0}
    values = {}
    for column in kind.columns:
        values[column.name], found = _READERS[column.kind](column, raw[column.delivered_as])
        for fault, mask in found.items():
            if fault is Fault.MISSING_FIELD and not column.is_required:
                continue
            faults[fault] = faults[fault] | mask if fault in faults else mask
    return RecordRows(raw, line_no, firm, values, _first_days(kind, values), faults)


def judge_records(
    kind: RecordKind, rows: RecordRows, *, firm_ids: Mapping[str, UUID], permitted: AbstractSet[UUID], today: date
) -> JudgedRecords:
    """Add what firms, consents and the day have to say, and divide the chunk.

    Parameters
    ----------
    firm_ids : mapping of credit code, as written in the chunk, to the firm
        Codes that are not in it are of no firm here.
    permitted : set of firms
        Those whose records the platform may hold.
    today : date
        Shanghai's; a stretch that begins tomorrow is refused.
    """
    firms, firm = firms_of(rows.firm, firm_ids)
    allowed = np.array([*(firm_id in permitted for firm_id in firms), True], dtype=np.bool_)
    faults = {
        **rows.faults,
        Fault.UNKNOWN_FIRM: (firm < 0) & (rows.firm.code >= 0),
        Fault.NO_CONSENT: ~allowed[firm],
        Fault.PERIOD_IN_FUTURE: rows.first_day > np.datetime64(today),
    }
    is_bad = np.logical_or.reduce(list(faults.values()))
    every = Records(kind, firms, firm, rows.line_no, rows.values)
    bad = np.flatnonzero(is_bad)
    return JudgedRecords(every.take(~is_bad), bad, {fault: mask[bad] for fault, mask in faults.items() if mask.any()})


def key_hashes(records: Records) -> HashArray:
    """Return a 64-bit hash of what names each row; equal names have equal hashes in every chunk of a delivery."""
    firms = np.array([(firm.int ^ (firm.int >> 64)) & 0xFFFFFFFFFFFFFFFF for firm in records.firms], dtype=np.uint64)
    mixed: HashArray = firms[records.firm]
    for name in records.kind.key:
        column = records.values[name]
        if pa.types.is_string(column.type):
            coded = column.dictionary_encode()
            words = pd.util.hash_array(np.array(coded.dictionary.to_pylist(), dtype=object), categorize=False)
            part = words[coded.indices.to_numpy(zero_copy_only=False)]
        else:
            part = np.asarray(column.cast(pa.int32()).to_numpy(zero_copy_only=False)).astype(np.uint64)
        mixed = (mixed ^ part) * _MIX
    return mixed


def same_twice(records: Records) -> tuple[BoolArray, BoolArray]:
    """Return which rows say again what an earlier row said, and which say something else of what it named.

    The first row of a name stays; of the others each is compared with it.
    """
    frame = pd.DataFrame({name: column.to_pandas() for name, column in records.values.items()})
    frame["firm"] = records.firm
    named = ["firm", *records.kind.key]
    is_repeated = frame.duplicated(keep="first").to_numpy()
    is_named = frame.duplicated(subset=named, keep="first").to_numpy()
    return is_repeated, is_named & ~is_repeated


def _first_days(kind: RecordKind, values: Mapping[str, pa.Array]) -> npt.NDArray[np.datetime64]:
    """Return the first day of which each row may speak: what begins in the future cannot have been observed."""
    column = values[kind.dated_by]
    if pa.types.is_date(column.type) and kind.dated_by != "valid_until_on":
        numbers = pc.fill_null(column.cast(pa.int32()), 0).to_numpy(zero_copy_only=False)
        return np.asarray(numbers).astype("datetime64[D]")
    if pa.types.is_integer(column.type):
        years = np.asarray(pc.fill_null(column, 1970).to_numpy(zero_copy_only=False))
        return (years.astype(np.int64) - 1970).astype("datetime64[Y]").astype("datetime64[D]")
    return np.full(len(column), np.datetime64("1970-01-01"))


def _read_month(_column: Column, raw: pa.Array) -> tuple[pa.Array, Masks]:
    coded = as_text(raw).dictionary_encode()
    days = [f"{word}-01" if word and _MONTH.fullmatch(word) else None for word in coded.dictionary.to_pylist()]
    table = np.array([*days, None], dtype="datetime64[D]")
    missing = as_bools(coded.is_null())
    code = np.asarray(pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False), dtype=np.int32)
    day = table[code]
    bad = (np.isnat(day) | (day < np.datetime64(f"{EARLIEST_YEAR}-01-01"))) & ~missing
    return _dates(day, missing | bad), {Fault.MISSING_FIELD: missing, Fault.BAD_DATE: bad}


def _read_day(_column: Column, raw: pa.Array) -> tuple[pa.Array, Masks]:
    days = read_days(raw)
    absent = days.is_missing | days.is_bad
    return _dates(days.day, absent), {Fault.MISSING_FIELD: days.is_missing, Fault.BAD_DATE: days.is_bad}


def _dates(day: npt.NDArray[np.datetime64], absent: BoolArray) -> pa.Array:
    return pa.array(day.astype("datetime64[D]"), pa.date32(), mask=absent)


def _read_year(_column: Column, raw: pa.Array) -> tuple[pa.Array, Masks]:
    values, faults = _whole(raw, least=EARLIEST_YEAR, most=9999)
    faults[Fault.BAD_DATE] = faults.pop(Fault.BAD_NUMBER)
    return values.cast(pa.int16()), faults


def _read_count(_column: Column, raw: pa.Array) -> tuple[pa.Array, Masks]:
    values, faults = _whole(raw, least=0, most=2**31 - 1)
    return values.cast(pa.int32()), faults


def _read_quantity(_column: Column, raw: pa.Array) -> tuple[pa.Array, Masks]:
    return _whole(raw, least=0, most=10**13)


def _whole(raw: pa.Array, *, least: int, most: int) -> tuple[pa.Array, Masks]:
    """Read whole numbers as amounts are read: a hundredth left over is no whole number."""
    found = read_amounts(_plain(raw))
    number = found.fen // _FEN_A_WHOLE
    is_bad = found.is_bad | found.is_out_of_range | found.has_more_decimals | (found.fen % _FEN_A_WHOLE != 0)
    usable = ~(is_bad | found.is_missing)
    is_bad |= usable & ((number < least) | (number > most))
    values = pa.array(number, pa.int64(), mask=is_bad | found.is_missing)
    return values, {Fault.MISSING_FIELD: found.is_missing, Fault.BAD_NUMBER: is_bad}


def _read_amount(_column: Column, raw: pa.Array) -> tuple[pa.Array, Masks]:
    found = read_amounts(_plain(raw))
    absent = found.is_missing | found.is_bad | found.is_out_of_range | found.has_more_decimals
    return pa.array(found.fen, pa.int64(), mask=absent), {
        Fault.MISSING_FIELD: found.is_missing,
        Fault.BAD_AMOUNT: found.is_bad,
        Fault.AMOUNT_OUT_OF_RANGE: found.is_out_of_range,
        Fault.MORE_THAN_TWO_DECIMALS: found.has_more_decimals,
    }


def _plain(column: pa.Array) -> pa.Array:
    is_number = pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
    return column if is_number else as_text(column)


def _read_flag(_column: Column, raw: pa.Array) -> tuple[pa.Array, Masks]:
    meaning, missing, bad = read_meanings(raw, FLAGS)
    values = pa.array(meaning == 1, pa.bool_(), mask=missing | bad)
    return values, {Fault.MISSING_FIELD: missing, Fault.BAD_FLAG: bad}


def _read_code(column: Column, raw: pa.Array) -> tuple[pa.Array, Masks]:
    values, faults = _read_short(raw, MOST_CODE)
    if column.codes:
        known = as_bools(pc.is_in(values, value_set=pa.array(column.codes)))
        faults[Fault.BAD_CODE] = ~known & ~faults[Fault.MISSING_FIELD]
    return values, faults


def _read_text(_column: Column, raw: pa.Array) -> tuple[pa.Array, Masks]:
    return _read_short(raw, MOST_TEXT)


def _read_short(raw: pa.Array, most: int) -> tuple[pa.Array, Masks]:
    found = read_texts(raw, most=most)
    return found.texts, {
        Fault.MISSING_FIELD: found.is_missing,
        Fault.TEXT_TOO_LONG: found.is_too_long,
        Fault.BAD_CHARACTER: found.has_bad_character,
    }


_READERS: Final = {
    ColumnKind.MONTH: _read_month,
    ColumnKind.YEAR: _read_year,
    ColumnKind.DAY: _read_day,
    ColumnKind.COUNT: _read_count,
    ColumnKind.QUANTITY: _read_quantity,
    ColumnKind.AMOUNT: _read_amount,
    ColumnKind.FLAG: _read_flag,
    ColumnKind.CODE: _read_code,
    ColumnKind.TEXT: _read_text,
}
