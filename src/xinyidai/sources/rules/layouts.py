"""How the rows of one kind of delivery are read from whatever format they came in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from xinyidai.sources.rules.amounts import IntArray


class ReadRows(Protocol):
    """A chunk as its layout reads it: the batch it came from and each row's line, ready to be judged."""

    @property
    def raw(self) -> pa.RecordBatch:
        """Return what was delivered, for rows that are kept aside."""
        ...

    @property
    def line_no(self) -> IntArray:
        """Return each row's line in the delivery."""
        ...


@dataclass(frozen=True)
class Layout:
    """The columns that a delivery must have, and how a chunk of them is read."""

    columns: tuple[str, ...]
    read: Callable[[pa.RecordBatch, IntArray], ReadRows]
