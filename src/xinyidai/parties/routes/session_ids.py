"""The cookie sessions of signed-in people: a new id with every sign-in, and none for visitors.

Litestar's own store goes on under whatever id the cookie names, also one it never gave out, so who plants a cookie in
a browser before the sign-in shares the session after it; and it writes an empty session for every anonymous request.
The store only keeps a token; who asks, and whether the session still stands, is in PostgreSQL.
"""

from dataclasses import dataclass
from typing import Final

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers.base import BaseRouteHandler
from litestar.middleware.session.server_side import ServerSideSessionBackend, ServerSideSessionConfig
from litestar.types import Message, ScopeSession

AnyConnection = ASGIConnection[BaseRouteHandler, object, object, State]

IS_NEW: Final = "is_new"
"""Put into a session by the sign-in: keep it under an id that nobody has seen."""
_NEW_ID: Final = "xinyidai_new_session_id"


TOKEN: Final = "token"  # noqa: S105
"""What a session keeps: the token by which its row in the database is found, and nothing else of a person."""
PARTY_NAME: Final = "party_name"
"""The name of the organisation acted for, for the frame of pages; no right follows from it."""


def token_of(connection: AnyConnection) -> str | None:
    """Return the token of the connection's session, if it has one."""
    kept = connection.scope.get("session")
    token = kept.get(TOKEN) if isinstance(kept, dict) else None
    return token if isinstance(token, str) else None


class RenewingSessionBackend(ServerSideSessionBackend):
    """Keeps a session marked `IS_NEW` under a fresh id and drops what the old id held."""

    def get_session_id(self, connection: AnyConnection) -> str:
        """Return the fresh id of a sign-in, else the id of the cookie."""
        drawn = connection.scope.get("state", {}).get(_NEW_ID)
        return str(drawn) if drawn else super().get_session_id(connection)

    async def store_in_message(self, scope_session: ScopeSession, message: Message, connection: AnyConnection) -> None:
        """Store the session and set its cookie; a visitor's empty session is neither stored nor given a cookie."""
        if not scope_session and isinstance(scope_session, dict):
            return
        if isinstance(scope_session, dict) and scope_session.pop(IS_NEW, False):
            await self.delete(self.get_session_id(connection), self.config.get_store_from_app(connection.app))
            connection.scope.setdefault("state", {})[_NEW_ID] = self.generate_session_id()
        await super().store_in_message(scope_session, message, connection)


@dataclass
class RenewingSessionConfig(ServerSideSessionConfig):
    """The configuration that brings `RenewingSessionBackend` with it."""

    _backend_class = RenewingSessionBackend
