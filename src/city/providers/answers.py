"""What every door of the city shares: its answers to a no, its secrets, the city behind it."""

import secrets
from collections.abc import Mapping

from litestar import Request, Response
from litestar.datastructures import State

from city.living.city import City

AnyRequest = Request[object, object, State]
Json = dict[str, object]
MOST_FIELDS = 20
NOT_STORED = {"Cache-Control": "no-store"}


class Refused(Exception):
    """A door says no; the application answers with it."""

    def __init__(self, status: int, error: str, why: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.answer = no(status, error, why, headers=dict(headers or {}))


def city_of(request: AnyRequest) -> City:
    """Return the city behind the door."""
    city = request.app.state.city
    assert isinstance(city, City), "the application is made with a city"
    return city


def no(status: int, error: str, why: str = "", *, headers: dict[str, str] | None = None) -> Response[Json]:
    """Return a refusal: a stable word, and a sentence for people."""
    return Response({"error": error, "error_description": why}, status_code=status, headers=headers or {})


def refuse(_request: AnyRequest, refused: Refused) -> Response[Json]:
    """Answer with a refusal that was raised."""
    return refused.answer


def bearer(request: AnyRequest) -> str:
    """Return the secret that a request presents, empty where there is none."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def is_same(presented: str, wanted: str) -> bool:
    """Compare two secrets in constant time; an empty one is never the same."""
    return bool(wanted) and secrets.compare_digest(presented.encode(), wanted.encode())


def controls(request: AnyRequest) -> bool:
    """Say whether the request carries this run's control token."""
    return is_same(bearer(request), request.app.state.control_token)


async def fields_of(request: AnyRequest) -> dict[str, str]:
    """Return the fields of a JSON or form body as texts; empty where it is neither."""
    if request.content_type[0] == "application/json":
        try:
            found = await request.json()
        except ValueError:
            return {}
        listed = list(found.items()) if isinstance(found, dict) else []
    else:
        listed = list((await request.form()).items())
    return {str(name): value for name, value in listed[:MOST_FIELDS] if isinstance(value, str)}
