"""The web application: who is asking, one transaction a request, one place that turns refusals into answers."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from importlib import import_module

from litestar import Litestar, Request, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import IS_GUARD, SCOPE, viewer_of
from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as
from xinyidai.app.allowances import Allowances, RequestAllowance
from xinyidai.app.answering import error_map, problem_responses
from xinyidai.app.authentication import SESSION_COOKIE, Authentication, account_key
from xinyidai.app.failed_keys import FailedKeys
from xinyidai.app.framing import frame_of
from xinyidai.app.health import health_router
from xinyidai.app.reference import reference_router
from xinyidai.app.sandbox import sandbox_router
from xinyidai.app.traces import leave_trace
from xinyidai.foundation.clock import BusinessClock, WallClock, wall_now
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.doors import STRICT_SCHEMAS
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.pages.assets import assets_router
from xinyidai.foundation.pages.forms import FormRefused
from xinyidai.foundation.settings import Settings
from xinyidai.parties.routes.session_ids import TokenCookieConfig
from xinyidai.parties.rules import SESSION_LASTS
from xinyidai.partners.rules import Scope

ROOMS_WITH_DOORS = (
    "audit",
    "decisions",
    "ledger",
    "operations",
    "parties",
    "partners",
    "catalogue",
    "documents",
    "consents",
    "agreements",
    "sources",
    "objections",
    "quality",
    "profiles",
    "scoring",
    "products",
    "rights",
    "demands",
    "matching",
    "loans",
    "risk_sharing",
    "reporting",
)
ROOMS_WITH_PAGES = ("parties", "desks")
MAX_BODY_BYTES = 1 << 20
SESSION_SECONDS = int(SESSION_LASTS.total_seconds())


def create_app(
    settings: Settings,
    sessions: Sessions,
    *,
    clock: BusinessClock | None = None,
    lifespan: Sequence[AbstractAsyncContextManager[None]] = (),
) -> Litestar:
    """Build the application on the app role's sessions.

    `lifespan` is entered for as long as the application serves.

    Raises
    ------
    RuntimeError
        A route does not say who may call it.
    """
    api = Router(
        path="/api/v1",
        route_handlers=[*_room_routers(), *([sandbox_router] if settings.sandbox else [])],
        security=[{"apiKey": []}, {"session": []}],
    )
    app = Litestar(
        route_handlers=[api, health_router, reference_router, assets_router, *_page_routers(settings)],
        dependencies={
            "session": Provide(_session_of_request),
            "viewer": Provide(_viewer_of_request, sync_to_thread=False),
            "now": Provide(_now_of_request, sync_to_thread=False),
        },
        middleware=[
            TokenCookieConfig(
                secret=settings.secret("session cookie"),
                key=SESSION_COOKIE,
                max_age=SESSION_SECONDS,
                secure=not settings.sandbox,
                httponly=True,
                samesite="lax",
                exclude=["^/static", "^/live/"],
            ).middleware,
            Authentication(FailedKeys(settings.failed_keys_per_minute)),
            RequestAllowance(name_of=account_key, exclude=("/health", "/static")),
        ],
        exception_handlers=error_map(),
        openapi_config=_openapi(),
        plugins=[STRICT_SCHEMAS],
        request_max_body_size=MAX_BODY_BYTES,
        lifespan=list(lifespan),
        logging_config=None,  # foundation.logging decides for every process
        state=State(
            {
                "settings": settings,
                "sessions": sessions,
                "clock": clock or WallClock(),
                "started_at": wall_now(),
                "frame_of": frame_of,
                "allowances": Allowances(settings.requests_per_minute),
            }
        ),
    )
    _demand_guards(app)
    return app


def _room_routers() -> list[Router]:
    """Return each room's router, every operation of it described with the errors that any of them may answer."""
    routers: list[Router] = [import_module(f"xinyidai.{room}.routes").router for room in ROOMS_WITH_DOORS]
    for router in routers:
        for route in router.routes:
            for handler in getattr(route, "route_handlers", []):
                handler.responses = problem_responses() | (handler.responses or {})
    return routers


def _page_routers(settings: Settings) -> list[Router]:
    """Return the rooms' pages, and in a sandbox those that belong to a sandbox only."""
    modules = [import_module(f"xinyidai.{room}.pages") for room in ROOMS_WITH_PAGES]
    routers: list[Router] = [module.router for module in modules]
    if settings.sandbox:
        routers += [module.sandbox_router for module in modules if hasattr(module, "sandbox_router")]
    return routers


async def _session_of_request(request: Request[object, object, State]) -> AsyncGenerator[AsyncSession]:
    """Open the request's one transaction, limited to the viewer's rows; commit before the answer leaves.

    Some refusals must be known later although the transaction ends in nothing: they are written down after it.
    """
    state = request.app.state
    viewer = request.scope.get("user")
    try:
        async with in_transaction(state.sessions) as session:
            if isinstance(viewer, Viewer):
                await act_as(session, viewer, now=_now_of_request(request))
            yield session
    except (Refusal, FormRefused) as refused:
        if isinstance(viewer, Viewer):
            await leave_trace(state.sessions, refused, viewer, now=_now_of_request(request))
        raise


def _viewer_of_request(request: Request[object, object, State]) -> Viewer:
    return viewer_of(request)  # type: ignore[arg-type]


def _now_of_request(request: Request[object, object, State]) -> datetime:
    """Ask the clock once a request: a simulated one may have moved on between two askings."""
    kept = request.scope["state"].get("now")
    now: datetime = request.app.state.clock.now() if kept is None else kept
    request.scope["state"]["now"] = now
    return now


def _demand_guards(app: Litestar) -> None:
    """Refuse to start with a route that neither is public nor says who may call it: forgetting must not open a door."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            if not isinstance(handler, HTTPRouteHandler) or handler.opt.get("public") or _is_litestars(handler):
                continue
            # Not resolve_guards(): it wraps each guard and so loses the mark.
            guards = [guard for layer in handler.ownership_layers for guard in layer.guards or []]
            if not any(getattr(guard, IS_GUARD, False) for guard in guards):
                raise RuntimeError(f"{handler.handler_name} does not say who may call it")
            unknown = {getattr(guard, SCOPE, None) for guard in guards} - {None, *Scope}
            if unknown:
                raise RuntimeError(f"{handler.handler_name} asks for a scope that no key can hold: {unknown}")


def _is_litestars(handler: HTTPRouteHandler) -> bool:
    """Say whether it is the framework's own: answers to OPTIONS, and the empty root of the API description."""
    return handler.fn.__module__.startswith("litestar.")


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="xinyidai 信易贷",
        version="1",
        description=(
            "Financing for small firms: consent, data, profile, score, demand, matching, offers, loans, risk sharing. "
            "Amounts are integer fen, rates integer basis points, shares parts per million. Errors are RFC 9457 "
            "documents with a stable `code`. Lists are paged by cursor, at most 200 rows."
        ),
        path="/openapi",
        render_plugins=[],
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                "apiKey": SecurityScheme(type="http", scheme="bearer", description="An API client's key, `xyd_...`"),
                "session": SecurityScheme(type="apiKey", name=SESSION_COOKIE, security_scheme_in="cookie"),
            }
        ),
    )
