"""What hardly ever changes and is read all the time: policy, catalogue, rules. Each process keeps it, by version.

Every change of such a table gives `foundation.reference` another version, in the same transaction, by a trigger. A
transaction learns the version with its first statement, which says who is asking, and so costs no round trip; what was
kept under another version is not used. A version is drawn at random, so that the copies of a database share one as long
as they say the same.

Only the owner of the tables may write them: a transaction that changed one itself would keep what is not committed.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel

from xinyidai.foundation.database import read_once

Result = TypeVar("Result")

VERSION: Final = "SELECT version FROM foundation.reference"
"""The statement that says the version, for whoever begins a transaction."""
_VERSION: Final = "reference"
VERSIONS_KEPT: Final = 4
_kept: Final[dict[UUID, dict[str, object]]] = {}


class Reference(SQLModel, table=True):
    """The version of all reference tables together: one row."""

    __tablename__ = "reference"
    __table_args__ = ({"schema": "foundation"},)

    version: UUID = Field(primary_key=True)


def begin_at(session: AsyncSession, version: UUID) -> None:
    """Tell a session the version with which its transaction began."""
    session.info[_VERSION] = version


async def read_reference(session: AsyncSession, key: str, read: Callable[[], Awaitable[Result]]) -> Result:
    """Return what `read` returned the first time that this process asked for `key` under this version.

    A key names a whole table: what is in force on a day is picked out of it by the caller. What is returned is shared,
    and must not be changed. A session that was not told a version reads once itself.
    """
    version = session.info.get(_VERSION)
    if version is None:
        return await read_once(session, key, read)
    if version not in _kept:
        while len(_kept) >= VERSIONS_KEPT:
            del _kept[next(iter(_kept))]
        _kept[version] = {}
    entries = cast(dict[str, Result], _kept[version])  # one key is one kind of value
    if key not in entries:
        entries[key] = await read()
    return entries[key]
