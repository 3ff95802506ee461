"""Invoices as they are read back: columns of numbers, with nothing around them that one firm would pay for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xinyidai.sources.rules.amounts import BoolArray, IntArray
from xinyidai.sources.rules.fields import DayArray

_SHANGHAI_OFFSET = np.timedelta64(8, "h")


@dataclass(frozen=True)
class Invoices:
    """Invoices of some firms, firm by firm, as columns of equal length.

    A frame of the same columns costs one firm of 150 invoices more than all that is computed from them.

    Parameters
    ----------
    firms : sequence of str
        The ids of the firms that have any, ascending.
    counts : ndarray, shape (n_firms,), int64
        How many invoices each has, at least one.
    issued_on : ndarray, shape (n,), datetime64[D]
        Shanghai's day.
    is_sale : ndarray, shape (n,), bool
        Sales (销项) or else purchases (进项).
    counterparty : ndarray, shape (n,), int64
        Place in `counterparties`, which are all different.
    """

    firms: Sequence[str]
    counts: IntArray
    issued_on: DayArray
    is_sale: BoolArray
    counterparty: IntArray
    counterparties: Sequence[str]
    net_fen: IntArray
    tax_fen: IntArray
    gross_fen: IntArray
    is_void: BoolArray

    def __len__(self) -> int:
        return len(self.issued_on)

    @property
    def firm(self) -> IntArray:
        """The place of each invoice's firm in `firms`."""
        return np.repeat(np.arange(len(self.firms)), self.counts)

    @property
    def issued_at_us(self) -> IntArray:
        """The first moment of each day in Shanghai, in microseconds UTC."""
        return (self.issued_on.astype("datetime64[us]") - _SHANGHAI_OFFSET).astype(np.int64)


def coded(texts: Sequence[str]) -> tuple[IntArray, list[str]]:
    """Return the place of each text among the different ones, and these in the order in which they first stand."""
    names = list(dict.fromkeys(texts))
    place = dict(zip(names, range(len(names)), strict=True))
    return np.fromiter(map(place.__getitem__, texts), np.int64, len(texts)), names
