"""The tax bureau over HTTP: OAuth2 codes and tokens, pages, quota; invoices, returns, grades, notices of arrears."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import httpx2

from xinyidai.foundation.errors import SourceUnavailable
from xinyidai.sources.adapters import Access, ItemDenied, Page, Row, SourceChanged, SourceDenied
from xinyidai.sources.adapters.wire import (
    amount_in_yuan,
    client_of,
    json_object,
    patiently,
    refusal_of,
    send,
)
from xinyidai.sources.rules import COLUMNS
from xinyidai.sources.rules.pulls import MAX_PAGES
from xinyidai.sources.rules.records.kinds import KINDS

NAME: Final = "tax"
PAGE_SIZE: Final = 500
_CREDIT_CODE: Final = "credit_code"
_MAX_FIELD: Final = 400
_USUAL_SCOPE: Final = "vat_invoices"
SCOPES: Final[Mapping[str, str]] = {
    "vat_invoice": _USUAL_SCOPE,
    "tax_filing": "tax_filing",
    "tax_grade": "tax_grade",
    "tax_arrears": "tax_arrears",
}
"""What the bureau calls the items when it asks the firm."""
_PATHS: Final = {
    "vat_invoice": "/tax/invoices",
    "tax_filing": "/tax/filings",
    "tax_grade": "/tax/grades",
    "tax_arrears": "/tax/arrears",
}
_WITHOUT_MONTHS: Final = frozenset({"tax_grade", "tax_arrears"})
_TAX_KINDS: Final = {"cit": "income", "iit": "income"}
"""Enterprise and individual income tax are one kind here."""


@dataclass
class TaxBureau:
    """A client of the bureau's; one a worker process, for its connections are kept."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    transport: httpx2.AsyncBaseTransport | None = None
    source: str = NAME
    items: tuple[str, ...] = tuple(SCOPES)

    def __post_init__(self) -> None:
        self._client = client_of(self.url, self.transport)

    async def aclose(self) -> None:
        """Close the kept connections."""
        await self._client.aclose()

    async def exchange(self, permission: str) -> Access:
        """Return the access token for a consent code, and the items that the firm ticked at the bureau.

        Asked once: a code whose answer was lost is used up.
        """
        body = await self._post("/tax/token", {"grant_type": "authorization_code", "code": permission})
        token, scope = body.get("access_token"), body.get("scope", _USUAL_SCOPE)
        if not isinstance(token, str) or not token or not isinstance(scope, str):
            raise SourceChanged(NAME, "no token in the answer")
        granted = scope.split()
        return Access(token, frozenset(item for item, called in SCOPES.items() if called in granted))

    async def page(
        self, secret: str, item_code: str, *, credit_code: str, months_from: date, months_to: date, number: int
    ) -> Page:
        """Return a page of the firm's rows."""
        asked = {"page": str(number), "page_size": str(PAGE_SIZE)}
        if item_code not in _WITHOUT_MONTHS:
            asked |= {"from": f"{months_from:%Y-%m}", "to": f"{months_to:%Y-%m}"}
        body = await patiently(lambda: self._get(_PATHS[item_code], asked, secret))
        if body.get(_CREDIT_CODE) != credit_code:
            raise SourceUnavailable(NAME, "another firm's answer")
        try:
            return _page_of(body, item_code, credit_code, number)
        except (KeyError, TypeError, ValueError) as error:
            raise SourceChanged(NAME, f"malformed page: {type(error).__name__}") from error

    async def give_back(self, secret: str) -> None:
        """Revoke the token at the bureau."""
        await self._post("/tax/revoke", {"token": secret})

    async def _get(self, path: str, params: Mapping[str, str], token: str) -> Mapping[str, object]:
        headers = {"Authorization": f"Bearer {token}"}
        return await self._answered(self._client.build_request("GET", path, params=dict(params), headers=headers))

    async def _post(self, path: str, form: Mapping[str, str]) -> Mapping[str, object]:
        own = {"client_id": self.client_id, "client_secret": self.client_secret}
        return await self._answered(self._client.build_request("POST", path, data={**form, **own}))

    async def _answered(self, request: httpx2.Request) -> Mapping[str, object]:
        answer = await send(self._client, request, source=NAME)
        if answer.status in (400, 401, 403):
            raise ItemDenied if refusal_of(answer) == "insufficient_scope" else SourceDenied
        if answer.status >= 300:
            raise SourceUnavailable(NAME, f"HTTP {answer.status}")
        return json_object(answer, source=NAME) if answer.content else {}


def _page_of(body: Mapping[str, object], item_code: str, credit_code: str, number: int) -> Page:
    rows, pages, covers = body["rows"], body["pages"], body.get("covers") or {}
    if not isinstance(rows, list) or not isinstance(pages, int) or not isinstance(covers, dict):
        raise TypeError("rows, pages or covers")
    if body["page"] != number or not 0 <= pages <= MAX_PAGES or len(rows) > PAGE_SIZE:
        raise ValueError("page out of range")
    read = tuple(_row(one, item_code, credit_code) for one in rows)
    if item_code == "tax_grade":
        years = [date(int(row["year"] or ""), 1, 1) for row in read]
        return Page(item_code, read, number, pages, min(years, default=None), max(years, default=None))
    return Page(item_code, read, number, pages, _month(covers.get("from")), _month(covers.get("to")))


def _row(said: object, item_code: str, credit_code: str) -> Row:
    """Return a row as text, with the columns of a delivery; values are judged there, missing columns here."""
    if not isinstance(said, dict):
        raise TypeError("row")
    record = KINDS.get(item_code)
    row: dict[str, str | None] = {}
    for name in COLUMNS if record is None else record.delivered:
        if name != _CREDIT_CODE:
            value = amount_in_yuan(said[name], source=NAME) if name.endswith("_yuan") else said[name]
            row[name] = None if value is None else str(value)[:_MAX_FIELD]
    if "tax_kind" in row:
        row["tax_kind"] = _TAX_KINDS.get(row["tax_kind"] or "", row["tax_kind"])
    return {**row, _CREDIT_CODE: credit_code}


def _month(said: object) -> date | None:
    return None if said is None else date.fromisoformat(f"{said}-01")
