"""The credit bureau: what became of earlier loans, as it was known on a day. Observed outcomes only."""

import csv
import io
from base64 import b64decode
from binascii import Error as NotBase64
from datetime import date

from litestar import Response, get
from litestar.params import FromQuery

from city.providers.answers import AnyRequest, Json, city_of, is_same, no
from city.settings import Client
from city.world.calendar import day_of
from city.world.history import outcomes_known_by

COLUMNS = ("credit_code", "is_default", "observed_on")


@get("/credit-history/outcomes", sync_to_thread=False)
def list_outcomes(request: AnyRequest, known_by: FromQuery[date]) -> Response[str] | Response[Json]:
    """List outcomes as CSV, in the order in which they became known."""
    city = city_of(request)
    client_id, secret = basic_credentials(request)
    if not is_client(city.city_file.tax, client_id, secret):
        return no(401, "invalid_client", headers={"WWW-Authenticate": 'Basic realm="city"'})
    if known_by > day_of(city.clock.now()):
        return no(422, "day_ahead", "nobody knows that yet")
    outcomes = outcomes_known_by(city.city_file.seed, tuple(city.registry.values()), known_by)
    city.store.log_reading(city.clock.now(), client_id, "*", f"outcomes known by {known_by}")
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((one.credit_code, int(one.is_default), one.observed_on.isoformat()) for one in outcomes)
    return Response(written.getvalue(), media_type="text/csv; charset=utf-8")


def basic_credentials(request: AnyRequest) -> tuple[str, str]:
    """Return the client's id and secret from an HTTP Basic header, empty where there is none."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        client_id, _, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (NotBase64, UnicodeDecodeError):
        return "", ""
    return client_id, secret


def is_client(client: Client | None, client_id: str, secret: str) -> bool:
    """Say whether this is the client that city.toml names."""
    return client is not None and is_same(client_id, client.client_id) and is_same(secret, client.client_secret)
