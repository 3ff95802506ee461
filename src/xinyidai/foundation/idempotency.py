"""A money call carries a key: the same key with the same body is done once and answered the same way again.

The answer is kept in the transaction that did the work, so an error keeps nothing and a retry starts afresh. It is
forgotten after `KEPT_FOR`, and the same key then is a new call.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from pydantic import BaseModel
from sqlalchemy import Index, LargeBinary, Select, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from xinyidai.foundation.canonical import Json, digest
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import driver, type_of_json, type_of_moment
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.timetable import Moment

MAX_KEY_LENGTH = 200
KEPT_FOR = timedelta(days=30)
"""Wall time: a month is longer than any client retries, and a month's end of reconciliation falls into it."""
MAX_FORGOTTEN = 10_000


_CLAIM = (
    "INSERT INTO foundation.idempotent_answer (organisation_id, key_digest, request_digest, recorded_at)"
    " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING 1"
)
_KEEP = "UPDATE foundation.idempotent_answer SET body = $3 WHERE organisation_id = $1 AND key_digest = $2"


class IdempotencyKeyMissing(Refusal):
    """A call that moves money came without a key."""

    code = "idempotency_key_missing"
    status = 400
    title_zh = "涉及资金的请求必须带 Idempotency-Key 请求头"
    title_en = "A call that moves money needs the header Idempotency-Key"


class IdempotencyKeyRefused(Refusal):
    """The key is longer than MAX_KEY_LENGTH or holds other than printable ASCII."""

    code = "idempotency_key_refused"
    status = 400
    title_zh = "Idempotency-Key 必须是 1 至 {longest} 个可见 ASCII 字符"
    title_en = "Idempotency-Key must be 1 to {longest} printable ASCII characters"


class KeyReused(Refusal):
    """The key was used before with another body."""

    code = "idempotency_key_reused"
    status = 422
    title_zh = "该 Idempotency-Key 已用于另一个请求"
    title_en = "This Idempotency-Key was used for another request"


class TwinInFlight(Refusal):
    """The same call is being worked on at this moment; ask again in a second."""

    code = "twin_in_flight"
    status = 409
    title_zh = "相同的请求正在处理，请稍后重试"
    title_en = "The same call is in progress; try again shortly"


class IdempotentAnswer(SQLModel, table=True):
    """What one organisation's call with one key was answered."""

    __tablename__ = "idempotent_answer"
    __table_args__ = (Index("ix_idempotent_answer_recorded_at", "recorded_at"), {"schema": "foundation"})

    organisation_id: UUID = Field(primary_key=True)
    key_digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    request_digest: bytes = Field(sa_type=LargeBinary)
    body: dict[str, object] | None = Field(default=None, sa_type=type_of_json)
    recorded_at: datetime = Field(default_factory=wall_now, sa_type=type_of_moment)


@dataclass(frozen=True)
class Answer:
    """The body to send, and whether it was kept from an earlier call."""

    body: dict[str, object]
    is_replayed: bool


def check_key(key: str | None) -> str:
    """Return the key when it is fit to be one.

    Raises
    ------
    IdempotencyKeyMissing, IdempotencyKeyRefused
        No key, or one that is too long or not printable ASCII.
    """
    if not key:
        raise IdempotencyKeyMissing
    if len(key) > MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise IdempotencyKeyRefused(longest=MAX_KEY_LENGTH)
    return key


async def once(
    session: AsyncSession,
    *,
    organisation_id: UUID,
    key: str,
    request: Json,
    act: Callable[[], Awaitable[BaseModel]],
) -> Answer:
    """Do `act` unless this organisation's key has an answer; the caller's commit keeps work and answer together.

    Raises
    ------
    KeyReused
        Same key, other request; nothing was done.
    TwinInFlight
        The same key is being worked on and did not finish within the lock time-out.
    """
    named, asked = (organisation_id, hashlib.sha256(key.encode()).digest()), digest(request)
    told = await driver(session)
    try:
        claimed = await told.fetchval(_CLAIM, *named, asked, wall_now())
    except asyncpg.LockNotAvailableError as error:
        raise TwinInFlight from error
    if claimed is None:
        return await _kept(session, named, asked)
    body = (await act()).model_dump(mode="json")
    told = await driver(session)
    await told.execute(_KEEP, *named, json.dumps(body))
    return Answer(body, is_replayed=False)


async def _kept(session: AsyncSession, named: tuple[UUID, bytes], asked: bytes) -> Answer:
    kept = await session.get_one(IdempotentAnswer, named)
    if kept.request_digest != asked:
        raise KeyReused
    assert kept.body is not None, "an answer commits together with its body"
    return Answer(kept.body, is_replayed=True)


def old_answers(at: Moment) -> Select[bytes]:
    """Return the statement of answers that are older than KEPT_FOR."""
    return select(col(IdempotentAnswer.key_digest)).where(col(IdempotentAnswer.recorded_at) < at.wall_at - KEPT_FOR)


async def forget_answers(session: AsyncSession, *, wall_at: datetime) -> int:
    """Delete up to MAX_FORGOTTEN answers that are older than KEPT_FOR and return how many; needs platform scope."""
    forgotten = await session.execute(
        text(
            "WITH old AS (SELECT organisation_id, key_digest FROM foundation.idempotent_answer"
            "  WHERE recorded_at < :before ORDER BY recorded_at LIMIT :most),"
            " gone AS (DELETE FROM foundation.idempotent_answer a USING old"
            "  WHERE a.organisation_id = old.organisation_id AND a.key_digest = old.key_digest RETURNING 1)"
            " SELECT count(*) FROM gone"
        ),
        {"before": wall_at - KEPT_FOR, "most": MAX_FORGOTTEN},
    )
    return int(forgotten.scalar_one())
