"""Amounts in yuan, as text or numbers, to whole fen: exactly, or not at all.

A double holds every amount of at most 10^13 yuan with two decimals without two of them meeting, so doubles are turned
into fen by rounding and turned back to see whether they said more than two decimals. Text is judged as text.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from xinyidai.foundation.money import MAX_FEN

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

_NUMERIC = r"^[+-]?[0-9]+(\.[0-9]+)?$"
# At most 14 digits before the point once leading zeros are gone: larger is out of range without a look.
_OF_MODEST_SIZE = r"^[+-]?0*[0-9]{1,14}(\.[0-9]+)?$"
_BEYOND_FEN = r"\.[0-9]{2}[0-9]*[1-9]"


@dataclass(frozen=True)
class Amounts:
    """A column of amounts; `fen` is 0 wherever one of the masks is true."""

    fen: IntArray
    is_missing: BoolArray
    is_bad: BoolArray
    is_out_of_range: BoolArray
    has_more_decimals: BoolArray


def read_amounts(column: pa.Array) -> Amounts:
    """Turn a column of yuan into fen: text, integers, decimals or doubles.

    Text is plain decimal notation; exponents, separators and words such as NaN are bad amounts, and so are a double's
    NaN and infinities. Of several faults of one amount every one is marked.
    """
    if pa.types.is_floating(column.type):
        return _from_doubles(column.cast(pa.float64()))
    if pa.types.is_integer(column.type):
        # Whole yuan beyond 2^53 lose their last digits as doubles, and are out of range long before.
        return _from_doubles(column.cast(pa.float64(), safe=False))
    return _from_text(column)


def as_bools(mask: pa.Array) -> BoolArray:
    """Return a mask as numpy booleans, null as False."""
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _from_doubles(column: pa.Array) -> Amounts:
    missing = as_bools(column.is_null())
    yuan = np.asarray(pc.fill_null(column, 0.0).to_numpy(zero_copy_only=False), dtype=np.float64)
    bad = ~np.isfinite(yuan)
    fen, out_of_range, in_range = _in_range(np.where(bad, 0.0, yuan))
    more = in_range & (fen / 100 != yuan)
    return _amounts(fen, missing, bad, out_of_range, more & ~bad)


def _from_text(column: pa.Array) -> Amounts:
    missing = as_bools(column.is_null())
    numeric = as_bools(pc.match_substring_regex(column, _NUMERIC))
    modest = as_bools(pc.match_substring_regex(column, _OF_MODEST_SIZE))
    # Text that is not a modest number is not handed to the parser at all: a megabyte of digits is refused by its shape.
    parsed = pc.if_else(pa.array(modest), column, "0").cast(pa.float64())
    fen, out_of_range, _ = _in_range(np.asarray(parsed.to_numpy(zero_copy_only=False), dtype=np.float64))
    more = as_bools(pc.match_substring_regex(column, _BEYOND_FEN)) & numeric
    return _amounts(fen, missing, ~numeric & ~missing, out_of_range | (numeric & ~modest), more)


def _in_range(yuan: npt.NDArray[np.float64]) -> tuple[IntArray, BoolArray, BoolArray]:
    in_range = np.abs(yuan) <= MAX_FEN / 100
    fen = np.rint(np.where(in_range, yuan, 0.0) * 100).astype(np.int64)
    return fen, ~in_range, in_range


def _amounts(fen: IntArray, missing: BoolArray, bad: BoolArray, out: BoolArray, more: BoolArray) -> Amounts:
    unusable = missing | bad | out | more
    return Amounts(np.where(unusable, 0, fen), missing, bad, out, more)
