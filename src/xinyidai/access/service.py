"""Telling the database who is asking, for the rest of the transaction."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.foundation.database import set_local
from xinyidai.foundation.reference import VERSION, begin_at

_SET = (
    "SELECT set_config('app.organisation_id', $1, true), set_config('app.business_at', $2, true),"
    f" set_config('app.scope', $3, true), ({VERSION})"
)
_SETTING = "app.scope"
_SCOPE = "scope"
"""Where the session remembers what the database was told, so that a step in platform scope costs no round trip."""


async def act_as(session: AsyncSession, viewer: Viewer, *, now: datetime) -> None:
    """Limit the rest of the transaction to the rows of the viewer's organisation."""
    await _tell(session, str(viewer.organisation_id), "viewer", now=now)


async def act_as_platform(session: AsyncSession, *, now: datetime) -> None:
    """Let the rest of the transaction see every party's rows: tasks, jobs and commands of the platform itself."""
    await _tell(session, "", "platform", now=now)


async def _tell(session: AsyncSession, organisation_id: str, scope: str, *, now: datetime) -> None:
    # Most often the first statement, with which the transaction begins: so not by the driver alone.
    told = await (await session.connection()).exec_driver_sql(_SET, (organisation_id, now.isoformat(), scope))
    begin_at(session, told.mappings().one()["version"])
    session.info[_SCOPE] = scope


@asynccontextmanager
async def platform_scope(session: AsyncSession) -> AsyncGenerator[None]:
    """Widen the scope for one step of a viewer's act that touches rows of others, and narrow it again.

    What was written before and inside is flushed at the borders, so that each row is checked in its own scope.

    For example accepting an offer reserves capacity on a line that belongs to bank and fund. The caller has checked
    the viewer's right to the act before. A raise narrows it too, for a caller that catches a refusal and goes on; in
    a transaction that the database has given up, the rollback takes the setting back.
    """
    before = session.info.get(_SCOPE, "viewer")
    await session.flush()
    if before == "platform":
        yield
        await session.flush()
        return
    await set_local(session, _SETTING, "platform")
    session.info[_SCOPE] = "platform"
    try:
        yield
        await session.flush()
    except BaseException:
        session.info[_SCOPE] = before
        with suppress(SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await set_local(session, _SETTING, before)
        raise
    session.info[_SCOPE] = before
    await set_local(session, _SETTING, before)
