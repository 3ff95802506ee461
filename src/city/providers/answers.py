"""What every door of the city shares: its answers to a no, its secrets, the city behind it."""

import secrets

from litestar import Request, Response
from litestar.datastructures import State

from city.living.city import City

AnyRequest = Request[object, object, State]
Json = dict[str, object]


def city_of(request: AnyRequest) -> City:
    """Return the city behind the door."""
    city = request.app.state.city
    assert isinstance(city, City), "the application is made with a city"
    return city


def no(status: int, error: str, why: str = "", *, headers: dict[str, str] | None = None) -> Response[Json]:
    """Return a refusal: a stable word, and a sentence for people."""
    return Response({"error": error, "error_description": why}, status_code=status, headers=headers or {})


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
