"""A connection that the server ended while it lay in the pool: nobody meets it."""

import asyncio
import math
from typing import cast

import asyncpg
import pytest
from conftest import Database
from sqlalchemy import text

from xinyidai.foundation.database import make_engine
from xinyidai.foundation.settings import DatabaseRole

WHO = text("SELECT pg_backend_pid()")


async def test_a_connection_that_the_server_ended_is_replaced_without_a_ping(
    database: Database, admin: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinyidai.foundation.database.PINGED_AFTER_SECONDS", math.inf)
    engine = make_engine(database.settings.dsn(DatabaseRole.APP), pool_size=1)
    async with engine.connect() as connection:
        driver = cast(asyncpg.Connection, (await connection.get_raw_connection()).driver_connection)
        ended = await connection.scalar(WHO)

    await admin.execute("SELECT pg_terminate_backend($1, 5000)", ended)
    while not driver.is_closed():
        await asyncio.sleep(0.01)
    async with engine.connect() as connection:
        following = await connection.scalar(WHO)
    await engine.dispose()

    assert following not in (None, ended)
