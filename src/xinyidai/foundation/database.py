"""The database: engines, sessions, one transaction per request or task, and the kinds of columns."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import cast

import asyncpg
from sqlalchemy import BigInteger, CheckConstraint, DateTime, Uuid, event, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
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

Sessions = async_sessionmaker[AsyncSession]


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Return the check that keeps a text column to the values of a StrEnum."""
    listed = ", ".join(f"'{value.value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def make_engine(dsn: URL, *, pool_size: int = 8) -> AsyncEngine:
    """Return an engine whose connections carry the platform's time-outs.

    A lock waited for longer than 2 s is a refusal, not a queue; no statement of a request runs for half a minute.
    """
    return create_async_engine(
        dsn,
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,  # an error that is logged must not carry the values it was about
        connect_args={
            "server_settings": {
                "application_name": "xinyidai",
                "timezone": "UTC",
                "lock_timeout": "2s",
                "statement_timeout": "30s",
                "idle_in_transaction_session_timeout": "60s",
            }
        },
    )


def make_sessions(engine: AsyncEngine) -> Sessions:
    """Return the session factory of a process."""
    return async_sessionmaker(engine, expire_on_commit=False, autoflush=False)


@asynccontextmanager
async def in_transaction(sessions: Sessions) -> AsyncGenerator[AsyncSession]:
    """Open a session and one transaction; commit at the end, roll back on a raise. Nobody else commits."""
    async with sessions() as session, session.begin():
        yield session


async def driver(session: AsyncSession) -> asyncpg.Connection:
    """Return the asyncpg connection under the session, in the same transaction: for COPY and the few hot reads."""
    await session.flush()
    connection = await session.connection()
    raw = cast(asyncpg.Connection, (await connection.get_raw_connection()).driver_connection)
    if not raw.is_in_transaction():
        # SQLAlchemy begins with the first statement; before it, a COPY would commit by itself.
        await session.execute(text("SELECT 1"))
    return raw


async def set_local(session: AsyncSession, name: str, value: str) -> None:
    """Set a configuration parameter for the rest of this transaction."""
    await session.execute(text("SELECT set_config(:name, :value, true)"), {"name": name, "value": value})


async def lock_key(session: AsyncSession, name: str) -> None:
    """Take an advisory lock, by name, until the transaction ends."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def after_commit(session: AsyncSession, act: Callable[[], None]) -> None:
    """Run `act` once when this transaction commits, never when it rolls back."""
    event.listen(session.sync_session, "after_commit", lambda _session: act(), once=True)
