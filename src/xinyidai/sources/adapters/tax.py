"""The tax bureau's invoices over HTTP: OAuth2 codes and tokens, pages, quota."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import httpx2

from xinyidai.foundation.errors import SourceUnavailable
from xinyidai.sources.adapters import InvoicePage, Row, SourceBusy, SourceDenied, SourceSilent
from xinyidai.sources.rules import COLUMNS
from xinyidai.sources.rules.pulls import MAX_PAGES

NAME: Final = "tax"
PAGE_SIZE: Final = 500
TIMEOUT: Final = httpx2.Timeout(10.0, connect=2.0)
MAX_ANSWER_BYTES: Final = 4 << 20
_CREDIT_CODE: Final = "credit_code"
_MAX_FIELD: Final = 400


@dataclass
class TaxBureau:
    """A client of the bureau's; one a worker process, for its connections are kept."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    transport: httpx2.AsyncBaseTransport | None = None

    def __post_init__(self) -> None:
        self._client = httpx2.AsyncClient(
            base_url=self.url, timeout=TIMEOUT, transport=self.transport, trust_env=False, follow_redirects=False
        )

    async def aclose(self) -> None:
        """Close the kept connections."""
        await self._client.aclose()

    async def exchange(self, consent_code: str) -> str:
        """Return the access token for a consent code."""
        body = await self._send("/tax/token", {"grant_type": "authorization_code", "code": consent_code})
        token = body.get("access_token")
        if not isinstance(token, str) or not token:
            raise SourceUnavailable(NAME, "no token in the answer")
        return token

    async def page(
        self, token: str, *, credit_code: str, months_from: date, months_to: date, number: int
    ) -> InvoicePage:
        """Return a page of the firm's invoices."""
        asked = {
            "from": f"{months_from:%Y-%m}",
            "to": f"{months_to:%Y-%m}",
            "page": str(number),
            "page_size": str(PAGE_SIZE),
        }
        body = await self._call("GET", "/tax/invoices", params=asked, headers={"Authorization": f"Bearer {token}"})
        if body.get(_CREDIT_CODE) != credit_code:
            raise SourceUnavailable(NAME, "another firm's answer")
        try:
            return _page_of(body, credit_code, number)
        except (KeyError, TypeError, ValueError) as error:
            raise SourceUnavailable(NAME, f"malformed page: {type(error).__name__}") from error

    async def give_back(self, token: str) -> None:
        """Revoke the token at the bureau."""
        await self._send("/tax/revoke", {"token": token})

    async def _send(self, path: str, form: Mapping[str, str]) -> Mapping[str, object]:
        own = {"client_id": self.client_id, "client_secret": self.client_secret}
        return await self._call("POST", path, form={**form, **own})

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Mapping[str, object]:
        try:
            answer = await self._client.request(method, path, params=params, data=form, headers=headers)
        except httpx2.TransportError as error:
            raise SourceSilent(NAME) from error
        if answer.status_code == 429 or answer.status_code == 503:
            raise SourceBusy(NAME, retry_after=_retry_after(answer))
        if answer.status_code in (400, 401, 403):
            raise SourceDenied
        if answer.status_code >= 300:
            raise SourceUnavailable(NAME, f"HTTP {answer.status_code}")
        if len(answer.content) > MAX_ANSWER_BYTES:
            raise SourceUnavailable(NAME, "answer too large")
        try:
            body = answer.json() if answer.content else {}
        except ValueError as error:
            raise SourceUnavailable(NAME, "not JSON") from error
        return body if isinstance(body, dict) else {}


def _page_of(body: Mapping[str, object], credit_code: str, number: int) -> InvoicePage:
    rows, pages, covers = body["rows"], body["pages"], body.get("covers") or {}
    if not isinstance(rows, list) or not isinstance(pages, int) or not isinstance(covers, dict):
        raise TypeError("rows, pages or covers")
    if body["page"] != number or not 0 <= pages <= MAX_PAGES or len(rows) > PAGE_SIZE:
        raise ValueError("page out of range")
    return InvoicePage(
        rows=tuple(_row(one, credit_code) for one in rows),
        number=number,
        pages=pages,
        covers_from=_month(covers.get("from")),
        covers_to=_month(covers.get("to")),
    )


def _row(said: object, credit_code: str) -> Row:
    """Return a row as text, with the columns of the file drop; what is wrong with a field is said by the checks."""
    if not isinstance(said, dict):
        raise TypeError("row")
    row: dict[str, str | None] = {}
    for name in COLUMNS:
        value = said.get(name)
        row[name] = None if value is None else str(value)[:_MAX_FIELD]
    return {**row, _CREDIT_CODE: credit_code}


def _month(said: object) -> date | None:
    return None if said is None else date.fromisoformat(f"{said}-01")


def _retry_after(answer: httpx2.Response) -> timedelta | None:
    asked = answer.headers.get("Retry-After", "")
    return timedelta(seconds=int(asked)) if asked.isdigit() and len(asked) < 8 else None
