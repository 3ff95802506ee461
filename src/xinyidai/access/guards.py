"""Route guards: every route says who may call it; app.py refuses to start with one that does not."""

from collections.abc import Awaitable, Callable
from typing import Final

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers.base import BaseRouteHandler

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    Viewer,
    requires_fresh_proof,
    requires_kind,
    requires_role,
    requires_scope,
)
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.errors import Refusal

Connection = ASGIConnection[BaseRouteHandler, object, object, State]
Guard = Callable[[Connection, BaseRouteHandler], Awaitable[None]]

IS_GUARD: Final = "says_who_may_call"
SCOPE: Final = "scope"
FRESH: Final = "fresh"
PEOPLE_ONLY: Final = "people-only"
"""A scope that no key is ever given."""


class SignInNeeded(Refusal):
    """Nobody is signed in and no valid key was presented."""

    code = "sign_in_needed"
    status = 401
    title_zh = "请先登录，或提供有效的接口密钥"
    title_en = "Sign in, or present a valid API key"


def viewer_of(connection: Connection) -> Viewer:
    """Return who is asking; refuse with `SignInNeeded` when nobody is."""
    viewer = connection.scope.get("user")
    if not isinstance(viewer, Viewer):
        raise SignInNeeded
    return viewer


def requires(
    *kinds: OrganisationKind, roles: tuple[Role, ...] = (), scope: str | None = None, fresh: bool = False
) -> Guard:
    """Return a guard: signed in, acting for one of the kinds (any, when none is named), with one of the roles.

    A machine client is held by `scope` instead of roles; without a scope the route is for people only, and for clients
    that play a simulated person, who are held by roles there. `fresh` marks what moves money or rights: people prove
    who they are within STEP_UP_LASTS before it.
    """

    # Asynchronous, though it waits for nothing: litestar sends a plain function to a thread, for each request.
    async def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        viewer = viewer_of(connection)
        if kinds:
            requires_kind(viewer, *kinds)
        plays_a_person = viewer.is_simulated and scope is None and roles
        if viewer.principal_kind is PrincipalKind.CLIENT and not plays_a_person:
            requires_scope(viewer, scope or PEOPLE_ONLY)
        elif roles:
            requires_role(viewer, *roles)
        if fresh:
            requires_fresh_proof(viewer, wall_at=wall_now())

    setattr(guard, IS_GUARD, True)
    setattr(guard, SCOPE, scope)
    setattr(guard, FRESH, fresh)
    return guard
