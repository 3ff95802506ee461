"""The customs and the freight register over HTTP: an API key, a firm's reference, XML in GBK."""

from dataclasses import dataclass, field
from datetime import date
from typing import Final

import httpx2

from xinyidai.sources.adapters import Row
from xinyidai.sources.adapters.asking import Asked, ask, client_of
from xinyidai.sources.rules.offices.trade_documents import DOCUMENTS, MAX_DOCUMENT_BYTES, NAME, rows_in

_PATHS: Final = {"import_export": "/customs/trade", "logistics": "/customs/freight"}


@dataclass
class Customs:
    """A client of the customs; one a worker process, for its connections are kept."""

    url: str
    api_key: str = field(repr=False)
    transport: httpx2.AsyncBaseTransport | None = None

    def __post_init__(self) -> None:
        self._client = client_of(self.url, self.transport)

    async def aclose(self) -> None:
        """Close the kept connections."""
        await self._client.aclose()

    async def months(
        self, reference: str, item_code: str, *, credit_code: str, months_from: date, months_to: date
    ) -> tuple[Row, ...]:
        """Return a firm's months of an item, the last included, with the columns of a delivery.

        Raises as `ask` does; `AnswerRefused` says what about the document is not believed.
        """
        query = {"reference": reference, "from": f"{months_from:%Y-%m}", "to": f"{months_to:%Y-%m}"}
        headers = {"X-Api-Key": self.api_key}
        asked = Asked("GET", _PATHS[item_code], headers, MAX_DOCUMENT_BYTES, params=query)
        document = await ask(self._client, NAME, asked)
        return tuple(rows_in(document, DOCUMENTS[item_code], credit_code=credit_code))
