"""Computing the measures: what the other rows, other sources or earlier deliveries say, as a column beside the rows."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import pandas as pd

from xinyidai.quality.rules.columns import Columns, ValueKind, Values, days, numbers, truths, values_of
from xinyidai.quality.rules.items import COLUMNS_OF, INVOICE_MONTH
from xinyidai.quality.rules.measures import Asked, Measure
from xinyidai.sources.rules import ITEM
from xinyidai.sources.rules.records.kinds import KINDS

Frames = Mapping[str, pd.DataFrame]
"""Facts by item, of any number of firms: `firm_id`, where each came from, and the item's columns."""
When = Callable[[str, pd.DataFrame], np.ndarray]
USUAL_FROM: Final = 6
"""Rows of a name from which on there is something usual."""
BATCHES_FROM: Final = 3
MONTHS: Final = 12


@dataclass(frozen=True)
class Figure:
    """One column of one delivery: rows, zeros, missing values, and the mean of its numbers in their own unit."""

    rows: int
    zeros: int
    blanks: int
    mean: int | None


def columns_of(
    code: str,
    frame: pd.DataFrame,
    *,
    today: date,
    established_on: Mapping[object, date],
    corrections: AbstractSet[int] = frozenset(),
) -> Columns:
    """Return the columns of an item's facts, and what every condition may name.

    Parameters
    ----------
    frame : DataFrame
        `firm_id`, `recorded_at` (UTC) and the item's columns.
    established_on : mapping of firm to day
        Firms whose day is unknown are not in it.
    corrections : set of int
        Lines that replaced an earlier fact, where the frame is of one delivery.
    """
    columns = {name: values_of(kind, frame[name].to_numpy()) for name, kind in COLUMNS_OF[code].items()}
    recorded = pd.DatetimeIndex(pd.to_datetime(frame["recorded_at"], utc=True)).tz_convert("Asia/Shanghai")
    columns["recorded_on"] = days(recorded.tz_localize(None).to_numpy())
    columns["today"] = days(np.full(len(frame), today, dtype="datetime64[D]"))
    columns["established_on"] = days([established_on.get(firm) for firm in frame["firm_id"]])
    columns["is_correction"] = truths(frame["line_no"].isin(list(corrections)).to_numpy(dtype=np.bool_))
    return columns


def weigh(asked: Sequence[Asked], code: str, frames: Frames) -> dict[str, Values]:
    """Return the columns of measures over firms, beside the rows of `frames[code]`.

    What cannot be answered, for want of a row or of an item, is missing.
    """
    return {one.text: _OF_FIRM[one.measure](one, code, frames) for one in asked}


def weigh_batch(
    asked: Sequence[Asked], figures: Mapping[str, Figure], past: Mapping[str, Sequence[Figure]], silent_days: int | None
) -> dict[str, Values]:
    """Return the columns of measures over a delivery, of one row.

    Parameters
    ----------
    figures, past : mappings of a column to its figures
        Of this delivery, and of the sender's deliveries of the item before.
    """
    return {one.text: numbers(np.array([_of_batch(one, figures, past, silent_days)], dtype=object)) for one in asked}


def figures_of(code: str, columns: Columns) -> dict[str, Figure]:
    """Return the figures of every column of an item's rows."""
    return {name: _figure(columns[name]) for name in COLUMNS_OF[code]}


def _figure(one: Values) -> Figure:
    known = one.array if one.missing is None else one.array[~one.missing]
    rows, blanks = len(one), len(one) - len(known)
    if one.kind is not ValueKind.NUMBER or not len(known):
        return Figure(rows, 0, blanks, None)
    return Figure(rows, int((known == 0).sum()), blanks, round(known.mean()))


def joined_figures(parts: Sequence[Mapping[str, Figure]]) -> dict[str, Figure]:
    """Return the figures of a delivery whose rows came in parts."""
    return {name: _joined([part[name] for part in parts]) for name in (parts[0] if parts else ())}


def _joined(parts: Sequence[Figure]) -> Figure:
    known = [(part.rows - part.blanks, part.mean) for part in parts if part.mean is not None]
    total = sum(count * mean for count, mean in known)
    count = sum(count for count, _mean in known)
    return Figure(
        rows=sum(part.rows for part in parts),
        zeros=sum(part.zeros for part in parts),
        blanks=sum(part.blanks for part in parts),
        mean=total // count if count else None,
    )


def _of_batch(
    one: Asked, figures: Mapping[str, Figure], past: Mapping[str, Sequence[Figure]], silent_days: int | None
) -> object:
    if one.measure is Measure.SILENT_DAYS:
        return silent_days
    column = one.column or next(iter(figures), "")
    now, before = figures.get(column), past.get(column, ())
    told = _FIGURES[Measure(one.measure.removeprefix("usual_"))]
    if not one.measure.startswith("usual_"):
        return None if now is None else told(now)
    known = [value for figure in before if (value := told(figure)) is not None]
    return np.median(np.asarray(known)) if len(known) >= BATCHES_FROM else None


def _share(part: int, whole: int) -> object:
    return np.divide(part, whole) if whole else None


_FIGURES: Final[Mapping[Measure, Callable[[Figure], object]]] = {
    Measure.MEAN: lambda figure: figure.mean,
    Measure.ROWS: lambda figure: figure.rows,
    Measure.ZEROS: lambda figure: _share(figure.zeros, figure.rows),
    Measure.BLANKS: lambda figure: _share(figure.blanks, figure.rows),
}


def _period(code: str, frame: pd.DataFrame) -> np.ndarray:
    """Return the number of the month, or of the year, that each row speaks of."""
    dated_by = _dated_by(code)
    if COLUMNS_OF[code][dated_by] is ValueKind.NUMBER:
        return frame[dated_by].to_numpy(dtype=np.int64)
    return frame[dated_by].to_numpy().astype("datetime64[M]").astype(np.int64)


def newest_on(code: str, frame: pd.DataFrame) -> date:
    """Return the last day of the newest stretch that some rows speak of."""
    newest = int(_period(code, frame).max())
    if COLUMNS_OF[code][_dated_by(code)] is ValueKind.NUMBER:
        return date(newest, MONTHS, 31)
    if not _is_monthly(code):
        newest_day: date = frame[_dated_by(code)].max()
        return newest_day
    ends_on: date = (np.datetime64(newest + 1, "M").astype("datetime64[D]") - 1).item()
    return ends_on


def _is_monthly(code: str) -> bool:
    return _dated_by(code) == "month"


def _year(code: str, frame: pd.DataFrame) -> np.ndarray:
    period = _period(code, frame)
    return period if COLUMNS_OF[code][_dated_by(code)] is ValueKind.NUMBER else period // MONTHS + 1970


def _dated_by(code: str) -> str:
    return {ITEM: "issued_on", INVOICE_MONTH: "month"}.get(code) or KINDS[code].dated_by


def _named(code: str) -> list[str]:
    """Return what tells the series of a firm's rows apart: the tax kind of a filing, beside the month."""
    kind = KINDS.get(code)
    return ["firm_id", *((name for name in kind.key if name != kind.dated_by) if kind else ())]


def _previous(one: Asked, code: str, frames: Frames) -> Values:
    frame, named = frames[code], _named(code)
    keyed = frame[named].assign(period=_period(code, frame), value=frame[one.column])
    before = keyed.assign(period=keyed["period"] + 1).drop_duplicates([*named, "period"])
    found = keyed.drop(columns="value").merge(before, on=[*named, "period"], how="left")
    return numbers(found["value"].to_numpy())


def _usual(one: Asked, code: str, frames: Frames) -> Values:
    frame = frames[code]
    grouped = frame.groupby(_named(code), sort=False)[str(one.column)]
    median, count = grouped.transform("median"), grouped.transform("count")
    return numbers(median.where(count >= USUAL_FROM).to_numpy(dtype=np.float64))


def _firms_with(one: Asked, code: str, frames: Frames) -> Values:
    frame = frames[code]
    return numbers(frame.groupby(one.column, sort=False)["firm_id"].transform("nunique").to_numpy())


def _other(one: Asked, frames: Frames) -> pd.DataFrame | None:
    other = frames.get(one.item_code)
    if other is None:
        return None
    for name, word in one.only:
        other = other[other[name] == word]
    return other if len(other) else None


def _same_month(one: Asked, code: str, frames: Frames) -> Values:
    return _looked_up(one, code, frames, _other(one, frames), _period)


def _same_year(one: Asked, code: str, frames: Frames) -> Values:
    other = _other(one, frames)
    if _is_monthly(one.item_code) and other is not None:
        # Eleven months are no year: a sum of what happens to be there would be held against a whole one.
        keyed = other.assign(year=_year(one.item_code, other), period=_period(one.item_code, other))
        months = keyed.groupby(["firm_id", "year"])["period"].transform("nunique")
        other = other[(months == MONTHS).to_numpy()]
    return _looked_up(one, code, frames, other, _year)


def _last_in_year(one: Asked, code: str, frames: Frames) -> Values:
    other = _other(one, frames)
    if other is not None:
        other = other[_period(one.item_code, other) % MONTHS == MONTHS - 1]
    return _looked_up(one, code, frames, other, _year)


def _looked_up(one: Asked, code: str, frames: Frames, other: pd.DataFrame | None, when: When) -> Values:
    """Return, beside each row, the sum of the other item's rows of the same firm and period."""
    frame = frames[code]
    if other is None or not len(other):
        return numbers(np.full(len(frame), np.nan))
    summed = (
        other[["firm_id"]]
        .assign(period=when(one.item_code, other), value=other[one.column].astype(np.float64))
        .groupby(["firm_id", "period"], as_index=False)["value"]
        .sum(min_count=1)
    )
    asking = frame[["firm_id"]].assign(period=when(code, frame))
    return numbers(asking.merge(summed, on=["firm_id", "period"], how="left")["value"].to_numpy())


_OF_FIRM: Final = {
    Measure.PREVIOUS: _previous,
    Measure.USUAL: _usual,
    Measure.FIRMS_WITH: _firms_with,
    Measure.SAME_MONTH: _same_month,
    Measure.SAME_YEAR: _same_year,
    Measure.LAST_IN_YEAR: _last_in_year,
}
