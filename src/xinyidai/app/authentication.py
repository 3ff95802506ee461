"""Who is asking: an API key in the Authorization header, or a signed-in person's session cookie."""

from typing import Final
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.handlers.base import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from xinyidai.access.rules import Viewer
from xinyidai.app.addresses import client_of
from xinyidai.app.failed_keys import FailedKeys
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import Sessions, bare_connection, in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.parties import queries as parties
from xinyidai.parties.routes.session_ids import token_of
from xinyidai.partners import service as partners
from xinyidai.partners.rules import digest_of

SESSION_COOKIE: Final = "xinyidai_session"
LIVE_PARTS: Final = "/live/"
"""Public parts that a page asks for by itself: nobody is seen at work, and no session is kept alive by an open tab."""
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

AnyConnection = ASGIConnection[BaseRouteHandler, object, object, State]


class CrossOriginRefused(Refusal):
    """A browser sent a request that may change something from a page of another site."""

    code = "cross_origin_refused"
    status = 403
    title_zh = "拒绝跨站请求"
    title_en = "A request from another site is refused"


class Authentication(ASGIMiddleware):
    """Put the `Viewer` into the scope, or None: a wrong key is nobody's, and the guards refuse nobody.

    It runs before the allowance is counted, so that a made-up key or cookie cannot buy a fresh allowance; made-up keys
    have a smaller allowance of their own, counted before the look-up.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, failed_keys: FailedKeys) -> None:
        self.failed_keys = failed_keys

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Find the viewer, then go on."""
        connection: AnyConnection = ASGIConnection(scope)
        scope["user"] = await _find_viewer(connection, self.failed_keys)
        scope["auth"] = None
        await next_app(scope, receive, send)


async def _find_viewer(connection: AnyConnection, failed_keys: FailedKeys) -> Viewer | None:
    sessions: Sessions = connection.app.state.sessions
    if connection.url.path.startswith(LIVE_PARTS):
        return None
    presented = connection.headers.get("authorization", "")
    if presented:
        return await _holder_of(connection, presented, failed_keys)
    if connection.scope.get("method") not in _SAFE_METHODS:
        # Also before a sign-in: another site must not sign a browser in under a name of its choice.
        refuse_cross_origin(connection)
    token = token_of(connection)
    if token is None:
        return None
    async with in_transaction(sessions) as session:
        return await parties.viewer_of_session(session, token)


async def _holder_of(connection: AnyConnection, presented: str, failed_keys: FailedKeys) -> Viewer | None:
    scheme, _, secret = presented.partition(" ")
    if scheme.lower() != "bearer" or not secret:
        return None
    address, key_digest = address_of(connection), digest_of(secret)
    failed_keys.check(address, key_digest, at=wall_now())
    async with bare_connection(connection.app.state.sessions) as asked:
        viewer = await partners.authenticate(asked, secret)
    if viewer is None:
        failed_keys.count_failure(address, key_digest, at=wall_now())
    else:
        failed_keys.count_success(key_digest)
    return viewer


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
    return f"address:{address_of(request)}"  # type: ignore[arg-type]


def address_of(connection: AnyConnection) -> str:
    """Return the client's address, as `client_of` tells clients apart."""
    peer = connection.client.host if connection.client else None
    trusted = connection.app.state.settings.trusted_proxies
    return client_of(peer, connection.headers.getall("x-forwarded-for", []) if trusted else (), trusted)
