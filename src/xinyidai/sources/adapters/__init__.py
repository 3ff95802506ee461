"""Outside systems that facts are pulled from, one file each, behind one Protocol; only tasks call them.

`wire.py` holds what they share: how a call is bounded, what its failures are called, and how it is made again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

from xinyidai.foundation.errors import SourceUnavailable

Row = Mapping[str, str | None]


class SourceDenied(Exception):
    """The source refuses for good: the permission or the access is not valid, or no longer."""


class ItemDenied(SourceDenied):
    """The permission stands and does not cover this item; others it may."""


class SourceBusy(SourceUnavailable):
    """The source asks for patience; `retry_after` is what it asked for, if it did. It may be well or in trouble."""

    def __init__(self, source: str, *, retry_after: timedelta | None) -> None:
        self.retry_after = retry_after
        super().__init__(source, "busy")


class SourceSilent(SourceUnavailable):
    """The source did not answer in time, or not to the end, or not at all."""

    def __init__(self, source: str) -> None:
        super().__init__(source, "silent")


class SourcePending(SourceUnavailable):
    """The source took the question and works on it; it will call back, or can be asked later."""

    def __init__(self, source: str) -> None:
        super().__init__(source, "pending")


class SourceChanged(SourceUnavailable):
    """The answer has not the form that was agreed: a field has another name, an amount another unit."""


class SourceUntrusted(SourceUnavailable):
    """The answer is not provably the source's, or not of now: its signature or its time is wrong."""


class SourceRepeats(SourceUnavailable):
    """A page says again what the page before it said: what should stand there is missing."""


@dataclass(frozen=True)
class Access:
    """What a permission was exchanged for: a secret to read with, and the items that it is known to open.

    A source that says nothing of items in advance names all it has, and refuses one by one with `ItemDenied`.
    """

    secret: str = field(repr=False)
    item_codes: frozenset[str]


@dataclass(frozen=True)
class Page:
    """One page of an item's rows: text under the columns of the item's deliveries, amounts in yuan.

    `covers_from` and `covers_to` are the first days of the first and last month (of a yearly item: year) that the
    answer speaks of; None where it speaks of none. A page without rows may cover months: they were looked at.
    """

    item_code: str
    rows: tuple[Row, ...]
    number: int
    pages: int
    covers_from: date | None = None
    covers_to: date | None = None


class Source(Protocol):
    """A system that holds facts of firms and gives them to whom the firm allowed it.

    Whether it answers at once, by files or by a call back, its calls fail in one way: every one may raise
    `SourceDenied`, `ItemDenied`, `SourceBusy`, `SourceSilent`, `SourceChanged`, `SourceUntrusted`, `SourceRepeats`, or
    else `SourceUnavailable`.
    """

    @property
    def source(self) -> str:
        """Return its code."""
        ...

    @property
    def items(self) -> tuple[str, ...]:
        """Return the catalogue items that it has, the one it is mostly asked for first."""
        ...

    async def aclose(self) -> None:
        """Close kept connections."""
        ...


class PulledSource(Source, Protocol):
    """A source that answers at once, page by page."""

    async def exchange(self, permission: str) -> Access:
        """Return what the firm's permission opens; a code that is good once is used up by it."""
        ...

    async def page(
        self, secret: str, item_code: str, *, credit_code: str, months_from: date, months_to: date, number: int
    ) -> Page:
        """Return a page, counted from 1, of the firm's rows of an item in these months, the last included."""
        ...

    async def give_back(self, secret: str) -> None:
        """Tell the source that the access is needed no more, if it wants to know."""
        ...
