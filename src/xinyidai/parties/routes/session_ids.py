"""The cookie of signed-in people: it carries the session's token, encrypted, and nothing is kept for it on the server.

Who asks, and whether the session still stands, is its row in PostgreSQL alone. What a server-side store kept beside
the row was lost with every restart of Valkey, and with it everybody's sign-in; here a planted cookie is nobody's, since
only we can encrypt one, and a sign-in always brings a token, hence a cookie, that nobody has seen.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import SerializationException
from litestar.handlers.base import BaseRouteHandler
from litestar.middleware.session.client_side import ClientSideSessionBackend, CookieBackendConfig

AnyConnection = ASGIConnection[BaseRouteHandler, object, object, State]

TOKEN: Final = "token"  # noqa: S105
"""What a session keeps: the token by which its row in the database is found, and nothing else of a person."""
PARTY_NAME: Final = "party_name"
"""The name of the organisation acted for, for the frame of pages; no right follows from it."""


def token_of(connection: AnyConnection) -> str | None:
    """Return the token of the connection's session, if it has one."""
    kept = connection.scope.get("session")
    token = kept.get(TOKEN) if isinstance(kept, dict) else None
    return token if isinstance(token, str) else None


class TokenCookieBackend(ClientSideSessionBackend):
    """Reads a cookie that is not of our making as none at all."""

    async def load_from_connection(self, connection: AnyConnection) -> dict[str, object]:
        """Return what the cookie holds; nothing for one that is broken, foreign, or older than it may be."""
        # Litestar's own forgives what does not decrypt, but not what is no text, no JSON, or JSON of another shape.
        with suppress(ValueError, KeyError, TypeError, SerializationException):
            return await super().load_from_connection(connection)
        return {}


@dataclass
class TokenCookieConfig(CookieBackendConfig):
    """The configuration that brings `TokenCookieBackend` with it; its secret encrypts the cookies."""

    _backend_class = TokenCookieBackend
