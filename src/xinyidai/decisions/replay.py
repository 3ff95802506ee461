"""Replay (决策回放): makes every recorded decision again and names each that does not come out the same.

Two legs. From the vector to the outcome, always: was the decision what its inputs and versions make it? From the facts
to the vector, while the facts live: were the inputs what was known then? Later facts change nothing, since each
decision carries the moment it knew of. Where the key was destroyed, or the facts were purged or may not be read any
more, the decision counts as purged, which is lawful and no failure.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.audit import service as audit
from xinyidai.decisions.keys import OpenKey, keys_by_id
from xinyidai.decisions.models import Decision
from xinyidai.decisions.opening import open_vector
from xinyidai.decisions.rules import Decided, Difference, Leg, ReplayReport, differing_fields
from xinyidai.decisions.service import Replayer, replayer_of
from xinyidai.foundation.cipher import CiphertextAltered
from xinyidai.foundation.database import Sessions, in_transaction

BATCH = 200
MAX_BATCHES = 1_000_000

_FIRST = UUID(int=0)


async def replay_all(
    sessions: Sessions,
    *,
    now: datetime,
    viewer: Viewer | None = None,
    kind: str | None = None,
    limit: int | None = None,
    batch: int = BATCH,
) -> ReplayReport:
    """Replay decisions in the order of their ids, a batch and its audit row in one transaction.

    `viewer` is who asked, None for the platform itself; `limit` stops after so many decisions; `kind` keeps to one
    kind. Only `different` is a failure.
    """
    report, after, left = ReplayReport(), _FIRST, limit
    for _batch in range(MAX_BATCHES):
        size = batch if left is None else min(batch, left)
        if size <= 0:
            break
        async with in_transaction(sessions) as session:
            await act_as_platform(session, now=now)
            rows = await _rows_after(session, after, kind=kind, size=size)
            if not rows:
                break
            report = report.plus(await _replay_batch(session, rows, now=now))
            await _write_down(session, viewer, rows, now=now)
        after = rows[-1].id
        left = None if left is None else left - len(rows)
    return report


async def replay_one(session: AsyncSession, decision_id: UUID, *, now: datetime) -> ReplayReport:
    """Replay one decision in the caller's transaction, which is in platform scope; an empty report where none is."""
    rows = (await session.execute(select(Decision).where(col(Decision.id) == decision_id))).scalars().all()
    return await _replay_batch(session, rows, now=now)


async def _rows_after(session: AsyncSession, after: UUID, *, kind: str | None, size: int) -> Sequence[Decision]:
    statement = select(Decision).where(col(Decision.id) > after).order_by(col(Decision.id)).limit(size)
    if kind is not None:
        statement = statement.where(col(Decision.kind) == kind)
    return (await session.execute(statement)).scalars().all()


async def _write_down(session: AsyncSession, viewer: Viewer | None, rows: Sequence[Decision], *, now: datetime) -> None:
    await audit.write_down(
        session,
        viewer,
        action="decisions.replayed",
        subject_ids=sorted({row.subject_id for row in rows}),
        object_kind="decision_batch",
        object_id=str(rows[0].id),
        now=now,
    )


async def _replay_batch(session: AsyncSession, rows: Sequence[Decision], *, now: datetime) -> ReplayReport:
    keys = await keys_by_id(session, {row.key_id for row in rows})
    differences: list[Difference] = []
    purged = vector_purged = 0
    opened: dict[str, list[Decided]] = defaultdict(list)
    for row in rows:
        key = keys.get(row.key_id)
        if key is None:
            vector_purged += 1
            continue
        one = _opened(row, key)
        if one is None:
            differences.append(_difference(row, Leg.VECTOR, ("vector",)))
        else:
            opened[row.kind].append(one)
    for kind, decided in opened.items():
        replayer = replayer_of(kind)
        if replayer is None:
            differences.extend(_difference(one, Leg.KIND, (kind,)) for one in decided)
            continue
        found, gone = await _replay_kind(session, replayer, decided, now=now)
        differences.extend(found)
        purged += gone
    different = len({difference.decision_id for difference in differences})
    purged += vector_purged
    return ReplayReport(len(rows) - different - purged, different, purged, tuple(differences), vector_purged)


async def _replay_kind(
    session: AsyncSession, replayer: Replayer, decided: Sequence[Decided], *, now: datetime
) -> tuple[list[Difference], int]:
    """Return the differences of one kind, and how many lack nothing but their purged facts."""
    outcomes = await replayer.outcomes_from_vectors(session, decided)
    vectors = await replayer.vectors_from_facts(session, decided, now=now)
    differences: list[Difference] = []
    purged = 0
    for one, outcome, vector in zip(decided, outcomes, vectors, strict=True):
        wrong = differing_fields(one.outcome, outcome)
        if wrong:
            differences.append(_difference(one, Leg.OUTCOME, wrong))
        if vector is None:
            purged += not wrong
            continue
        moved = differing_fields(one.vector, vector)
        if moved:
            differences.append(_difference(one, Leg.FACTS, moved))
    return differences, purged


def _opened(row: Decision, key: OpenKey) -> Decided | None:
    try:
        vector, digest = open_vector(key, row.id, row.vector_sealed)
    except CiphertextAltered:
        return None
    if digest != row.vector_digest or key.subject_id != row.subject_id:
        return None
    return Decided(
        row.id, row.kind, row.subject_id, row.made_at, vector, row.outcome, row.versions, tuple(row.consent_ids)
    )


def _difference(of: Decided | Decision, leg: Leg, fields: tuple[str, ...]) -> Difference:
    return Difference(of.id, of.kind, of.subject_id, leg, fields)
