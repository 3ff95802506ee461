"""Checking a chunk of invoice rows: column by column, every failing rule of every row."""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from xinyidai.sources.rules.amounts import Amounts, BoolArray, IntArray, read_amounts
from xinyidai.sources.rules.delivery import MAX_CONTENT, Fault, Flag
from xinyidai.sources.rules.fields import (
    CodeArray,
    DayArray,
    Words,
    as_text,
    read_days,
    read_meanings,
    read_texts,
    read_words,
)

MAX_NUMBER_LENGTH = 32
MAX_COUNTERPARTY_LENGTH = 200
DIRECTIONS = {"in": 0, "进项": 0, "out": 1, "销项": 1}
STATUSES = {"valid": 0, "有效发票": 0, "void": 1, "作废发票": 1}

FlagArray = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Facts:
    """Rows that may become facts, as columns of equal length; `firm` points into `firms`."""

    firms: Sequence[UUID]
    firm: CodeArray
    line_no: IntArray
    direction: CodeArray
    number: pa.Array
    issued_on: DayArray
    counterparty: pa.Array
    net_fen: IntArray
    tax_fen: IntArray
    gross_fen: IntArray
    is_void: BoolArray
    flags: FlagArray

    def __len__(self) -> int:
        return len(self.line_no)

    def take(self, rows: IntArray | BoolArray) -> "Facts":
        """Return some of the rows, by position or by mask."""
        at = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return Facts(
            firms=self.firms,
            firm=self.firm[at],
            line_no=self.line_no[at],
            direction=self.direction[at],
            number=self.number.take(pa.array(at)),
            issued_on=self.issued_on[at],
            counterparty=self.counterparty.take(pa.array(at)),
            net_fen=self.net_fen[at],
            tax_fen=self.tax_fen[at],
            gross_fen=self.gross_fen[at],
            is_void=self.is_void[at],
            flags=self.flags[at],
        )


@dataclass(frozen=True)
class Rows:
    """A chunk as read: what the columns alone can say, before firms, consents and the day are known."""

    raw: pa.RecordBatch
    line_no: IntArray
    firm: Words
    direction: CodeArray
    number: pa.Array
    issued_on: DayArray
    counterparty: pa.Array
    net: Amounts
    tax: Amounts
    gross: Amounts
    is_void: BoolArray
    faults: Mapping[Fault, BoolArray]


@dataclass(frozen=True)
class Judged:
    """A chunk divided: the good rows as facts, and the faults of the others by their position in the chunk."""

    facts: Facts
    bad: IntArray
    faults: Mapping[Fault, BoolArray]


def read_rows(raw: pa.RecordBatch, line_no: IntArray) -> Rows:
    """Read the columns of a chunk and mark what is wrong with them by themselves."""
    firm = read_words(raw["credit_code"])
    direction, direction_missing, direction_bad = read_meanings(raw["direction"], DIRECTIONS)
    status, status_missing, status_bad = read_meanings(raw["status"], STATUSES)
    number = read_texts(raw["invoice_no"], most=MAX_NUMBER_LENGTH)
    counterparty = read_texts(raw["counterparty"], most=MAX_COUNTERPARTY_LENGTH)
    days = read_days(raw["issued_on"])
    net, tax, gross = (read_amounts(_plain(raw[name])) for name in ("net_yuan", "tax_yuan", "gross_yuan"))
    missing = firm.code < 0
    for is_missing in (direction_missing, status_missing, number.is_missing, counterparty.is_missing, days.is_missing):
        missing = missing | is_missing
    return Rows(
        raw=raw,
        line_no=line_no,
        firm=firm,
        direction=direction,
        number=number.texts,
        issued_on=days.day,
        counterparty=counterparty.texts,
        net=net,
        tax=tax,
        gross=gross,
        is_void=status == 1,
        faults={
            Fault.MISSING_FIELD: missing | net.is_missing | tax.is_missing | gross.is_missing,
            Fault.BAD_DATE: days.is_bad,
            Fault.BAD_DIRECTION: direction_bad,
            Fault.BAD_STATUS: status_bad,
            Fault.BAD_AMOUNT: net.is_bad | tax.is_bad | gross.is_bad,
            Fault.AMOUNT_OUT_OF_RANGE: net.is_out_of_range | tax.is_out_of_range | gross.is_out_of_range,
            Fault.MORE_THAN_TWO_DECIMALS: net.has_more_decimals | tax.has_more_decimals | gross.has_more_decimals,
            Fault.NUMBER_TOO_LONG: number.is_too_long,
            Fault.TEXT_TOO_LONG: counterparty.is_too_long,
            Fault.BAD_CHARACTER: number.has_bad_character | counterparty.has_bad_character,
        },
    )


def _plain(column: pa.Array) -> pa.Array:
    """Amounts keep their own number type; everything else is judged as text."""
    is_number = pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
    return column if is_number else as_text(column)


def judge(rows: Rows, *, firm_ids: Mapping[str, UUID], consenting: AbstractSet[UUID], today: date) -> Judged:
    """Add what firms, consents and the day have to say, and divide the chunk.

    Parameters
    ----------
    firm_ids : mapping of credit code, as written in the chunk, to the firm
        Codes that are not in it are of no firm here.
    consenting : set of firms
        Those that allow the platform to hold their invoices.
    today : date
        Shanghai's; an invoice of tomorrow is refused.
    """
    firms, firm = firms_of(rows.firm, firm_ids)
    allowed = np.array([*(firm_id in consenting for firm_id in firms), True], dtype=np.bool_)
    faults = {
        **rows.faults,
        Fault.UNKNOWN_FIRM: (firm < 0) & (rows.firm.code >= 0),
        Fault.NO_CONSENT: ~allowed[firm],
        Fault.INVOICE_IN_FUTURE: rows.issued_on > np.datetime64(today),
    }
    is_bad = np.logical_or.reduce(list(faults.values()))
    mismatch = rows.net.fen + rows.tax.fen != rows.gross.fen
    every = Facts(
        firms=firms,
        firm=firm,
        line_no=rows.line_no,
        direction=rows.direction,
        number=rows.number,
        issued_on=rows.issued_on,
        counterparty=rows.counterparty,
        net_fen=rows.net.fen,
        tax_fen=rows.tax.fen,
        gross_fen=rows.gross.fen,
        is_void=rows.is_void,
        flags=np.where(mismatch, Flag.TOTAL_MISMATCH, Flag.NONE).astype(np.int16),
    )
    bad = np.flatnonzero(is_bad)
    return Judged(every.take(~is_bad), bad, {fault: mask[bad] for fault, mask in faults.items() if mask.any()})


def firms_of(written: Words, firm_ids: Mapping[str, UUID]) -> tuple[list[UUID], CodeArray]:
    """Return the firms of a column of credit codes and each row's place among them, -1 for a code of no firm here."""
    firms = [*dict.fromkeys(firm_ids[word] for word in written.words if word in firm_ids)]
    place = {firm: number for number, firm in enumerate(firms)}
    table = np.array([*(place.get(firm_ids.get(word, UUID(int=0)), -1) for word in written.words), -1], np.int32)
    return firms, table[written.code]


def contents_of(raw: pa.RecordBatch, at: IntArray) -> list[str]:
    """Return rows as the JSON text their sender is shown, at most `MAX_CONTENT` characters each."""
    rows = raw.take(pa.array(at)).to_pylist()
    return [json.dumps(row, ensure_ascii=False, default=str)[:MAX_CONTENT] for row in rows]


def faults_of_rows(faults: Mapping[Fault, BoolArray], count: int) -> list[str]:
    """Return each row's faults, joined by commas in the order of `Fault`."""
    joined = np.full(count, "", dtype=object)
    for fault in Fault:
        if fault in faults:
            mask = faults[fault]
            joined[mask] = joined[mask] + ("," + fault.value)
    return [text[1:] for text in joined]
