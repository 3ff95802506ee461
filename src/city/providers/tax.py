"""The tax bureau's interface: consent, token, invoices a month late, quota, and a log of every read (OAuth 2.0)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from litestar import Response, get, post
from litestar.params import FromQuery
from litestar.status_codes import HTTP_200_OK

from city.consenting import SCOPE, digest_of, issue_code, issue_token, redeem_code
from city.living.city import City
from city.providers.answers import AnyRequest, Json, bearer, city_of, is_same, no
from city.providers.history import basic_credentials, is_client
from city.store import Granted
from city.world.calendar import FIRST_MONTH, MONTHS, day_of, month_named, month_of, name_of
from city.world.invoices import COLUMNS, invoice_rows

MOST_PAGE_SIZE = 500
USUAL_PAGE_SIZE = 200
VISIBLE_FROM_DAY = 15
"""A month's invoices can be read from this day of the next month on: returns are due then."""
MOST_BODY = 20
NOT_STORED = {"Cache-Control": "no-store"}


@dataclass(frozen=True)
class Asked:
    """Which months and which page of them."""

    first_month: int
    last_month: int
    page: int
    page_size: int


@post("/tax/authorizations", status_code=201)
async def authorize_by_secret(request: AnyRequest) -> Response[Json]:
    """Let a firm say yes by its own secret as bearer; `credit_code`, `client_id` and `scope` are in the body."""
    city, fields = city_of(request), await _fields(request)
    code = fields.get("credit_code", "")
    actor, tax = city.city_file.actors.get(code), city.city_file.tax
    if actor is None or code not in city.registry or not is_same(bearer(request), actor.city_secret):
        return no(401, "secret_wrong")
    if tax is None or fields.get("client_id") != tax.client_id or fields.get("scope", SCOPE) != SCOPE:
        return no(422, "invalid_request", "unknown client or scope")
    issued = issue_code(city.store, tax.client_id, code, wall=city.ground.wall())
    return Response({"code": issued}, status_code=201, headers=NOT_STORED)


@post("/tax/token", status_code=HTTP_200_OK)
async def exchange_code(request: AnyRequest) -> Response[Json]:
    """Give an access token for a consent code (RFC 6749 section 4.1.3)."""
    city, fields = city_of(request), await _fields(request)
    client_id = _client(request, city, fields)
    if client_id is None:
        return no(401, "invalid_client", headers={"WWW-Authenticate": 'Basic realm="city"'})
    allowance = request.app.state.quotas.take(client_id, city.ground.wall())
    if allowance.is_over:
        return no(429, "too_many_requests", headers=allowance.headers())
    granted = redeem_code(city.store, client_id, fields.get("code", ""), wall=city.ground.wall())
    if granted is None:
        return no(400, "invalid_grant", "the code is unknown, used or over", headers=allowance.headers())
    token, expires_at = issue_token(city.store, granted, business=city.clock.now())
    body: Json = {
        "access_token": token,
        "token_type": "Bearer",
        "scope": granted.scope,
        "credit_code": granted.credit_code,
        "expires_at": expires_at.isoformat(),
    }
    return Response(body, headers=allowance.headers() | NOT_STORED)


@post("/tax/revoke", status_code=HTTP_200_OK)
async def revoke(request: AnyRequest) -> Response[Json]:
    """End an access token (RFC 7009)."""
    city, fields = city_of(request), await _fields(request)
    client_id = _client(request, city, fields)
    if client_id is None:
        return no(401, "invalid_client", headers={"WWW-Authenticate": 'Basic realm="city"'})
    city.store.revoke_token(digest_of(fields.get("token", "")), client_id)
    return Response({}, headers=NOT_STORED)


@get("/tax/invoices", sync_to_thread=False)
def list_invoices(
    request: AnyRequest,
    page: FromQuery[int] = 1,
    page_size: FromQuery[int] = USUAL_PAGE_SIZE,
    credit_code: FromQuery[str | None] = None,
) -> Response[Json]:
    """List the invoices of the token's firm, month by month; `from` and `to` are months, both included."""
    city = city_of(request)
    granted = city.store.token(digest_of(bearer(request)))
    if granted is None or granted.expires_at <= city.clock.now():
        return no(401, "invalid_token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    allowance = request.app.state.quotas.take(granted.client_id, city.ground.wall())
    if allowance.is_over:
        return no(429, "too_many_requests", headers=allowance.headers())
    if credit_code is not None and credit_code != granted.credit_code:
        return no(403, "insufficient_scope", "the token is another firm's", headers=allowance.headers())
    try:
        asked = _asked(request.query_params, page, page_size, today=day_of(city.clock.now()))
    except ValueError as refused:
        return no(422, "invalid_request", str(refused), headers=allowance.headers())
    city.store.log_reading(city.clock.now(), granted.client_id, granted.credit_code, f"invoices page {page}")
    return Response(_invoices(city, granted, asked), headers=allowance.headers() | NOT_STORED)


def last_visible_month(today: date) -> int:
    """Return the last month whose invoices may be read on a day."""
    return month_of(today) - (1 if today.day >= VISIBLE_FROM_DAY else 2)


def _asked(query: Mapping[str, object], page: int, page_size: int, *, today: date) -> Asked:
    if page < 1 or not 1 <= page_size <= MOST_PAGE_SIZE:
        raise ValueError(f"page begins at 1, page_size is at most {MOST_PAGE_SIZE}")
    try:
        first, last = (month_named(str(query[name])) for name in ("from", "to"))
    except (KeyError, ValueError):
        raise ValueError("from and to are months such as 2025-03") from None
    if first > last:
        raise ValueError("from lies after to")
    first = max(first, FIRST_MONTH)
    return Asked(first, min(last, last_visible_month(today), FIRST_MONTH + MONTHS - 1), page, page_size)


def _invoices(city: City, granted: Granted, asked: Asked) -> Json:
    firm = city.registry.get(granted.credit_code)
    rows = [] if firm is None else invoice_rows(city.city_file.seed, firm, asked.first_month, asked.last_month)
    begins = (asked.page - 1) * asked.page_size
    is_empty = asked.last_month < asked.first_month
    return {
        "credit_code": granted.credit_code,
        "rows": [dict(zip(COLUMNS, row, strict=True)) for row in rows[begins : begins + asked.page_size]],
        "page": asked.page,
        "pages": max(1, -(-len(rows) // asked.page_size)),
        "covers": None if is_empty else {"from": name_of(asked.first_month), "to": name_of(asked.last_month)},
    }


def _client(request: AnyRequest, city: City, fields: Mapping[str, str]) -> str | None:
    """Return the client that proved itself, by the Basic header or in the body."""
    client_id, secret = basic_credentials(request)
    if not client_id:
        client_id, secret = fields.get("client_id", ""), fields.get("client_secret", "")
    return client_id if is_client(city.city_file.tax, client_id, secret) else None


async def _fields(request: AnyRequest) -> dict[str, str]:
    """Return the fields of a JSON or form body as texts; empty where it is neither."""
    if request.content_type[0] == "application/json":
        try:
            found = await request.json()
        except ValueError:
            return {}
        listed = list(found.items()) if isinstance(found, dict) else []
    else:
        listed = list((await request.form()).items())
    return {str(name): value for name, value in listed[:MOST_BODY] if isinstance(value, str)}
