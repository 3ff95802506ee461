"""Engines for tests, lent: SQLAlchemy compiles each statement once an engine, and most of a test was compiling anew."""

from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from xinyidai.foundation.database import Sessions, make_engine, make_sessions
from xinyidai.foundation.settings import DatabaseRole, Settings

POOL_SIZE = 10


@dataclass
class _Lent:
    engine: AsyncEngine
    database: str | None = None


_at_rest: dict[tuple[DatabaseRole, int | None], list[_Lent]] = defaultdict(list)


@asynccontextmanager
async def lent_sessions(settings: Settings, role: DatabaseRole) -> AsyncGenerator[Sessions]:
    """Yield sessions of a role on a database of the test server; two at once have two engines.

    Connections are new each time, and closed in the end on the loop that opened them.
    """
    dsn = settings.dsn(role)
    waiting = _at_rest[role, dsn.port]
    lent = waiting.pop() if waiting else _made(settings, role)
    lent.database = dsn.database
    try:
        yield make_sessions(lent.engine)
    finally:
        await lent.engine.dispose()
        waiting.append(lent)


def _made(settings: Settings, role: DatabaseRole) -> _Lent:
    made = _Lent(make_engine(settings.dsn(role), pool_size=POOL_SIZE))

    @event.listens_for(made.engine.sync_engine, "do_connect")
    def connect_there(_dialect: object, _record: object, _arguments: object, parameters: dict[str, object]) -> None:
        parameters["database"] = made.database

    return made
