"""What a condition may call, and how operators work on columns: vectorised, with three answers yes, no and unknown.

Whatever touches a missing value is unknown, and so is a division by zero. Sums and differences of whole numbers stay
whole, so that fen are compared exactly; products and quotients are floats and serve bands only.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from xinyidai.quality.rules.columns import BoolArray, ValueKind, Values, either

NUMBER, DAY, TRUTH, WORD = ValueKind.NUMBER, ValueKind.DAY, ValueKind.TRUTH, ValueKind.WORD
Apply = Callable[..., Values]
_YEAR = re.compile(r"(?<!\d)(19|20)\d\d(?!\d)")
_WEEK = 7
_THURSDAY = 3
"""The first of January 1970, day zero, was one; Monday is 0."""


@dataclass(frozen=True)
class Function:
    """A function of the language: what it takes, what it returns, how it works on columns."""

    takes: tuple[ValueKind, ...]
    returns: ValueKind
    apply: Apply


def known_truth(array: BoolArray, missing: BoolArray | None) -> Values:
    """Return answers of which the unknown ones are no: the columns' promise."""
    return Values(TRUTH, array if missing is None else array & ~missing, missing)


def all_of(first: Values, second: Values) -> Values:
    """Return "and": no where one says no, even where the other is unknown."""
    yes: BoolArray = first.array & second.array
    if first.missing is None and second.missing is None:
        return Values(TRUTH, yes)
    return Values(TRUTH, yes, ~(yes | denied(first) | denied(second)))


def any_of(first: Values, second: Values) -> Values:
    """Return "or": yes where one says yes, even where the other is unknown."""
    yes: BoolArray = first.array | second.array
    if first.missing is None and second.missing is None:
        return Values(TRUTH, yes)
    return Values(TRUTH, yes, ~(yes | (denied(first) & denied(second))))


def negated(one: Values) -> Values:
    """Return "not"."""
    return Values(TRUTH, denied(one), one.missing)


def denied(one: Values) -> BoolArray:
    """Return where the answer is no, and known."""
    no: BoolArray = ~one.array if one.missing is None else ~(one.array | one.missing)
    return no


def is_missing(one: Values) -> Values:
    """Return where a value is missing: never unknown."""
    return Values(TRUTH, np.zeros(len(one), dtype=np.bool_) if one.missing is None else one.missing)


def compared(operator: Callable[..., BoolArray]) -> Callable[[Values, Values], Values]:
    """Return a comparison of two columns of numbers, days or truths."""

    def compare(first: Values, second: Values) -> Values:
        return known_truth(operator(first.array, second.array), either(first.missing, second.missing))

    return compare


def same_words(first: Values, second: Values) -> Values:
    """Return where two columns of words agree."""
    place = {word: number for number, word in enumerate(first.words)}
    table = np.array([*(place.get(word, -2) for word in second.words), -1], dtype=np.int64)
    return known_truth(first.array == table[second.array], either(first.missing, second.missing))


def calculated(operator: Callable[..., object], kind: ValueKind) -> Callable[[Values, Values], Values]:
    """Return a sum or difference: whole where both are whole."""

    def calculate(first: Values, second: Values) -> Values:
        return Values(kind, np.asarray(operator(first.array, second.array)), either(first.missing, second.missing))

    return calculate


def multiplied(first: Values, second: Values) -> Values:
    """Return a product, as floats: fen by a rate may be larger than a whole number can hold."""
    with np.errstate(invalid="ignore"):
        product = np.multiply(first.array, second.array, dtype=np.float64)
    return Values(NUMBER, product, either(first.missing, second.missing))


def divided(first: Values, second: Values) -> Values:
    """Return a quotient, missing where the divisor is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.divide(first.array, second.array, dtype=np.float64)
    is_zero = second.array == 0
    return Values(NUMBER, quotient, either(either(first.missing, second.missing), is_zero if is_zero.any() else None))


def remainder(first: Values, second: Values) -> Values:
    """Return what is left of a division, missing where the divisor is zero."""
    is_zero = second.array == 0
    left = np.remainder(first.array, np.where(is_zero, 1, second.array))
    return Values(NUMBER, left, either(either(first.missing, second.missing), is_zero if is_zero.any() else None))


def distance(one: Values, known: np.ndarray) -> Values:
    """Return how far each number lies from the nearest of `known`, which are in order."""
    place = np.searchsorted(known, one.array)
    above, below = known[np.minimum(place, len(known) - 1)], known[np.maximum(place - 1, 0)]
    return Values(NUMBER, np.minimum(np.abs(one.array - above), np.abs(one.array - below)), one.missing)


@lru_cache(maxsize=256)
def matcher(pattern: str) -> Callable[[str], bool]:
    """Return whether a whole word is of a pattern.

    Raises
    ------
    re.error
        The pattern is none.
    """
    compiled = re.compile(pattern)
    return lambda word: compiled.fullmatch(word) is not None


def _length(one: Values) -> Values:
    return one.of_words(NUMBER, len)


def _year_in(one: Values) -> Values:
    return one.of_words(NUMBER, lambda word: int(found.group()) if (found := _YEAR.search(word)) else None)


def _by_calendar(kind: ValueKind, told: Callable[[np.ndarray], np.ndarray]) -> Apply:
    """Return a function of days that asks the calendar once a day and not once a row, where the days are few."""

    def apply(one: Values) -> Values:
        array = one.array
        if not len(array):
            return Values(kind, array, one.missing)
        least, most = int(array.min()), int(array.max())
        if most - least > len(array):
            return Values(kind, told(array.astype("datetime64[D]")), one.missing)
        table = told(np.arange(least, most + 1).astype("datetime64[D]"))
        return Values(kind, table[array - least], one.missing)

    return apply


def _end_of_month(day: np.ndarray) -> np.ndarray:
    end: np.ndarray = (day.astype("datetime64[M]") + 1).astype("datetime64[D]").astype(np.int64) - 1
    return end


def _year_of(day: np.ndarray) -> np.ndarray:
    year: np.ndarray = day.astype("datetime64[Y]").astype(np.int64) + 1970
    return year


def _month_of(day: np.ndarray) -> np.ndarray:
    month: np.ndarray = day.astype("datetime64[M]").astype(np.int64) % 12 + 1
    return month


def _year_end(one: Values) -> Values:
    years = (one.array.astype(np.int64) - 1969).astype("datetime64[Y]").astype("datetime64[D]")
    return Values(DAY, years.astype(np.int64) - 1, one.missing)


def _weekday(one: Values) -> Values:
    return Values(NUMBER, (one.array.astype(np.int64) + _THURSDAY) % _WEEK, one.missing)


def _absolute(one: Values) -> Values:
    return Values(NUMBER, np.abs(one.array), one.missing)


def _implies(first: Values, second: Values) -> Values:
    return any_of(negated(first), second)


def _within(one: Values, least: Values, most: Values) -> Values:
    inside = (one.array >= least.array) & (one.array <= most.array)
    return known_truth(inside, either(one.missing, either(least.missing, most.missing)))


FUNCTIONS: Final[Mapping[str, Function]] = {
    "abs": Function((NUMBER,), NUMBER, _absolute),
    "implies": Function((TRUTH, TRUTH), TRUTH, _implies),
    "within": Function((NUMBER, NUMBER, NUMBER), TRUTH, _within),
    "month_end": Function((DAY,), DAY, _by_calendar(DAY, _end_of_month)),
    "year_end": Function((NUMBER,), DAY, _year_end),
    "year": Function((DAY,), NUMBER, _by_calendar(NUMBER, _year_of)),
    "month_number": Function((DAY,), NUMBER, _by_calendar(NUMBER, _month_of)),
    "weekday": Function((DAY,), NUMBER, _weekday),
    "length": Function((WORD,), NUMBER, _length),
    "year_in": Function((WORD,), NUMBER, _year_in),
    "smaller": Function((NUMBER, NUMBER), NUMBER, calculated(np.minimum, NUMBER)),
    "larger": Function((NUMBER, NUMBER), NUMBER, calculated(np.maximum, NUMBER)),
}
"""Every function but the measures and `matches`, whose pattern must be written down."""
