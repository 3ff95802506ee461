"""The ground of the tests: one embedded PostgreSQL for the run, a migrated template, a fresh clone per test."""

import asyncio
import gc
import os
import shutil
from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from hypothesis import settings as hypothesis_settings
from playwright.async_api import Browser
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

os.environ.setdefault("SECRET_KEY", "a key for tests only, never for a deployment")
os.environ.setdefault("ARGON2_TIME_COST", "1")
os.environ.setdefault("ARGON2_MEMORY_KIB", "8")
os.environ.setdefault("STAFF_SECOND_FACTOR", "0")
# The test server speaks no TLS; asking it anew at each of some thousand connections costs more than the rest of one.
os.environ.setdefault("PGSSLMODE", "disable")

from builders_applications import take_back_applications
from builders_databases import MEMORY, TEMPLATE, Database, a_clone, a_shared_clone, settings_for
from builders_examples import FULL, ORDINARY, register_profiles
from chromium import a_browser

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.embedded import PostgresServer, start_postgres
from xinyidai.foundation.migrating import bootstrap, migrate
from xinyidai.foundation.settings import DatabaseRole, settings

MEMORY_NEEDED_BYTES = 3 << 30

register_profiles()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the counts of examples, and keep the tests' files in memory: a clone is 700 files, slow on a disk."""
    hypothesis_settings.load_profile(ORDINARY if config.option.markexpr == "not long" else FULL)
    is_worker = hasattr(config, "workerinput")
    if is_worker or config.option.basetemp or not MEMORY.is_dir():
        return
    for left in MEMORY.glob("xinyidai-tests-*"):
        if not Path("/proc", left.name.rpartition("-")[2]).exists():
            shutil.rmtree(left, ignore_errors=True)
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED_BYTES:
        config.option.basetemp = _in_memory()


def pytest_collection_finish() -> None:
    """Set aside what was imported: each look through it for garbage takes half a second, and it lives to the end."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the memory back."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(_in_memory(), ignore_errors=True)


def _in_memory() -> Path:
    return MEMORY / f"xinyidai-tests-{os.getpid()}"


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


@pytest.fixture(autouse=True)
def environment_as_it_was() -> Generator[None]:
    """Take back what a command under test left in the environment, and the settings read from it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    settings.cache_clear()


@pytest.fixture(autouse=True)
def applications_come_back() -> Generator[None]:
    """Keep the applications that the test was lent for the next one."""
    yield
    take_back_applications()


@pytest.fixture(scope="session")
async def browser(anyio_backend: str) -> AsyncGenerator[Browser]:
    """Start one Chromium for the run, with an empty profile; every page gets a context of its own."""
    async with a_browser() as started:
        yield started


@pytest.fixture
async def database(cluster: PostgresServer) -> AsyncGenerator[Database]:
    """Return a clone for this test alone."""
    async with a_clone(cluster) as database:
        yield database


@pytest.fixture
def own_database(request: pytest.FixtureRequest) -> Database | None:
    """Return the clone of this test alone, where it looks at it by more than its session."""
    asks = bool({"database", "admin"} & set(request.fixturenames))
    own: Database | None = request.getfixturevalue("database") if asks else None
    return own


def _require_savepoint(session: Session) -> None:
    assert session.in_nested_transaction(), "who commits asks for a database of its own"


@pytest.fixture
async def session(
    own_database: Database | None, cluster: PostgresServer, noon: datetime
) -> AsyncGenerator[AsyncSession]:
    """Return a session in platform scope.

    With a database of the test's own its transaction commits when the test has passed. Without, nobody else can see
    what it did: what a commit would check is checked, and it is taken back from a clone that such tests share.
    """
    if own_database is not None:
        async with in_transaction(own_database.worker) as opened:
            await act_as_platform(opened, now=noon)
            yield opened
        return
    async with a_shared_clone(cluster) as sessions, sessions() as opened:
        event.listen(opened.sync_session, "before_commit", _require_savepoint)
        await act_as_platform(opened, now=noon)
        yield opened
        await opened.flush()
        await opened.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        await opened.rollback()


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
