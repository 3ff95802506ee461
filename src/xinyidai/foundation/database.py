"""The database: engines, sessions, one transaction per request or task, and the kinds of columns."""

import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TypeVar, cast

import asyncpg
from sqlalchemy import BigInteger, CheckConstraint, DateTime, Uuid, event, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import SessionTransaction
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import SQLModel

type_of_moment = DateTime(timezone=True)
type_of_fen = BigInteger()
type_of_id = Uuid()
type_of_json = JSONB()

NAMING = {
    "ix": "ix_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
SQLModel.metadata.naming_convention = NAMING

PINGED_AFTER_SECONDS = 1.0
PREPARED = 1_000
"""Statements that a connection keeps prepared: all that the platform knows. The usual hundred are fewer than one desk
uses, and each that fell out costs a round trip and the server's planning again."""
_IDLE_SINCE = "idle_since"
_READ = "read"
_DRIVER = "driver"
"""Where a session remembers its transaction and the driver's connection under it."""

Sessions = async_sessionmaker[AsyncSession]
Result = TypeVar("Result")


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Return the check that keeps a text column to the values of a StrEnum."""
    listed = ", ".join(f"'{value.value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def make_engine(dsn: URL, *, pool_size: int = 8) -> AsyncEngine:
    """Return an engine whose connections carry the platform's time-outs.

    A lock waited for longer than 2 s is a refusal, not a queue; no statement of a request runs for half a minute. A
    prepared statement is planned once: its row-level policies take longer to plan than the look-up takes to run.
    """
    engine = create_async_engine(
        dsn,
        pool_size=pool_size,
        max_overflow=0,
        pool_use_lifo=True,  # the connection used last has what a small load needs prepared
        hide_parameters=True,  # an error that is logged must not carry the values it was about
        connect_args={
            "prepared_statement_cache_size": PREPARED,
            "statement_cache_size": PREPARED,
            "server_settings": {
                "application_name": "xinyidai",
                "timezone": "UTC",
                "lock_timeout": "2s",
                "statement_timeout": "30s",
                "plan_cache_mode": "force_generic_plan",
                "idle_in_transaction_session_timeout": "60s",
            },
        },
    )
    _ping_what_was_idle(engine)
    return engine


def _ping_what_was_idle(engine: AsyncEngine) -> None:
    """See that a connection still lives before it is used; by a ping only where it lay idle for a while.

    A ping at every use, which the pool offers, costs a round trip in eight of a small request. That the server closed
    it is known here without one: so the seeding of a demo ends everybody's connections while pages are read.
    """

    @event.listens_for(engine.sync_engine, "checkin")
    def note(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_IDLE_SINCE] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def look(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        if cast(asyncpg.Connection, record.driver_connection).is_closed():
            raise DisconnectionError
        if time.monotonic() - record.info.get(_IDLE_SINCE, math.inf) < PINGED_AFTER_SECONDS:
            return
        try:
            engine.sync_engine.dialect.do_ping(connection)
        except engine.sync_engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error


def make_sessions(engine: AsyncEngine) -> Sessions:
    """Return the session factory of a process."""
    return async_sessionmaker(engine, expire_on_commit=False, autoflush=False)


@asynccontextmanager
async def in_single_statements(sessions: Sessions) -> AsyncGenerator[AsyncSession]:
    """Open a session in which each statement is a transaction by itself: for one look-up before anybody is known."""
    async with sessions() as session:
        await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        yield session


@asynccontextmanager
async def bare_connection(sessions: Sessions) -> AsyncGenerator[asyncpg.Connection]:
    """Lend the driver's connection from the pool, each statement a transaction by itself: a third of the CPU of one in
    a session, for what every request asks.
    """
    engine: AsyncEngine = sessions.kw["bind"]
    async with engine.connect() as connection:
        yield cast(asyncpg.Connection, (await connection.get_raw_connection()).driver_connection)


@asynccontextmanager
async def in_transaction(sessions: Sessions) -> AsyncGenerator[AsyncSession]:
    """Open a session and one transaction; commit at the end, roll back on a raise. Nobody else commits."""
    async with sessions() as session, session.begin():
        yield session


async def driver(session: AsyncSession) -> asyncpg.Connection:
    """Return the asyncpg connection under the session, in the same transaction: for COPY and the few hot statements."""
    await session.flush()
    transaction = _innermost(session)
    known_in, known = session.info.get(_DRIVER, (None, None))
    if known is not None and known_in is transaction:
        return cast(asyncpg.Connection, known)
    connection = await session.connection()
    raw = cast(asyncpg.Connection, (await connection.get_raw_connection()).driver_connection)
    if not raw.is_in_transaction():
        # SQLAlchemy begins with the first statement; before it, a COPY would commit by itself.
        await session.execute(text("SELECT 1"))
    session.info[_DRIVER] = (_innermost(session), raw)
    return raw


def _innermost(session: AsyncSession) -> SessionTransaction | None:
    """Return the savepoint or transaction that the session is in; a savepoint is told to the database by its first use.

    So what was remembered outside one does not count inside, where a refusal would end the whole transaction.
    """
    return session.sync_session.get_nested_transaction() or session.sync_session.get_transaction()


async def set_local(session: AsyncSession, name: str, value: str) -> None:
    """Set a configuration parameter for the rest of this transaction."""
    await (await driver(session)).execute("SELECT set_config($1, $2, true)", name, value)


async def read_once(session: AsyncSession, key: str, read: Callable[[], Awaitable[Result]]) -> Result:
    """Return what `read` returned the first time that this session asked for `key`.

    For listed terms that a whole transaction should see as one state, and reads many times: a catalogue, a shelf.
    """
    known: dict[str, Result] = session.info.setdefault(_READ, {})
    if key not in known:
        known[key] = await read()
    return known[key]


async def lock_key(session: AsyncSession, name: str) -> None:
    """Take an advisory lock, by name, until the transaction ends."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


async def try_lock_key(session: AsyncSession, name: str) -> bool:
    """Take an advisory lock, by name, until the transaction ends, where nobody else has it; say whether it is ours."""
    statement = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
    return bool((await session.execute(statement, {"name": name})).scalar_one())


def after_commit(session: AsyncSession, act: Callable[[], None]) -> None:
    """Run `act` once when this transaction commits, never when it rolls back."""
    event.listen(session.sync_session, "after_commit", lambda _session: act(), once=True)
