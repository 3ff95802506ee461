"""The ground of the tests: one embedded PostgreSQL for the run, a migrated template, a fresh clone per test."""

import asyncio
import os
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import Browser
from sqlalchemy.ext.asyncio import AsyncSession

os.environ.setdefault("SECRET_KEY", "a key for tests only, never for a deployment")
os.environ.setdefault("ARGON2_TIME_COST", "1")
os.environ.setdefault("ARGON2_MEMORY_KIB", "8")

from chromium import a_browser

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import Sessions, in_transaction, make_engine, make_sessions
from xinyidai.foundation.embedded import PostgresServer, start_postgres
from xinyidai.foundation.migrating import bootstrap, migrate
from xinyidai.foundation.settings import DatabaseRole, Settings

TEMPLATE = "xinyidai_template"
_numbers = count(1)


@dataclass(frozen=True)
class Database:
    """A fresh, committed database of one test, with sessions for the roles that sign in."""

    name: str
    settings: Settings
    admin_dsn: str
    app: Sessions
    worker: Sessions


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[PostgresServer]:
    """Start a server without fsync and make the migrated template once."""
    with start_postgres(Path(tmp_path_factory.mktemp("pg")), fast=True) as server:
        asyncio.run(_make_template(server))
        yield server


async def _make_template(server: PostgresServer) -> None:
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute(f"CREATE DATABASE {TEMPLATE}")
    await admin.close()
    settings = settings_for(server, TEMPLATE)
    await bootstrap(settings)
    await migrate(settings.dsn(DatabaseRole.MIGRATE))


def settings_for(server: PostgresServer, database: str) -> Settings:
    """Return settings that point at one database of the test server."""
    return Settings(database_url=server.dsn(database))


@pytest.fixture
async def database(cluster: PostgresServer) -> AsyncGenerator[Database]:
    """Clone the template; drop the clone afterwards."""
    name = f"t{os.getpid()}_{next(_numbers)}"
    admin = await asyncpg.connect(cluster.dsn("postgres"))
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {DatabaseRole.OWNER}")
    settings = settings_for(cluster, name)
    engines = [make_engine(settings.dsn(role), pool_size=10) for role in (DatabaseRole.APP, DatabaseRole.WORKER)]
    app, worker = (make_sessions(engine) for engine in engines)
    yield Database(name, settings, cluster.dsn(name), app, worker)
    for engine in engines:
        await engine.dispose()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture(scope="session")
async def browser(anyio_backend: str) -> AsyncGenerator[Browser]:
    """Start one Chromium for the run, with an empty profile; every page gets a context of its own."""
    async with a_browser() as started:
        yield started


@pytest.fixture
async def session(database: Database, noon: datetime) -> AsyncGenerator[AsyncSession]:
    """Return a session in platform scope whose transaction commits when the test has passed."""
    async with in_transaction(database.worker) as opened:
        await act_as_platform(opened, now=noon)
        yield opened


@pytest.fixture
def noon() -> datetime:
    """Return noon in Shanghai on Monday 2025-06-16, in UTC."""
    return datetime(2025, 6, 16, 4, 0, tzinfo=UTC)


@pytest.fixture
async def admin(database: Database) -> AsyncGenerator[asyncpg.Connection]:
    """Return a superuser's connection: for tampering, and for what no role of ours may do."""
    connection = await asyncpg.connect(database.admin_dsn)
    yield connection
    await connection.close()
