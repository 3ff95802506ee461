"""The utilities over HTTP: signed requests, signed answers, a firm's authorisation number; power, water, gas."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final
from urllib.parse import quote

import httpx2

from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.errors import SourceUnavailable
from xinyidai.sources.adapters import Access, ItemDenied, Page, Row, SourceChanged, SourceDenied, SourceUntrusted
from xinyidai.sources.adapters.wire import (
    Answer,
    amount_in_yuan,
    client_of,
    json_object,
    patiently,
    refusal_of,
    send,
)
from xinyidai.sources.rules.pulls import MAX_PAGES
from xinyidai.sources.rules.records.kinds import KINDS

NAME: Final = "utilities"
ITEMS: Final = ("electricity", "water", "gas")
PATH: Final = "/utilities/readings"
MAX_ROWS: Final = 100
SKEW: Final = timedelta(minutes=5)
"""How far the utility's clock may be from ours, to either side, before its answer counts as one of another time."""
_FLAGS: Final = {"Y": "true", "N": "false"}


@dataclass
class Utilities:
    """A client of the utilities'; one a worker process, for its connections are kept."""

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
        """Return a page of a meter's monthly readings."""
        asked = {
            "item": item_code,
            "reference": secret,
            "from": f"{months_from:%Y-%m}",
            "to": f"{months_to:%Y-%m}",
            "page": str(number),
        }
        body = await patiently(lambda: self._ask(asked))
        if body.get("credit_code") != credit_code:
            raise SourceUnavailable(NAME, "another firm's answer")
        try:
            return _page_of(body, item_code, credit_code, number)
        except (KeyError, TypeError, ValueError) as error:
            raise SourceChanged(NAME, f"malformed page: {type(error).__name__}") from error

    async def give_back(self, secret: str) -> None:
        """Say nothing: the number is the firm's, good until it takes it back or a year is over."""

    async def _ask(self, asked: Mapping[str, str]) -> Mapping[str, object]:
        query, nonce = canonical_query(asked), secrets.token_hex(16)
        timestamp = str(int(wall_now().timestamp()))
        headers = {
            "X-Api-Key": self.client_id,
            "X-Timestamp": timestamp,
            "X-Nonce": nonce,
            "X-Signature": signature(self.client_secret, "GET", PATH, query, timestamp, nonce, _digest(b"")),
        }
        request = self._client.build_request("GET", f"{PATH}?{query}", headers=headers)
        answer = await send(self._client, request, source=NAME)
        if answer.status == 403:
            raise ItemDenied if refusal_of(answer) == "insufficient_scope" else SourceDenied
        if answer.status >= 300:
            # 401 is about this platform's key, clock or signature: no fault of the firm's, whose number is not read.
            raise SourceUnavailable(NAME, f"HTTP {answer.status} {refusal_of(answer)}")
        self._check(answer, nonce)
        return json_object(answer, source=NAME)

    def _check(self, answer: Answer, nonce: str) -> None:
        """Refuse an answer that is not signed with our secret, for this request, at about this time."""
        told = answer.headers
        timestamp = told.get("X-Timestamp", "")
        wanted = signature(self.client_secret, str(answer.status), timestamp, nonce, _digest(answer.content))
        if not hmac.compare_digest(told.get("X-Signature", "").encode(), wanted.encode()):
            raise SourceUntrusted(NAME, "the signature is wrong")
        is_number = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 10
        if not is_number or abs(wall_now().timestamp() - int(timestamp)) > SKEW.total_seconds():
            raise SourceUntrusted(NAME, "its clock is wrong")


def canonical_query(asked: Mapping[str, str]) -> str:
    """Return a query with its pairs sorted and percent-encoded but for letters, digits and ``-._~``."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(asked.items()))


def signature(secret: str, *lines: str) -> str:
    """Return HMAC-SHA256 over the lines, hexadecimal."""
    return hmac.new(secret.encode(), "\n".join(lines).encode(), hashlib.sha256).hexdigest()


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _page_of(body: Mapping[str, object], item_code: str, credit_code: str, number: int) -> Page:
    rows, pages = body["rows"], body["pages"]
    if not isinstance(rows, list) or not isinstance(pages, int):
        raise TypeError("rows or pages")
    is_in_order = body["page"] == number and body["item"] == item_code
    if not is_in_order or not 0 <= pages <= MAX_PAGES or len(rows) > MAX_ROWS:
        raise ValueError("page out of range")
    read = tuple(_row(one, item_code, credit_code) for one in rows)
    months = [date.fromisoformat(f"{row['month']}-01") for row in read]
    return Page(item_code, read, number, pages, min(months, default=None), max(months, default=None))


def _row(said: object, item_code: str, credit_code: str) -> Row:
    """Return a reading as text with the columns of a delivery; a column that is not there is a change of form."""
    if not isinstance(said, dict):
        raise TypeError("row")
    row: dict[str, str | None] = {"credit_code": credit_code}
    for name in KINDS[item_code].delivered[1:]:
        if name == "month":
            period = str(said["period"])
            row[name] = f"{period[:4]}-{period[4:]}"
        elif name.endswith("_yuan"):
            row[name] = amount_in_yuan(said[name], source=NAME)
        elif name == "is_cut_off":
            row[name] = _FLAGS[str(said[name])]
        else:
            row[name] = str(_whole(said[name]))
    return row


def _whole(said: object) -> int:
    if not isinstance(said, int) or isinstance(said, bool):
        raise TypeError("quantity")
    return said
