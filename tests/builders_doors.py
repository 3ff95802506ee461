"""One room's routes behind a door of their own, for a viewer of the test's choice: no sign-in, else as in the app."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

import httpx
from conftest import Database
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.types import ASGIApp, Receive, Scope, Send
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as
from xinyidai.app.answering import error_map
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.doors import STRICT_SCHEMAS


@asynccontextmanager
async def a_door(
    database: Database, router: Router, viewer: Viewer | None, *, now: datetime
) -> AsyncGenerator[httpx.AsyncClient]:
    """Yield a client that speaks to the room's routes as the viewer, who has just proved who they are, or as nobody."""
    if viewer is not None:
        viewer = replace(viewer, proved_at=wall_now())

    def signed_in(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            scope["user"] = viewer
            await app(scope, receive, send)

        return call

    async def session() -> AsyncGenerator[AsyncSession]:
        async with in_transaction(database.app) as opened:
            if viewer is not None:
                await act_as(opened, viewer, now=now)
            yield opened

    app = Litestar(
        route_handlers=[router],
        dependencies={
            "session": Provide(session),
            "viewer": Provide(lambda: viewer, sync_to_thread=False),
            "now": Provide(lambda: now, sync_to_thread=False),
        },
        middleware=[signed_in],
        plugins=[STRICT_SCHEMAS],
        exception_handlers=error_map(),
        request_max_body_size=1 << 20,
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
        yield client
