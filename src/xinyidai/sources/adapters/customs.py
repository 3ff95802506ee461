"""The customs and the freight register over HTTP: an API key, a firm's reference, XML in GBK."""

from dataclasses import dataclass, field
from datetime import date
from typing import Final

import httpx2

from xinyidai.sources.adapters import Access, Page
from xinyidai.sources.adapters.asking import ask
from xinyidai.sources.adapters.wire import client_of, patiently
from xinyidai.sources.rules.offices.trade_documents import DOCUMENTS, MAX_DOCUMENT_BYTES, NAME, rows_in

_PATHS: Final = {"import_export": "/customs/trade", "logistics": "/customs/freight"}
ITEMS: Final = tuple(_PATHS)


@dataclass
class Customs:
    """A client of the customs; one a worker process, for its connections are kept. The secret is its API key."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    transport: httpx2.AsyncBaseTransport | None = None
    source: str = NAME
    items: tuple[str, ...] = ITEMS

    def __post_init__(self) -> None:
        self._client = client_of(self.url, self.transport)

    async def aclose(self) -> None:
        """Close the kept connections."""
        await self._client.aclose()

    async def exchange(self, permission: str) -> Access:
        """Return the firm's authorisation number as it is: it is read with, and refuses item by item."""
        return Access(permission, frozenset(ITEMS))

    async def page(
        self, secret: str, item_code: str, *, credit_code: str, months_from: date, months_to: date, number: int
    ) -> Page:
        """Return all months of an item at once: the customs know no pages.

        They leave out what they do not know yet, so what is covered is what stands there. Raises as `ask` does;
        `AnswerRefused` says what about the document is not believed.
        """
        query = {"reference": secret, "from": f"{months_from:%Y-%m}", "to": f"{months_to:%Y-%m}"}
        headers = {"X-Api-Key": self.client_secret}

        async def called() -> bytes:
            request = self._client.build_request("GET", _PATHS[item_code], params=query, headers=headers)
            return await ask(self._client, request, source=NAME, most_bytes=MAX_DOCUMENT_BYTES)

        rows = tuple(rows_in(await patiently(called), DOCUMENTS[item_code], credit_code=credit_code))
        months = sorted(month for row in rows if (month := _first_day(row["month"])) is not None)
        return Page(
            item_code,
            rows,
            number=number,
            pages=1,
            covers_from=months[0] if months else None,
            covers_to=months[-1] if months else None,
        )

    async def give_back(self, secret: str) -> None:
        """Do nothing: a number is the firm's to take back."""


def _first_day(month: str | None) -> date | None:
    """Return a month's first day; what is no month is for the checks to name."""
    try:
        return date.fromisoformat(f"{month}-01")
    except ValueError:
        return None
