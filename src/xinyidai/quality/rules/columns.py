"""Columns as a condition sees them: an array, which of its values are missing, and the words that codes stand for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

BoolArray = npt.NDArray[np.bool_]
Plain = str | int | float | bool | None
"""One value as it is written down: in a condition, in a rule's examples."""
Number = int | float


class ValueKind(StrEnum):
    """What a value is: a number, a day, yes or no, or a word."""

    NUMBER = "number"
    DAY = "day"
    TRUTH = "truth"
    WORD = "word"


@dataclass(frozen=True)
class Values:
    """A column of one kind.

    `array` holds whole numbers or floats, days since 1970, booleans, or codes into `words` with -1 for a missing one.
    `missing` is None where nothing is missing. A boolean that is missing is False.
    """

    kind: ValueKind
    array: np.ndarray
    missing: BoolArray | None = None
    words: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.array)

    def of_words(self, kind: ValueKind, meaning: Callable[[str], int | bool | None]) -> "Values":
        """Return what `meaning` says of each word, looked up once a word and not once a row; None is missing."""
        told: list[int | bool | None] = [meaning(word) for word in self.words]
        kept = np.bool_ if kind is ValueKind.TRUTH else np.int64
        table: np.ndarray = np.array([*(value or 0 for value in told), 0], dtype=kept)
        unknown = np.array([*(value is None for value in told), True])
        missing = unknown[self.array]
        return Values(kind, table[self.array], missing if missing.any() else None)


Columns = Mapping[str, Values]


def numbers(values: Sequence[Number | None] | np.ndarray) -> Values:
    """Return numbers; None and NaN are missing. Whole numbers stay whole: fen are compared exactly."""
    array = np.asarray(values)
    if array.dtype == object:
        missing = np.array([one is None or one != one for one in array], dtype=np.bool_)
        whole = all(isinstance(one, int | np.integer) for one in array[~missing])
        array = np.where(missing, 0, array).astype(np.int64 if whole else np.float64)
        return Values(ValueKind.NUMBER, array, missing if missing.any() else None)
    if array.dtype.kind == "f":
        missing = np.isnan(array)
        return Values(ValueKind.NUMBER, array, missing if missing.any() else None)
    return Values(ValueKind.NUMBER, array.astype(np.int64, copy=False))


def days(values: Sequence[date | None] | np.ndarray) -> Values:
    """Return days; None and NaT are missing."""
    array = np.asarray(values) if isinstance(values, np.ndarray) else np.array(values, dtype=object)
    array = array.astype("datetime64[D]")
    missing = np.isnat(array)
    whole = np.where(missing, np.datetime64(0, "D"), array).astype(np.int64)
    return Values(ValueKind.DAY, whole, missing if missing.any() else None)


def truths(values: Sequence[bool | None] | np.ndarray) -> Values:
    """Return booleans; None is missing."""
    array = np.asarray(values)
    if array.dtype == np.bool_:
        return Values(ValueKind.TRUTH, array)
    missing = np.array([one is None or one != one for one in array], dtype=np.bool_)
    return Values(ValueKind.TRUTH, np.where(missing, False, array).astype(np.bool_), missing if missing.any() else None)


def words(values: Sequence[str | None] | np.ndarray) -> Values:
    """Return words as codes."""
    code, found = pd.factorize(np.asarray(values, dtype=object))
    missing = code < 0
    return Values(ValueKind.WORD, code.astype(np.int32), missing if missing.any() else None, tuple(found))


_MAKERS: Final = {
    ValueKind.NUMBER: numbers,
    ValueKind.DAY: days,
    ValueKind.TRUTH: truths,
    ValueKind.WORD: words,
}


def values_of(kind: ValueKind, values: Sequence[object] | np.ndarray) -> Values:
    """Return a column of a kind from plain values."""
    return _MAKERS[kind](np.asarray(values, dtype=None if isinstance(values, np.ndarray) else object))


def repeated(kind: ValueKind, value: object, count: int) -> Values:
    """Return one value as a column of `count` rows."""
    one = values_of(kind, [value])
    missing = None if one.missing is None else np.repeat(one.missing, count)
    return Values(kind, np.repeat(one.array, count), missing, one.words)


def either(first: BoolArray | None, second: BoolArray | None) -> BoolArray | None:
    """Return where one of two columns is missing."""
    if first is None or second is None:
        return first if second is None else second
    return first | second
