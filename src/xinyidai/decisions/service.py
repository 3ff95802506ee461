"""Verbs of decisions: record, explain, end a retention; and which room replays which kind."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy import Select, func, insert, or_, select, text, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from xinyidai.access.rules import Viewer
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.decisions import queries
from xinyidai.decisions.keys import OpenKey, keys_by_id, keys_for
from xinyidai.decisions.models import Retention, SubjectKey
from xinyidai.decisions.opening import seal_reasons, seal_vector
from xinyidai.decisions.queries import DecisionLine
from xinyidai.decisions.rules import (
    LENT,
    Decided,
    Explanation,
    NewDecision,
    Outcome,
    Reason,
    RetentionRule,
    Vector,
    check_reasons,
    kept_since,
)
from xinyidai.foundation.canonical import canonical_bytes
from xinyidai.foundation.cipher import CiphertextAltered
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.paging import Page
from xinyidai.foundation.timetable import Moment

MAX_RECORDED_AT_ONCE = 1_000
MAX_DESTROYED_AT_ONCE = 1_000
LENT_COARSELY = timedelta(days=1)
"""How exactly a key's last loan is kept: a write for every profile shown would cost more than it tells."""

# The table and not its class: nothing is read back, and the class costs twice the time of the insert itself.
_DECISIONS = SQLModel.metadata.tables["decisions.decision"]

# A kind without a rule has no `since`, and so keeps its key.
_DUE = text("""
SELECT k.subject_id FROM decisions.subject_key k
WHERE k.destroyed_at IS NULL AND k.made_at < :oldest
  AND (k.last_lent_at IS NULL OR k.last_lent_at < :lent_since)
  AND NOT EXISTS (
    SELECT FROM decisions.decision d
    LEFT JOIN unnest(CAST(:kinds AS text[]), CAST(:since AS timestamptz[])) AS r (kind, since) ON r.kind = d.kind
    WHERE d.subject_id = k.subject_id AND d.key_id = k.id AND (r.since IS NULL OR d.made_at >= r.since))
ORDER BY k.made_at, k.id LIMIT :most
""")


class Replayer(Protocol):
    """How decisions of one kind are made again, a batch at a time; both legs answer in the order they were asked.

    For a room that decides one by one, `OneByOne` wraps two plain functions.
    """

    async def outcomes_from_vectors(self, session: AsyncSession, decided: Sequence[Decided]) -> Sequence[Outcome]:
        """Decide again from vector and versions alone; the session only fetches what the versions name."""
        ...

    async def vectors_from_facts(
        self, session: AsyncSession, decided: Sequence[Decided], *, now: datetime
    ) -> Sequence[Vector | None]:
        """Compute the vector again from the facts as they were known then.

        None where the facts were lawfully purged, or may not be read any more: a consent was taken back or ran out.
        """
        ...


@dataclass(frozen=True)
class OneByOne:
    """A replayer made of a pure function of the vector, and one that reads the facts again."""

    outcome_from_vector: Callable[[Decided], Outcome]
    vector_from_facts: Callable[[AsyncSession, Decided, datetime], Awaitable[Vector | None]]

    async def outcomes_from_vectors(self, _session: AsyncSession, decided: Sequence[Decided]) -> Sequence[Outcome]:
        """Decide each again."""
        return [self.outcome_from_vector(one) for one in decided]

    async def vectors_from_facts(
        self, session: AsyncSession, decided: Sequence[Decided], *, now: datetime
    ) -> Sequence[Vector | None]:
        """Compute each vector again."""
        return [await self.vector_from_facts(session, one, now) for one in decided]


_replayers: dict[str, Replayer] = {}


def register_replayer(kind: str, replayer: Replayer) -> None:
    """Say how decisions of a kind are made again; once, by the room that makes them."""
    _replayers[kind] = replayer


def replayer_of(kind: str) -> Replayer | None:
    """Return the replayer of a kind, None where its room registered none."""
    return _replayers.get(kind)


async def record(
    session: AsyncSession,
    *,
    kind: str,
    subject_id: UUID,
    vector: Vector,
    outcome: Outcome,
    reasons: Sequence[Reason],
    versions: dict[str, str],
    consent_ids: Sequence[UUID],
    now: datetime,
) -> UUID:
    """Record one decision in the caller's transaction and return its id; see `record_many`."""
    new = NewDecision(kind, subject_id, vector, outcome, reasons, versions, tuple(consent_ids))
    return (await record_many(session, [new], now=now))[0]


async def record_many(session: AsyncSession, decisions: Sequence[NewDecision], *, now: datetime) -> list[UUID]:
    """Record up to MAX_RECORDED_AT_ONCE decisions; return their ids in the same order.

    The caller has checked the right to decide; the rows are the subjects', so they are written in platform scope.

    Raises
    ------
    TypeError
        A float stands in a vector, an outcome or a reason: write it as `float.hex()` or scale it to an integer.
    ReasonIncomplete
        See the class.
    """
    assert len(decisions) <= MAX_RECORDED_AT_ONCE, "a batch chunk holds at most 1,000 decisions"
    if not decisions:
        return []
    for decision in decisions:
        check_reasons(decision.reasons)
        canonical_bytes(decision.outcome)
    async with platform_scope(session):
        keys = await keys_for(session, {decision.subject_id for decision in decisions}, now=now)
        ids = [new_id() for _decision in decisions]
        rows = [
            _row(decision_id, decision, keys[decision.subject_id], now=now)
            for decision_id, decision in zip(ids, decisions, strict=True)
        ]
        await session.execute(insert(_DECISIONS), rows)
    return ids


def _row(decision_id: UUID, decision: NewDecision, key: OpenKey, *, now: datetime) -> dict[str, object]:
    sealed, digest = seal_vector(key, decision_id, decision.vector)
    return {
        "id": decision_id,
        "kind": decision.kind,
        "subject_id": decision.subject_id,
        "key_id": key.id,
        "made_at": now,
        "vector_sealed": sealed,
        "vector_digest": digest,
        "reasons_sealed": seal_reasons(key, decision_id, decision.reasons),
        "outcome": dict(decision.outcome),
        "versions": dict(decision.versions),
        "consent_ids": list(decision.consent_ids),
    }


async def explain(session: AsyncSession, viewer: Viewer, decision_id: UUID, *, now: datetime) -> Explanation:
    """Tell a firm what was decided about it and why; one audit row.

    Raises
    ------
    NotFound
        No such decision, or one about somebody else.
    """
    told = await queries.explanation(session, viewer, decision_id)
    await audit.write_down(
        session,
        viewer,
        action="decisions.explained",
        subject_ids=[told.subject_id],
        object_kind="decision",
        object_id=str(told.id),
        now=now,
    )
    return told


async def list_own(
    session: AsyncSession, viewer: Viewer, *, cursor: str | None, limit: int, now: datetime
) -> Page[DecisionLine]:
    """Return the decisions about the viewer's own organisation, oldest first; one audit row a page."""
    page = await queries.decisions_about(session, viewer, cursor=cursor, limit=limit)
    await audit.write_down(
        session,
        viewer,
        action="decisions.listed",
        subject_ids=[viewer.organisation_id],
        object_kind="decision_page",
        object_id=str(page.rows[0].id) if page.rows else "",
        now=now,
    )
    return page


async def destroy_key(session: AsyncSession, viewer: Viewer | None, subject_id: UUID, *, now: datetime) -> bool:
    """End the retention of a subject: what was sealed under its key is unreadable for good from the commit on.

    A later decision about the same subject begins a new key. Returns whether there was a key to destroy.
    Only the worker's database role may do this, in platform scope.
    """
    destroyed = await session.execute(
        update(SubjectKey)
        .where(col(SubjectKey.subject_id) == subject_id, col(SubjectKey.destroyed_at).is_(None))
        .values(wrapped=None, destroyed_at=now)
        .returning(col(SubjectKey.id))
        .execution_options(synchronize_session=False)
    )
    key_id = destroyed.scalar_one_or_none()
    if key_id is None:
        return False
    await audit.write_down(
        session,
        viewer,
        action="decisions.key_destroyed",
        subject_ids=[subject_id],
        object_kind="subject_key",
        object_id=str(key_id),
        now=now,
    )
    return True


def keys_past_shortest_retention(at: Moment) -> Select[UUID]:
    """Return the statement of keys older than the shortest time for which anything is kept: only they may have to end.

    What keeps a key longer, `end_retentions` looks at.
    """
    months = select(func.min(col(Retention.months))).scalar_subquery()
    return select(col(SubjectKey.id)).where(
        col(SubjectKey.destroyed_at).is_(None),
        col(SubjectKey.made_at) < type_coerce(at.now, type_of_moment) - func.make_interval(0, months),
    )


async def end_retentions(session: AsyncSession, *, now: datetime) -> int:
    """Destroy up to MAX_DESTROYED_AT_ONCE keys under which nothing is within its retention; return how many.

    A key ends as a whole: while one decision under it is kept, or what a room above sealed under it, or a decision of
    a kind without a rule, all of it stays readable. Needs platform scope and the worker's role; one audit row a key.
    """
    rows = (await session.execute(select(Retention))).scalars()
    kept = kept_since([RetentionRule(row.kind, row.valid_from, row.months) for row in rows], business_date(now))
    due = await session.execute(
        _DUE,
        {
            "kinds": list(kept),
            "since": list(kept.values()),
            "lent_since": kept.get(LENT),
            "oldest": max(kept.values(), default=None),
            "most": MAX_DESTROYED_AT_ONCE,
        },
    )
    destroyed = [await destroy_key(session, None, subject_id, now=now) for subject_id in due.scalars().all()]
    return sum(destroyed)


async def seal_for(
    session: AsyncSession, plain: dict[UUID, bytes], *, bound_to: bytes, now: datetime
) -> dict[UUID, tuple[UUID, bytes]]:
    """Seal bytes of other rooms under their subjects' keys, so that they end with the same key.

    Returns key id and ciphertext by subject; `bound_to` names the kind of row, and the subject's id is added to it.
    """
    async with platform_scope(session):
        keys = await keys_for(session, plain.keys(), now=now)
        await _note_lent(session, keys.values(), now=now)
    return {
        subject_id: (keys[subject_id].id, keys[subject_id].cipher.seal(text, bound_to=bound_to + subject_id.bytes))
        for subject_id, text in plain.items()
    }


async def _note_lent(session: AsyncSession, keys: Collection[OpenKey], *, now: datetime) -> None:
    """Keep when the keys were last lent, as exactly as LENT_COARSELY says."""
    before = now - LENT_COARSELY
    due = [key.id for key in keys if key.last_lent_at is None or key.last_lent_at < before]
    if due:
        last_lent_at = col(SubjectKey.last_lent_at)
        await session.execute(
            update(SubjectKey)
            .where(col(SubjectKey.id).in_(due), or_(last_lent_at.is_(None), last_lent_at < before))
            .values(last_lent_at=now)
            .execution_options(synchronize_session=False)
        )


async def open_for(
    session: AsyncSession, key_id: UUID, subject_id: UUID, sealed: bytes, *, bound_to: bytes
) -> bytes | None:
    """Open what `seal_for` sealed; None once the key is destroyed.

    Raises
    ------
    CiphertextAltered
        A byte was changed, or the ciphertext belongs to another row.
    """
    key = (await keys_by_id(session, [key_id])).get(key_id)
    if key is None:
        return None
    if key.subject_id != subject_id:
        raise CiphertextAltered("the key is another subject's")
    return key.cipher.open(sealed, bound_to=bound_to + subject_id.bytes)
