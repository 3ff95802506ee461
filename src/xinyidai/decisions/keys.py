"""The keys of subjects: made when first needed, wrapped by the platform's, destroyed at the end of retention."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Row, any_, bindparam, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from xinyidai.decisions.models import SubjectKey
from xinyidai.foundation.cipher import Cipher, new_key
from xinyidai.foundation.database import type_of_id
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.settings import settings

# Read for every decision and every profile shown: through the class, and built anew each time, it costs twice as much.
_KEYS = SQLModel.metadata.tables["decisions.subject_key"]
_LIVING = select(_KEYS).where(_KEYS.c.destroyed_at.is_(None))
_LIVING_OF = _LIVING.where(_KEYS.c.subject_id == any_(bindparam("subject_ids", type_=ARRAY(type_of_id))))
_LIVING_BY_ID = _LIVING.where(_KEYS.c.id == any_(bindparam("key_ids", type_=ARRAY(type_of_id))))


@dataclass(frozen=True)
class OpenKey:
    """A subject's key, unwrapped for this transaction."""

    id: UUID
    subject_id: UUID
    key: bytes
    last_lent_at: datetime | None

    @property
    def cipher(self) -> Cipher:
        """The cipher under this key."""
        return Cipher(self.key)


async def keys_for(session: AsyncSession, subject_ids: Collection[UUID], *, now: datetime) -> dict[UUID, OpenKey]:
    """Return the living key of each subject, made where there is none; two makers at once end with one key.

    Needs platform scope: a lender's act may be decided about a firm.
    """
    found = await _living(session, subject_ids)
    missing = sorted(set(subject_ids) - found.keys())
    if missing:
        rows = [_new_row(subject_id, now=now) for subject_id in missing]
        statement = postgresql.insert(SubjectKey).on_conflict_do_nothing(
            index_elements=["subject_id"],
            index_where=col(SubjectKey.destroyed_at).is_(None),
        )
        await session.execute(statement, rows)
        found |= await _living(session, missing)
    return found


async def keys_by_id(session: AsyncSession, key_ids: Collection[UUID]) -> dict[UUID, OpenKey]:
    """Return the keys that still live among these."""
    return {row.id: _open(row) for row in await session.execute(_LIVING_BY_ID, {"key_ids": list(key_ids)})}


async def _living(session: AsyncSession, subject_ids: Collection[UUID]) -> dict[UUID, OpenKey]:
    found = await session.execute(_LIVING_OF, {"subject_ids": list(subject_ids)})
    return {row.subject_id: _open(row) for row in found}


def _new_row(subject_id: UUID, *, now: datetime) -> dict[str, object]:
    key_id = new_id()
    wrapped = _platform_cipher().seal(new_key(), bound_to=key_id.bytes)
    return {"id": key_id, "subject_id": subject_id, "wrapped": wrapped, "made_at": now, "destroyed_at": None}


def _open(row: Row[tuple[object, ...]]) -> OpenKey:
    assert row.wrapped is not None, "a key without a date of destruction is there"
    key = _platform_cipher().open(row.wrapped, bound_to=row.id.bytes)
    return OpenKey(row.id, row.subject_id, key, row.last_lent_at)


def _platform_cipher() -> Cipher:
    return Cipher(settings().secret("subject keys"))
