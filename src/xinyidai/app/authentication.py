"""Who is asking: an API key in the Authorization header, or a signed-in person's session cookie."""

from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.handlers.base import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from xinyidai.access.rules import Viewer
from xinyidai.foundation.database import Sessions, in_single_statements, in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.parties import queries as parties
from xinyidai.partners import service as partners

SESSION_COOKIE: Final = "xinyidai_session"
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

AnyConnection = ASGIConnection[BaseRouteHandler, object, object, State]


class CrossOriginRefused(Refusal):
    """A browser sent a signed-in person's cookie from a page of another site."""

    code = "cross_origin_refused"
    status = 403
    title_zh = "拒绝跨站请求"
    title_en = "A request from another site is refused"


class Authentication(ASGIMiddleware):
    """Put the `Viewer` into the scope, or None: a wrong key is nobody's, and the guards refuse nobody.

    It runs before the allowance is counted, so that a made-up key or cookie cannot buy a fresh allowance.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Find the viewer, then go on."""
        connection: AnyConnection = ASGIConnection(scope)
        scope["user"] = await _find_viewer(connection)
        scope["auth"] = None
        await next_app(scope, receive, send)


async def _find_viewer(connection: AnyConnection) -> Viewer | None:
    sessions: Sessions = connection.app.state.sessions
    presented = connection.headers.get("authorization", "")
    if presented:
        scheme, _, secret = presented.partition(" ")
        if scheme.lower() != "bearer" or not secret:
            return None
        async with in_single_statements(sessions) as session:
            return await partners.authenticate(session, secret)
    kept = connection.scope.get("session")
    if not isinstance(kept, dict) or "user_id" not in kept:
        return None
    if connection.scope.get("method") not in _SAFE_METHODS:
        refuse_cross_origin(connection)
    async with in_transaction(sessions) as session:
        return await parties.viewer_for(session, UUID(kept["user_id"]), UUID(kept["party_id"]))


def refuse_cross_origin(connection: AnyConnection) -> None:
    """Refuse an unsafe request that a browser says comes from another origin.

    Browsers send Sec-Fetch-Site or Origin with every such request and scripts cannot forge either; a client that
    sends neither is not a browser and holds no cookie of somebody else. No token has to be carried through forms.
    """
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise CrossOriginRefused
        return
    origin = connection.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != connection.headers.get("host"):
        raise CrossOriginRefused


def account_key(request: Request[object, object, State]) -> str:
    """Return what the allowance is counted by: the account, or for everybody else the address."""
    viewer = request.scope.get("user")
    if isinstance(viewer, Viewer):
        return f"account:{viewer.principal_id}"
    return f"address:{request.client.host if request.client else 'unknown'}"
