"""How a firm says yes without a page, and takes its yes back: by its own secret, which only the city knows."""

from litestar import Response, post

from city.consenting import reference_digest
from city.providers.answers import NOT_STORED, AnyRequest, Json, Refused, bearer, city_of, fields_of, is_same
from city.providers.consent_page import Wish, grant
from city.providers.faults import without_magic
from city.providers.offices import OFFICES, scope_of

AUTHORIZATIONS = [f"/{provider}/authorizations" for provider in OFFICES]
WITHDRAWALS = [f"/{provider}/withdrawals" for provider in OFFICES if provider != "tax"]


@post(AUTHORIZATIONS, status_code=201)
async def authorize_by_secret(request: AnyRequest) -> Response[Json]:
    """Let a firm say yes by its own secret as bearer; `credit_code`, `client_id` and `scope` are in the body."""
    city, provider, fields = city_of(request), request.url.path.split("/")[1], await fields_of(request)
    code = _firm(request, fields.get("credit_code", ""))
    client, scope = city.city_file.clients.get(provider), scope_of(provider, fields.get("scope", ""))
    if client is None or fields.get("client_id") != client.client_id or scope is None:
        raise Refused(422, "invalid_request", "unknown client or scope")
    given = grant(city, Wish(provider, client.client_id, code, "", "", scope))
    return Response({**given}, status_code=201, headers=NOT_STORED)


@post(WITHDRAWALS, status_code=200)
async def withdraw(request: AnyRequest) -> Response[Json]:
    """Let a firm take a reference back by its own secret; `credit_code` and `reference` are in the body."""
    city, provider, fields = city_of(request), request.url.path.split("/")[1], await fields_of(request)
    code = _firm(request, fields.get("credit_code", ""))
    digest = reference_digest(provider, without_magic(provider, fields.get("reference", ""))[0])
    granted = city.store.token(digest)
    if granted is None or granted.credit_code != code:
        raise Refused(404, "unknown_reference")
    city.store.revoke_token(digest, granted.client_id)
    return Response({}, headers=NOT_STORED)


def _firm(request: AnyRequest, code: str) -> str:
    city = city_of(request)
    actor = city.city_file.actors.get(code)
    if actor is None or code not in city.registry or not is_same(bearer(request), actor.city_secret):
        raise Refused(401, "secret_wrong")
    return code
