"""Health: alive means the process answers; ready means the database is there and at the newest revision."""

from alembic.runtime.migration import MigrationContext
from litestar import Response, Router, get
from litestar.datastructures import State
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.migrating import newest_revision


class Health(BaseModel):
    """What works, by part."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "ready", "parts": {"database": "ok"}}})

    status: str
    parts: dict[str, str]


@get("/live", operation_id="HealthLive", summary="The process answers", opt={"public": True})
async def live() -> Health:
    """Answer without looking at anything else, so that a database outage does not restart every process."""
    return Health(status="live", parts={})


@get("/ready", operation_id="HealthReady", summary="Fit to take requests", opt={"public": True})
async def ready(state: State) -> Response[Health]:
    """Answer 200 when the database answers and is at the newest revision, 503 otherwise."""
    parts = {"database": "ok", "revision": "ok"}
    try:
        async with in_transaction(state.sessions) as session:
            await session.execute(text("SELECT 1"))
            current = await (await session.connection()).run_sync(_current_revision)
            if current != newest_revision():
                parts["revision"] = f"at {current}, newest is {newest_revision()}"
    except (SQLAlchemyError, OSError) as error:
        parts["database"] = type(error).__name__
    is_ready = set(parts.values()) == {"ok"}
    return Response(
        Health(status="ready" if is_ready else "not_ready", parts=parts), status_code=200 if is_ready else 503
    )


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


health_router = Router(path="/health", route_handlers=[live, ready], tags=["health"])
