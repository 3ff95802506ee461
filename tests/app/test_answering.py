"""A fault that the database raises is answered alike, whether SQLAlchemy or the driver under it asked."""

from datetime import datetime

import pytest
from builders_doors import a_door
from conftest import Database
from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation.database import driver


def raising(state: str) -> str:
    """Return a statement that ends as one does that meets this state."""
    return f"DO $$ BEGIN RAISE EXCEPTION 'as if' USING ERRCODE = '{state}'; END $$"


@get("/by-session/{sqlstate:str}")
async def by_session(session: NamedDependency[AsyncSession], sqlstate: FromPath[str]) -> None:
    """Raise through SQLAlchemy."""
    await session.execute(text(raising(sqlstate)))


@get("/by-driver/{sqlstate:str}")
async def by_driver(session: NamedDependency[AsyncSession], sqlstate: FromPath[str]) -> None:
    """Raise through asyncpg."""
    await (await driver(session)).execute(raising(sqlstate))


ROUTER = Router(path="/faults", route_handlers=[by_session, by_driver])


@pytest.mark.parametrize("way", ["by-session", "by-driver"])
@pytest.mark.parametrize(
    ("state", "status", "code", "retry_after"),
    [
        ("55P03", 503, "busy", "1"),
        ("40P01", 503, "busy", "1"),
        ("40001", 503, "busy", "1"),
        ("22021", 422, "input_refused", None),
        ("22P05", 422, "input_refused", None),
        ("23505", 500, "unexpected", None),
    ],
)
async def test_a_fault_of_the_database_is_answered_by_its_state(
    database: Database, noon: datetime, way: str, state: str, status: int, code: str, retry_after: str | None
) -> None:
    async with a_door(database, ROUTER, None, now=noon) as client:
        answer = await client.get(f"/faults/{way}/{state}")

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers.get("Retry-After") == retry_after
    assert answer.json()["reference"]
    assert "as if" not in answer.text
