"""Electricity, water and gas: signed requests, a nonce good once, signed answers."""

import json
from datetime import UTC, datetime, timedelta

from litestar import Response, get
from litestar.params import FromQuery

from city.providers.answers import AnyRequest, Json, Refused, city_of, is_same
from city.providers.faults import Kind, skewed
from city.providers.gate import Passage, client_of, count_call, pass_by_reference
from city.providers.signatures import canonical_query, sha256, signed
from city.providers.writing import asked_for, page_of, written
from city.settings import Client
from city.world.calendar import month_of
from city.world.observing import shown

PROVIDER = "utilities"
WINDOW = timedelta(minutes=5)
"""How far the time of a request may be from the utility's, to either side."""
MOST_NONCE = 64
LEAST_NONCE = 16
PAGE_SIZE = 12
ITEMS = ("electricity", "water", "gas")


@get("/utilities/readings", sync_to_thread=False)
def list_readings(
    request: AnyRequest, item: FromQuery[str] = "", reference: FromQuery[str] = "", page: FromQuery[int] = 1
) -> Response[bytes]:
    """List the monthly readings of one meter; `from` and `to` are months, both included, twelve to a page."""
    city = city_of(request)
    client = client_of(city, PROVIDER)
    nonce = _checked(request, client)
    allowance = count_call(request, PROVIDER, client)
    if item not in ITEMS:
        raise Refused(422, "invalid_request", f"item is one of {', '.join(ITEMS)}", headers=allowance.headers())
    passage = pass_by_reference(request, PROVIDER, reference, item, allowance)
    try:
        asked = asked_for(request.query_params, page, PAGE_SIZE, until=month_of(passage.known_by) - 1)
    except ValueError as refused:
        raise Refused(422, "invalid_request", str(refused), headers=passage.headers) from None
    span = (asked.first_month, asked.last_month)
    found = shown(city.city_file.seed, passage.firm, item, *span, passage.known_by)
    rows = [_reading(row, passage) for row in found]
    passage.log(f"{item} page {page}")
    body: Json = {"credit_code": passage.firm.credit_code, "item": item, **page_of(rows, asked, passage.fault)}
    return _signed_answer(body, passage, client, nonce)


def request_signature(
    secret: str, method: str, path: str, query: list[tuple[str, str]], timestamp: str, nonce: str, body: bytes
) -> str:
    """Return the signature of a request: six lines, HMAC-SHA256, hexadecimal."""
    return signed(secret, method, path, canonical_query(query), timestamp, nonce, sha256(body))


def answer_signature(secret: str, status: int, timestamp: str, nonce: str, body: bytes) -> str:
    """Return the signature of an answer; the nonce is the request's."""
    return signed(secret, str(status), timestamp, nonce, sha256(body))


def _checked(request: AnyRequest, client: Client) -> str:
    """Check key, time, signature and nonce, in this order: a wrong signature uses up no nonce.

    Raises
    ------
    Refused
    """
    city, told = city_of(request), request.headers
    timestamp, nonce = told.get("x-timestamp", ""), told.get("x-nonce", "")
    if not is_same(told.get("x-api-key", ""), client.client_id):
        raise Refused(401, "invalid_client")
    wall = city.ground.wall()
    if not _is_near(timestamp, wall):
        raise Refused(401, "timestamp_refused", "seconds since 1970, at most five minutes off")
    query = [(name, str(value)) for name, value in request.query_params.multi_items()]
    wanted = request_signature(client.client_secret, request.method, request.url.path, query, timestamp, nonce, b"")
    if not LEAST_NONCE <= len(nonce) <= MOST_NONCE or not is_same(told.get("x-signature", ""), wanted):
        raise Refused(401, "signature_wrong")
    # A nonce is kept for twice the window: a request from the future can come again until then.
    if not city.store.take_nonce(client.client_id, nonce, wall=wall, forget_before=wall - 2 * WINDOW):
        raise Refused(401, "nonce_used")
    return nonce


def _is_near(timestamp: str, wall: datetime) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 10):
        return False
    return abs(datetime.fromtimestamp(int(timestamp), UTC) - wall) <= WINDOW


def _reading(row: object, passage: Passage) -> dict[str, object]:
    """Write a row as meters are written: the month as a period, a flag as Y or N."""
    said = written(row, passage.money)
    period = str(said.pop("month")).replace("-", "")
    flags = {name: "Y" if value else "N" for name, value in said.items() if isinstance(value, bool)}
    return {"period": period, **said, **flags}


def _signed_answer(body: Json, passage: Passage, client: Client, nonce: str) -> Response[bytes]:
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    timestamp = str(int(skewed(passage.city.ground.wall(), passage.fault).timestamp()))
    secret = client.client_secret + ("?" if passage.fault is Kind.WRONG_SIGNATURE else "")
    signature = answer_signature(secret, 200, timestamp, nonce, content)
    headers = {"X-Timestamp": timestamp, "X-Nonce": nonce, "X-Signature": signature, "Cache-Control": "no-store"}
    return Response(content, media_type="application/json", headers=passage.headers | headers)
