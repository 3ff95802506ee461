"""Databases for tests: a fresh clone of the migrated template each, empty or furnished."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TypeVar, cast

import asyncpg
from builders_engines import lent_sessions

from xinyidai.foundation.database import Sessions
from xinyidai.foundation.embedded import PostgresServer
from xinyidai.foundation.settings import DatabaseRole, Settings

TEMPLATE = "xinyidai_template"
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own name in it, closed to others by pytest
Found = TypeVar("Found")
_numbers = count(1)
_shared: dict[Path, Settings] = {}
_furnished: dict[tuple[Callable[..., object], datetime], tuple[str, object]] = {}


@dataclass(frozen=True)
class Database:
    """A fresh, committed database of one test, with sessions for the roles that sign in."""

    name: str
    settings: Settings
    admin_dsn: str
    app: Sessions
    worker: Sessions


def settings_for(server: PostgresServer, database: str) -> Settings:
    """Return settings that point at one database of the test server."""
    return Settings(database_url=server.dsn(database))


@asynccontextmanager
async def a_clone(
    cluster: PostgresServer, *, template: str = TEMPLATE, is_kept: bool = False
) -> AsyncGenerator[Database]:
    """Clone a template; drop the clone afterwards, unless it is to be a template itself."""
    name = f"t{os.getpid()}_{next(_numbers)}"
    admin = await asyncpg.connect(cluster.dsn("postgres"))
    # In memory, copying the files is half the work of logging their blocks; on a disk it is twice the work.
    strategy = "FILE_COPY" if MEMORY in cluster.data_dir.parents else "WAL_LOG"
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {DatabaseRole.OWNER} STRATEGY {strategy}")
    settings = settings_for(cluster, name)
    async with lent_sessions(settings, DatabaseRole.APP) as app, lent_sessions(settings, DatabaseRole.WORKER) as worker:
        yield Database(name, settings, cluster.dsn(name), app, worker)
    if not is_kept:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@asynccontextmanager
async def a_shared_clone(cluster: PostgresServer) -> AsyncGenerator[Sessions]:
    """Yield sessions on one clone for all the tests of a worker that take back what they do."""
    if cluster.data_dir not in _shared:
        async with a_clone(cluster, is_kept=True) as first:
            _shared[cluster.data_dir] = first.settings
    async with lent_sessions(_shared[cluster.data_dir], DatabaseRole.WORKER) as sessions:
        yield sessions


@asynccontextmanager
async def a_furnished_clone(
    cluster: PostgresServer, furnish: Callable[..., Awaitable[Found]], *, now: datetime
) -> AsyncGenerator[tuple[Database, Found]]:
    """Clone a database that `furnish` has filled, and yield what it returned.

    It is called once in the run of a worker: made through the rooms' verbs a full desk takes two seconds of CPU, its
    clone as little as an empty one.
    """
    if (furnish, now) not in _furnished:
        async with a_clone(cluster, is_kept=True) as first:
            _furnished[furnish, now] = first.name, await furnish(first, now=now)
    template, found = _furnished[furnish, now]
    async with a_clone(cluster, template=template) as database:
        yield database, cast(Found, found)
