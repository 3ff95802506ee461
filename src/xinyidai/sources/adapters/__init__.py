"""Outside systems that facts are pulled from, one file each, behind one Protocol; only tasks call them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

from xinyidai.foundation.errors import SourceUnavailable

Row = Mapping[str, str | None]


class SourceDenied(Exception):
    """The source refuses for good: the consent code or the access is not valid, or no longer."""


class SourceBusy(SourceUnavailable):
    """The source asks for patience; `retry_after` is what it asked for, if it did."""

    def __init__(self, source: str, *, retry_after: timedelta | None) -> None:
        self.retry_after = retry_after
        super().__init__(source, "busy")


class SourceSilent(SourceUnavailable):
    """The source did not answer in time, or not at all."""

    def __init__(self, source: str) -> None:
        super().__init__(source, "silent")


@dataclass(frozen=True)
class InvoicePage:
    """One page of a firm's invoices: rows with the columns of the file drop, and which months the source has at all."""

    rows: tuple[Row, ...]
    number: int
    pages: int
    covers_from: date | None
    covers_to: date | None


class InvoiceSource(Protocol):
    """A system that holds invoices and gives them to whom the firm allowed it.

    Every call may raise `SourceDenied`, `SourceBusy`, `SourceSilent`, or else `SourceUnavailable`: the answer is none.
    """

    async def exchange(self, consent_code: str) -> str:
        """Return the access token for a consent code, which is used up by it."""
        ...

    async def page(
        self, token: str, *, credit_code: str, months_from: date, months_to: date, number: int
    ) -> InvoicePage:
        """Return a page, counted from 1, of the firm's invoices in these months, the last included."""
        ...

    async def give_back(self, token: str) -> None:
        """Tell the source that the token is needed no more."""
        ...
