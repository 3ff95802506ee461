"""Social insurance and housing fund: a list that the client uploads, and each day a file of what has changed."""

import json
from base64 import b64encode
from datetime import date

from litestar import Response, get, put
from litestar.params import FromPath

from city.living.city import City
from city.providers.answers import NOT_STORED, AnyRequest, Json, Refused, city_of, is_same
from city.providers.benefit_files import (
    ITEMS,
    Composer,
    Delivery,
    Order,
    Subscribed,
    keep_list,
    kept_list,
    key_of,
    subscribed_on,
)
from city.providers.faults import KINDS, OF_THE_WIRE, Faults, Kind, without_magic
from city.providers.gate import client_of, count_call, permission, play
from city.providers.history import basic_credentials, is_client
from city.providers.signatures import signed
from city.settings import Client
from city.world.calendar import day_of

PROVIDER = "benefits"
MOST_LIST_BYTES = 2 << 20
MOST_FIRMS = 10_000
KEPT_DAYS = 30
OF_THE_FILE = KINDS[PROVIDER] - OF_THE_WIRE


@put("/benefits/subscription", request_max_body_size=MOST_LIST_BYTES)
async def put_list(request: AnyRequest) -> Response[Json]:
    """Take the whole list of firms in place of the one before; what is new counts from tomorrow's file on."""
    city = city_of(request)
    client, headers = _client(request, city)
    body = await request.body()
    if not is_same(request.headers.get("x-signature", ""), signed(client.client_secret, body.decode("latin-1"))):
        raise Refused(401, "signature_wrong", headers=headers)
    known, fresh, refused = kept_list(city, client.client_id), {}, []
    for credit_code, presented in _pairs(body):
        reference, forced = without_magic(PROVIDER, presented)
        granted = permission(city, PROVIDER, client, reference)
        if granted is None or granted.credit_code != credit_code:
            refused.append({"credit_code": credit_code, "error": "not_authorised"})
            continue
        fresh[credit_code] = subscribed_on(city, reference, forced, known.get(credit_code))
    keep_list(city, client.client_id, fresh)
    return Response({"accepted": len(fresh), "refused": refused}, headers=headers)


@get("/benefits/subscription", sync_to_thread=False)
def show_list(request: AnyRequest) -> Response[Json]:
    """Show which firms are on the list, and from which day's file on."""
    city = city_of(request)
    client, headers = _client(request, city)
    listed = kept_list(city, client.client_id)
    rows = [{"credit_code": code, "from": one.since.isoformat()} for code, one in sorted(listed.items())]
    return Response({"rows": rows}, headers=headers)


@get("/benefits/key", sync_to_thread=False)
def show_key(request: AnyRequest) -> Json:
    """Show the public key with which manifests are signed: Ed25519, 32 bytes in base64."""
    public = key_of(city_of(request)).public_key().public_bytes_raw()
    return {"algorithm": "Ed25519", "public_key": b64encode(public).decode()}


@get("/benefits/files/{day:date}/manifest.json")
async def show_manifest(request: AnyRequest, day: FromPath[date]) -> Response[bytes]:
    """Show what the files of a day are: rows, bytes and digest of each."""
    delivery, headers = await _delivery(request, day)
    return Response(delivery.manifest, media_type="application/json", headers=headers)


@get("/benefits/files/{day:date}/manifest.json.sig")
async def show_signature(request: AnyRequest, day: FromPath[date]) -> Response[bytes]:
    """Show the signature of the manifest's bytes: Ed25519, in base64."""
    delivery, headers = await _delivery(request, day)
    return Response(b64encode(delivery.signature), media_type="text/plain", headers=headers)


@get("/benefits/files/{day:date}/{name:str}")
async def show_file(request: AnyRequest, day: FromPath[date], name: FromPath[str]) -> Response[bytes]:
    """Hand out one file of a day, gzipped CSV, and write down of whom it tells."""
    item = name.removesuffix(".csv.gz")
    if item not in ITEMS or name == item:
        raise Refused(404, "no_such_file")
    city = city_of(request)
    delivery, headers = await _delivery(request, day)
    now, client_id = city.clock.now(), client_of(city, PROVIDER).client_id
    with city.store.together():
        for credit_code in delivery.credit_codes[item]:
            city.store.log_reading(now, client_id, credit_code, f"{item} file {day}")
    return Response(delivery.files[item], media_type="application/gzip", headers=headers)


def _client(request: AnyRequest, city: City) -> tuple[Client, dict[str, str]]:
    """Return the client that proved itself by the Basic header, and what its quota has to say.

    Raises
    ------
    Refused
    """
    client = client_of(city, PROVIDER)
    if not is_client(client, *basic_credentials(request)):
        raise Refused(401, "invalid_client", headers={"WWW-Authenticate": 'Basic realm="city"'})
    return client, count_call(request, PROVIDER, client).headers() | NOT_STORED


async def _delivery(request: AnyRequest, day: date) -> tuple[Delivery, dict[str, str]]:
    """Return a day's delivery; its fault is drawn by the day, so that manifest and files go wrong together.

    Raises
    ------
    Refused
    """
    city = city_of(request)
    client, headers = _client(request, city)
    if not 0 <= (day_of(city.clock.now()) - day).days < KEPT_DAYS:
        raise Refused(404, "no_such_file", f"files of the last {KEPT_DAYS} days are kept", headers=headers)
    listed = {code: one for code, one in kept_list(city, client.client_id).items() if one.since <= day}
    forced = next((one.forced for one in listed.values() if one.since == day and one.forced), None)
    play(request, PROVIDER, "", forced if forced in OF_THE_WIRE else None, of=OF_THE_WIRE)
    order = Order(client.client_id, day, _firms(city, listed), forced or _drawn(request, city, listed, day))
    composer: Composer = request.app.state.composer
    return await composer.delivery(order), headers


def _firms(city: City, listed: dict[str, Subscribed]) -> tuple[tuple[str, date, str], ...]:
    """Return the firms whose yes still holds, each with its items."""
    now, firms = city.clock.now(), []
    for code in sorted(listed):
        granted = city.store.token(listed[code].digest)
        if granted is not None and now < granted.expires_at:
            firms.append((code, listed[code].since, granted.scope))
    return tuple(firms)


def _drawn(request: AnyRequest, city: City, listed: dict[str, Subscribed], day: date) -> Kind | None:
    faults: Faults = request.app.state.faults
    drawn = (
        faults.draw(PROVIDER, city.ground.wall(), credit_code=code, of=OF_THE_FILE, number=day.toordinal())
        for code in [*listed] or [""]
    )
    return next((kind for kind in drawn if kind is not None), None)


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        rows = json.loads(body)["firms"]
        pairs = [(str(row["credit_code"]), str(row["reference"])) for row in rows]
    except (ValueError, TypeError, KeyError):
        raise Refused(422, "invalid_request", "firms: a list of credit_code and reference") from None
    if len(pairs) > MOST_FIRMS:
        raise Refused(422, "too_many_firms", f"at most {MOST_FIRMS}")
    return pairs
