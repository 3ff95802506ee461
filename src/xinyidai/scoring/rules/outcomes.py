"""Realised outcomes: what became of a firm, who says so, and since when it is known. Pure."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from xinyidai.foundation.errors import Refusal

MAX_FILE_CHARACTERS = 1_000_000
MAX_FILE_ROWS = 10_000
COLUMNS = ("credit_code", "is_default", "observed_on")

_DEFAULTED = {"1": True, "true": True, "0": False, "false": False}


class OutcomeFileRefused(Refusal):
    """The file is no list of outcomes: too long, without a column, or no text."""

    code = "outcome_file_refused"
    status = 422
    title_zh = "结果文件不被接受：{why}"
    title_en = "The file of outcomes is refused: {why}"


class OutcomeInFuture(Refusal):
    """An outcome cannot have been observed after today."""

    code = "outcome_in_future"
    status = 422
    title_zh = "结果日期晚于今天"
    title_en = "The outcome is dated after today"


class TooFewLabels(Refusal):
    """There are not enough consenting firms with an outcome of each kind to train on."""

    code = "too_few_labels"
    status = 409
    title_zh = "可用于训练的样本不足：违约 {defaults} 户，正常 {others} 户"
    title_en = "Too few firms to train on: {defaults} defaulted and {others} did not"


class Fault(StrEnum):
    """Why a row of a file was kept aside."""

    ROW_MALFORMED = "row_malformed"
    FIRM_UNKNOWN = "firm_unknown"
    OUTCOME_IN_FUTURE = "outcome_in_future"
    DUPLICATE_ROW = "duplicate_row"


@dataclass(frozen=True)
class OutcomeRow:
    """One readable row of a file."""

    credit_code: str
    is_default: bool
    observed_on: date


@dataclass(frozen=True)
class OutcomesReport:
    """How many rows came, were loaded, were known before, and were kept aside by fault."""

    received: int
    loaded: int
    unchanged: int
    rejected: dict[str, int]


@dataclass(frozen=True)
class Observation:
    """One outcome as it was reported; `loan_id` None where the report names no loan of this platform."""

    firm_id: UUID
    loan_id: UUID | None
    reported_by: UUID
    is_default: bool
    observed_on: date
    known_at: datetime


def read_outcomes(text: str, *, today: date) -> tuple[list[OutcomeRow], Counter[str], int]:
    """Return the readable rows, the faults of the others, and how many rows there were.

    Raises
    ------
    OutcomeFileRefused
        A column is missing or there are more than MAX_FILE_ROWS rows.
    """
    if len(text) > MAX_FILE_CHARACTERS:
        raise OutcomeFileRefused(why=f"more than {MAX_FILE_CHARACTERS} characters")
    lines = _lines(text.removeprefix("\ufeff"))
    header = next(lines, [])
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise OutcomeFileRefused(why=f"no column {', '.join(missing)}")
    rows: list[OutcomeRow] = []
    faults: Counter[str] = Counter()
    seen: set[OutcomeRow] = set()
    received = 0
    for fields in lines:
        received += 1
        if received > MAX_FILE_ROWS:
            raise OutcomeFileRefused(why=f"more than {MAX_FILE_ROWS} rows")
        row = _row(dict(zip(header, fields, strict=False)))
        fault = _fault(row, seen, today=today)
        if row is None or fault is not None:
            faults[fault or Fault.ROW_MALFORMED] += 1
            continue
        seen.add(row)
        rows.append(row)
    return rows, faults, received


def labels(observations: Iterable[Observation]) -> dict[UUID, bool]:
    """Return each firm's label: a default where any loan or reporter's latest word is one.

    The latest word of a reporter on a loan counts; of two of one moment, the default.
    """
    latest: dict[tuple[UUID, UUID | None, UUID], Observation] = {}
    for one in observations:
        key = (one.firm_id, one.loan_id, one.reported_by)
        before = latest.get(key)
        if before is None or (one.known_at, one.is_default) > (before.known_at, before.is_default):
            latest[key] = one
    result: dict[UUID, bool] = {}
    for one in latest.values():
        result[one.firm_id] = result.get(one.firm_id, False) or one.is_default
    return result


def _lines(text: str) -> Iterator[list[str]]:
    try:
        yield from (fields for fields in csv.reader(io.StringIO(text, newline="")) if fields)
    except csv.Error as error:
        raise OutcomeFileRefused(why="not readable as CSV") from error


def _row(fields: dict[str, str]) -> OutcomeRow | None:
    code, flag, day = (fields.get(name) for name in COLUMNS)
    if not code or flag is None or day is None or flag.strip().lower() not in _DEFAULTED:
        return None
    try:
        observed_on = date.fromisoformat(day.strip())
    except ValueError:
        return None
    return OutcomeRow(code.strip(), _DEFAULTED[flag.strip().lower()], observed_on)


def _fault(row: OutcomeRow | None, seen: set[OutcomeRow], *, today: date) -> Fault | None:
    if row is None:
        return Fault.ROW_MALFORMED
    if row.observed_on > today:
        return Fault.OUTCOME_IN_FUTURE
    return Fault.DUPLICATE_ROW if row in seen else None
