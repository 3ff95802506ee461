"""Mistakes as owners make them, made in clean records, and what of them can be told at all. Knows nothing of the rules.

A mistake changes the columns of a row by its kind: units, swapped columns, years, signs, digits, zeros, texts, codes.
Some leave a row that could be somebody's honest one. What is wrong is told by the clean crowd alone: a row is wrong by
itself when a sign, a zero, a gap, a word's form, a ratio of two numbers or a distance of two days is none that the
crowd has; wrong beside its firm's other rows, or beside other sources, when such a ratio is. A size alone is never
wrong: firms come in all sizes.
"""

from collections.abc import Callable
from datetime import date
from typing import Final

import numpy as np
import pandas as pd

from xinyidai.quality.rules.columns import ValueKind
from xinyidai.quality.rules.items import COLUMNS_OF
from xinyidai.sources.rules.records.kinds import KINDS

RATIO_MARGIN: Final = np.log(2.0)
DAY_MARGIN: Final = 45
DOCUMENTS: Final = ("document_no", "right_no", "unit_no")
"""Columns that name what belongs to one firm."""
ORIGIN: Final = ("firm_id", "delivery_no", "line_no", "recorded_at")
Frame = pd.DataFrame
Rows = np.ndarray
Mistake = Callable[[np.random.Generator, Frame, Rows, str], None]


def amounts_of(code: str) -> list[str]:
    """Return the columns that hold sizes: money, quantities, heads."""
    kinds = COLUMNS_OF[code]
    return [name for name, kind in kinds.items() if kind is ValueKind.NUMBER and name != "year"]


def days_of(code: str) -> list[str]:
    """Return the columns that hold days."""
    return [name for name, kind in COLUMNS_OF[code].items() if kind is ValueKind.DAY]


def _words_of(code: str) -> list[str]:
    """Return the columns of free text; a code that is not of its list is refused at the door."""
    listed = {column.name for column in KINDS[code].columns if column.codes} if code in KINDS else set()
    return [name for name, kind in COLUMNS_OF[code].items() if kind is ValueKind.WORD and name not in listed]


def _column(random: np.random.Generator, names: list[str]) -> str:
    return names[int(random.integers(len(names)))]


def _each(
    random: np.random.Generator, frame: Frame, rows: Rows, names: list[str], change: Callable[..., object]
) -> None:
    for row in rows if names else ():
        name = _column(random, names)
        value = frame[name].iat[row]
        if value is not None and value == value:
            frame.iat[row, frame.columns.get_loc(name)] = change(value)


def _times_100(random: np.random.Generator, frame: Frame, rows: Rows, code: str) -> None:
    _each(random, frame, rows, amounts_of(code), lambda value: value * 100)


def _by_100(random: np.random.Generator, frame: Frame, rows: Rows, code: str) -> None:
    _each(random, frame, rows, amounts_of(code), lambda value: value // 100)


def _all_times_10000(_random: np.random.Generator, frame: Frame, rows: Rows, code: str) -> None:
    for name in (name for name in amounts_of(code) if name.endswith("_fen")):
        frame.iloc[rows, frame.columns.get_loc(name)] = frame[name].iloc[rows] * 10_000


def _all_by_100(_random: np.random.Generator, frame: Frame, rows: Rows, code: str) -> None:
    for name in (name for name in amounts_of(code) if name.endswith("_fen")):
        frame.iloc[rows, frame.columns.get_loc(name)] = frame[name].iloc[rows] // 100


def _swap(random: np.random.Generator, frame: Frame, rows: Rows, code: str) -> None:
    names = amounts_of(code) if len(amounts_of(code)) > 1 else days_of(code)
    for row in rows if len(names) > 1 else ():
        first, second = random.choice(len(names), 2, replace=False)
        one, other = frame.columns.get_loc(names[first]), frame.columns.get_loc(names[second])
        kept = frame.iat[row, one]
        frame.iat[row, one], frame.iat[row, other] = frame.iat[row, other], kept


def _year_off(random: np.random.Generator, frame: Frame, rows: Rows, code: str) -> None:
    years = int(random.choice([-10, -1, 1]))
    _each(random, frame, rows, days_of(code), lambda day: _shifted(day, years))


def _shifted(day: date, years: int) -> date:
    return day.replace(year=day.year + years, day=min(day.day, 28))


def _sign(random: np.random.Generator, frame: Frame, rows: Rows, code: str) -> None:
    names = [name for name in amounts_of(code) if name.endswith("_fen")]
    _each(random, frame, rows, names, lambda value: -value)


def _digits(random: np.random.Generator, frame: Frame, rows: Rows, code: str) -> None:
    def transposed(value: object) -> int:
        number = int(value)  # type: ignore[call-overload]
        digits = list(str(abs(number)))
        if len(digits) > 1:
            digits[0], digits[1] = digits[1], digits[0]
        return int("".join(digits)) * (-1 if number < 0 else 1)

    _each(random, frame, rows, [name for name in amounts_of(code) if name.endswith("_fen")], transposed)


def _zero(random: np.random.Generator, frame: Frame, rows: Rows, code: str) -> None:
    _each(random, frame, rows, amounts_of(code), lambda value: 0)


def _cut_text(random: np.random.Generator, frame: Frame, rows: Rows, code: str) -> None:
    _each(random, frame, rows, _words_of(code), lambda value: value[:1])


def _stale(_random: np.random.Generator, frame: Frame, rows: Rows, _code: str) -> None:
    # What the row of another firm said, under this one's name: the line slipped.
    names = [name for name in frame.columns if name not in ORIGIN and name not in ("month", "year")]
    if "month" in frame or "year" in frame:
        frame.loc[rows, names] = frame.loc[(rows + 997) % len(frame), names].to_numpy()


def _copied(_random: np.random.Generator, frame: Frame, rows: Rows, code: str) -> None:
    # Another firm's document under this one's name.
    for name in DOCUMENTS:
        if name in frame:
            frame.loc[rows, name] = frame.loc[(rows + 1) % len(frame), name].to_numpy()


def _whole_series(change: Callable[[int], int]) -> Mistake:
    """Return a mistake in all the money of a firm's rows: the whole file was told in another unit."""

    def make(random: np.random.Generator, frame: Frame, rows: Rows, code: str) -> None:
        firms = frame["firm_id"].iloc[rows[:: max(1, len(rows) // 4)]].unique()
        theirs = np.flatnonzero(frame["firm_id"].isin(firms).to_numpy())
        names = [name for name in amounts_of(code) if name.endswith("_fen")]
        if "month" in frame or "year" in frame:
            for name in names:
                frame.iloc[theirs, frame.columns.get_loc(name)] = frame[name].iloc[theirs].map(change)

    return make


MISTAKES: Final[dict[str, Mistake]] = {
    "one amount x100": _times_100,
    "one amount /100": _by_100,
    "all money x10,000": _all_times_10000,
    "all money /100": _all_by_100,
    "columns swapped": _swap,
    "year off": _year_off,
    "sign turned": _sign,
    "digits transposed": _digits,
    "zero for missing": _zero,
    "text cut": _cut_text,
    "another firm's row": _stale,
    "another firm's document": _copied,
}
OF_SERIES: Final[dict[str, Mistake]] = {
    "whole file x10,000": _whole_series(lambda value: value * 10_000),
    "whole file /100": _whole_series(lambda value: value // 100),
}


def mistaken(
    frame: Frame, code: str, *, share: float, seed: int, mistakes: dict[str, Mistake] = MISTAKES
) -> tuple[Frame, np.ndarray]:
    """Return the frame with mistakes in a share of its rows, and each row's kind, "" for none.

    Rows that the door of a delivery refuses, because their month or day is still to come, are put back.
    """
    random = np.random.default_rng(seed)
    made = frame.copy()
    chosen = random.permutation(len(made))[: max(len(mistakes), int(len(made) * share))]
    kind = np.full(len(made), "", dtype=object)
    for number, (name, make) in enumerate(mistakes.items()):
        rows = np.sort(chosen[number :: len(mistakes)])
        before = made.copy()
        make(random, made, rows, code)
        kind[_differ(before, made)] = name
    refused = _to_come(code, made) & (kind != "")
    made.loc[refused] = frame.loc[refused]
    kind[~_differ(frame, made)] = ""
    return made, kind


def _differ(one: Frame, other: Frame) -> np.ndarray:
    same: np.ndarray = (one.astype(object).fillna("") == other.astype(object).fillna("")).all(axis=1).to_numpy()
    return ~same


def _to_come(code: str, frame: Frame) -> np.ndarray:
    dated_by = "issued_on" if code == "vat_invoice" else KINDS[code].dated_by
    if dated_by in ("year", "valid_until_on"):
        return np.zeros(len(frame), dtype=np.bool_)
    told = _days(code, frame)
    return told[dated_by] > told["recorded"]


def _log(values: pd.Series) -> np.ndarray:
    number = np.abs(values.to_numpy(dtype=np.float64))
    with np.errstate(divide="ignore"):
        logged = np.log(number)
    return np.where(np.isfinite(logged), logged, np.nan)


def _outside(clean: np.ndarray, made: np.ndarray, margin: float) -> np.ndarray:
    known = clean[np.isfinite(clean)]
    if not len(known):
        return np.zeros(len(made), dtype=np.bool_)
    return (made < known.min() - margin) | (made > known.max() + margin)


def wrong_alone(code: str, clean: Frame, made: Frame) -> np.ndarray:
    """Return the rows that are wrong by themselves: none of the clean crowd is like them."""
    wrong = np.zeros(len(made), dtype=np.bool_)
    amounts = amounts_of(code)
    for name in amounts:
        for state in (np.sign, np.isnan):
            seen = state(clean[name].to_numpy(dtype=np.float64))
            wrong |= ~np.isin(state(made[name].to_numpy(dtype=np.float64)), seen[~np.isnan(seen.astype(float))]) & ~(
                made[name].isna().to_numpy() & clean[name].isna().any()
            )
    for place, first in enumerate(amounts):
        for second in amounts[place + 1 :]:
            was, now = (_log(frame[first]) - _log(frame[second]) for frame in (clean, made))
            wrong |= _outside(was, now, RATIO_MARGIN)
    told = {frame_no: _days(code, frame) for frame_no, frame in enumerate((clean, made))}
    for first in told[0]:
        for second in told[0]:
            if first < second:
                was, now = (told[number][first] - told[number][second] for number in (0, 1))
                wrong |= _outside(was, now, DAY_MARGIN)
    for name in _words_of(code):
        lengths = clean[name].dropna().str.len()
        wrong |= made[name].notna().to_numpy() & ~made[name].str.len().isin(set(lengths)).to_numpy()
    return wrong


def _days(code: str, frame: Frame) -> dict[str, np.ndarray]:
    found = {}
    for name in days_of(code):
        days = frame[name].to_numpy().astype("datetime64[D]")
        found[name] = np.where(np.isnat(days), np.nan, days.astype(np.int64).astype(np.float64))
    told = pd.to_datetime(frame["recorded_at"], utc=True).dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    return found | {"recorded": told.astype(np.int64).astype(np.float64)}


def wrong_in_series(code: str, clean: Frame, made: Frame) -> np.ndarray:
    """Return the rows that are wrong beside the median of their firm's, and the documents of two firms."""
    wrong = np.zeros(len(made), dtype=np.bool_)
    named = ["firm_id", *(["tax_kind"] if "tax_kind" in made else [])]
    for name in amounts_of(code) if "month" in made or "year" in made else ():
        was, now = (_log(one[name]) - _log(one.groupby(named)[name].transform("median")) for one in (clean, made))
        wrong |= _outside(was, now, RATIO_MARGIN)
    for name in DOCUMENTS:
        if name in made:
            wrong |= made[name].duplicated(keep=False).to_numpy()
    return wrong


def wrong_across(code: str, clean: Frame, made: Frame, others: dict[str, Frame]) -> np.ndarray:
    """Return the rows whose money is of a ratio to the same firm's money elsewhere that no clean firm has."""
    wrong = np.zeros(len(made), dtype=np.bool_)
    period = "month" if "month" in made else "year" if "year" in made else None
    if period is None:
        return wrong
    for other_code, other in others.items():
        if other_code == code or period not in other:
            continue
        for other_name in (one for one in other if one.endswith("_fen")):
            found = other.groupby(["firm_id", period])[other_name].sum(min_count=1).rename("other").reset_index()
            beside = made[["firm_id", period]].merge(found, on=["firm_id", period], how="left")["other"]
            for name in (one for one in amounts_of(code) if one.endswith("_fen")):
                now = _log(made[name]) - _log(beside)
                wrong |= _outside(_log(clean[name]) - _log(beside), now, RATIO_MARGIN)
    return wrong
