"""The tax bureau's interface (OAuth 2.0): tokens for consent codes; invoices, returns, grades, notices of arrears."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from litestar import Response, get, post
from litestar.params import FromQuery
from litestar.status_codes import HTTP_200_OK

from city.consenting import SCOPE, digest_of, issue_token, redeem_code
from city.living.city import City
from city.providers.answers import NOT_STORED, AnyRequest, Json, Refused, bearer, city_of, fields_of, no
from city.providers.faults import Kind, without_magic
from city.providers.gate import known_by, money, play
from city.providers.history import basic_credentials, is_client
from city.providers.writing import Asked, asked_for, page_of, written
from city.store import Granted
from city.world.calendar import day_of, month_of, name_of
from city.world.filings import tax_arrears, tax_grades
from city.world.invoices import COLUMNS, invoice_rows
from city.world.observing import shown
from city.world.population import Firm

USUAL_PAGE_SIZE = 200
VISIBLE_FROM_DAY = 15
"""A month's invoices can be read from this day of the next month on: returns are due then."""


@dataclass(frozen=True)
class Reading:
    """A read that the token allows: of whom, which page, and what goes wrong with it."""

    city: City
    firm: Firm | None
    granted: Granted
    page: int
    page_size: int
    query: Mapping[str, object]
    headers: dict[str, str]
    fault: Kind | None

    @property
    def today(self) -> date:
        """Return as of which day the bureau answers."""
        return known_by(self.city, self.fault)

    def asked(self, until: int) -> Asked:
        """Return which months and page are asked for.

        Raises
        ------
        Refused
        """
        try:
            return asked_for(self.query, self.page, self.page_size, until=until)
        except ValueError as refused:
            raise Refused(422, "invalid_request", str(refused), headers=self.headers) from None

    def answer(self, rows: list[dict[str, object]], asked: Asked, covers: object, what: str) -> Response[Json]:
        """Answer with a page, and write down that it was read."""
        code = self.granted.credit_code
        self.city.store.log_reading(self.city.clock.now(), self.granted.client_id, code, f"{what} page {asked.page}")
        body = {"credit_code": code, **page_of(rows, asked, self.fault), "covers": covers}
        return Response(body, headers=self.headers | NOT_STORED)


@post("/tax/token", status_code=HTTP_200_OK)
async def exchange_code(request: AnyRequest) -> Response[Json]:
    """Give an access token for a consent code (RFC 6749 section 4.1.3)."""
    city, fields = city_of(request), await fields_of(request)
    client_id = _client(request, city, fields)
    if client_id is None:
        return no(401, "invalid_client", headers={"WWW-Authenticate": 'Basic realm="city"'})
    allowance = request.app.state.quotas.take(client_id, city.ground.wall())
    if allowance.is_over:
        return no(429, "too_many_requests", headers=allowance.headers())
    code, forced = without_magic("tax", fields.get("code", ""))
    play(request, "tax", "", forced)
    granted = redeem_code(city.store, client_id, code, wall=city.ground.wall())
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
    city, fields = city_of(request), await fields_of(request)
    client_id = _client(request, city, fields)
    if client_id is None:
        return no(401, "invalid_client", headers={"WWW-Authenticate": 'Basic realm="city"'})
    city.store.revoke_token(digest_of(without_magic("tax", fields.get("token", ""))[0]), client_id)
    return Response({}, headers=NOT_STORED)


@get("/tax/invoices", sync_to_thread=False)
def list_invoices(
    request: AnyRequest,
    page: FromQuery[int] = 1,
    page_size: FromQuery[int] = USUAL_PAGE_SIZE,
    credit_code: FromQuery[str | None] = None,
) -> Response[Json]:
    """List the invoices of the token's firm, month by month; `from` and `to` are months, both included."""
    reading = _reading(request, SCOPE, page, page_size, credit_code)
    asked = reading.asked(last_visible_month(reading.today))
    firm, seed = reading.firm, reading.city.city_file.seed
    drawn = [] if firm is None else invoice_rows(seed, firm, asked.first_month, asked.last_month)
    rows: list[dict[str, object]] = [dict(zip(COLUMNS, row, strict=True)) for row in drawn]
    if reading.fault is Kind.WRONG_UNIT:
        rows = [{name: _as_fen(name, value) for name, value in row.items()} for row in rows]
    return reading.answer(rows, asked, _covers(asked), "invoices")


@get("/tax/filings", sync_to_thread=False)
def list_filings(
    request: AnyRequest,
    page: FromQuery[int] = 1,
    page_size: FromQuery[int] = USUAL_PAGE_SIZE,
    credit_code: FromQuery[str | None] = None,
) -> Response[Json]:
    """List the returns of the token's firm for some months, as the bureau knows them today."""
    reading = _reading(request, "tax_filing", page, page_size, credit_code)
    asked = reading.asked(month_of(reading.today) - 1)
    firm, seed = reading.firm, reading.city.city_file.seed
    span = (asked.first_month, asked.last_month)
    found = [] if firm is None else shown(seed, firm, "tax_filing", *span, reading.today)
    rows = [written(row, money(reading.fault)) for row in found]
    return reading.answer(rows, asked, _covers(asked), "filings")


@get("/tax/grades", sync_to_thread=False)
def list_grades(
    request: AnyRequest,
    page: FromQuery[int] = 1,
    page_size: FromQuery[int] = USUAL_PAGE_SIZE,
    credit_code: FromQuery[str | None] = None,
) -> Response[Json]:
    """List the yearly grades of the token's firm that are published; no months are asked for."""
    reading = _reading(request, "tax_grade", page, page_size, credit_code)
    firm, seed = reading.firm, reading.city.city_file.seed
    rows = [] if firm is None else [written(row) for row in tax_grades(seed, firm, reading.today)]
    return reading.answer(rows, _all(reading), None, "grades")


@get("/tax/arrears", sync_to_thread=False)
def list_arrears(
    request: AnyRequest,
    page: FromQuery[int] = 1,
    page_size: FromQuery[int] = USUAL_PAGE_SIZE,
    credit_code: FromQuery[str | None] = None,
) -> Response[Json]:
    """List the notices of arrears of the token's firm; no months are asked for."""
    reading = _reading(request, "tax_arrears", page, page_size, credit_code)
    firm, seed, unit = reading.firm, reading.city.city_file.seed, money(reading.fault)
    rows = [] if firm is None else [written(row, unit) for row in tax_arrears(seed, firm, reading.today)]
    return reading.answer(rows, _all(reading), None, "arrears")


def last_visible_month(today: date) -> int:
    """Return the last month whose invoices may be read on a day."""
    return month_of(today) - (1 if today.day >= VISIBLE_FROM_DAY else 2)


def _reading(request: AnyRequest, scope: str, page: int, page_size: int, credit_code: str | None) -> Reading:
    city = city_of(request)
    token, forced = without_magic("tax", bearer(request))
    granted = city.store.token(digest_of(token))
    if granted is None or granted.expires_at <= city.clock.now():
        raise Refused(401, "invalid_token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    allowance = request.app.state.quotas.take(granted.client_id, city.ground.wall())
    headers = allowance.headers()
    if allowance.is_over:
        raise Refused(429, "too_many_requests", headers=headers)
    if credit_code is not None and credit_code != granted.credit_code:
        raise Refused(403, "insufficient_scope", "the token is another firm's", headers=headers)
    if scope not in granted.scope.split():
        raise Refused(403, "insufficient_scope", "the firm did not consent to this item", headers=headers)
    fault = play(request, "tax", granted.credit_code, forced)
    firm = city.registry.get(granted.credit_code)
    return Reading(city, firm, granted, page, page_size, request.query_params, headers, fault)


def _all(reading: Reading) -> Asked:
    """Return the page that is asked for of what has no months."""
    month = month_of(day_of(reading.city.clock.now()))
    span = {"from": name_of(month), "to": name_of(month)}
    try:
        return asked_for(span, reading.page, reading.page_size, until=month)
    except ValueError as refused:
        raise Refused(422, "invalid_request", str(refused), headers=reading.headers) from None


def _covers(asked: Asked) -> dict[str, str] | None:
    if asked.last_month < asked.first_month:
        return None
    return {"from": name_of(asked.first_month), "to": name_of(asked.last_month)}


def _as_fen(name: str, value: object) -> object:
    return str(value).replace(".", "") if name.endswith("_yuan") else value


def _client(request: AnyRequest, city: City, fields: Mapping[str, str]) -> str | None:
    """Return the client that proved itself, by the Basic header or in the body."""
    client_id, secret = basic_credentials(request)
    if not client_id:
        client_id, secret = fields.get("client_id", ""), fields.get("client_secret", "")
    return client_id if is_client(city.city_file.tax, client_id, secret) else None
