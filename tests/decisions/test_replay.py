"""Replay: the same, different, or lawfully purged."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import pytest
from builders_scoring import viewer_of
from conftest import Database
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind
from xinyidai.access.service import act_as_platform
from xinyidai.decisions import service
from xinyidai.decisions.replay import replay_all
from xinyidai.decisions.rules import Decided, Leg, Outcome, Vector
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.ids import derived_id

PLATFORM = viewer_of(derived_id("platform"), kind=OrganisationKind.OPERATOR)
FIRMS = [derived_id("firm", str(number)) for number in range(5)]

facts: dict[UUID, int | None] = {}


def outcome_of(decided: Decided) -> Outcome:
    months = decided.vector["months"]
    assert isinstance(months, int)
    return {"is_eligible": int(months >= 12)}


async def vector_of(_session: AsyncSession, decided: Decided, _now: datetime) -> Vector | None:
    months = facts[decided.subject_id]
    return None if months is None else {"months": months}


@pytest.fixture(autouse=True)
def _a_room_that_decides() -> Iterator[None]:
    facts.clear()
    facts.update(dict.fromkeys(FIRMS, 7))
    service.register_replayer("age", service.OneByOne(outcome_of, vector_of))
    yield
    facts.clear()


async def decide(database: Database, firms: Sequence[UUID], *, now: datetime, kind: str = "age") -> list[UUID]:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        return [
            await service.record(
                session,
                kind=kind,
                subject_id=firm,
                vector={"months": 7},
                outcome={"is_eligible": 0},
                reasons=[],
                versions={},
                consent_ids=[],
                now=now,
            )
            for firm in firms
        ]


async def test_untouched_decisions_come_out_the_same_in_batches_of_any_size(database: Database, noon: datetime) -> None:
    await decide(database, FIRMS, now=noon)

    reports = [await replay_all(database.worker, now=noon, batch=batch) for batch in (1, 2, 5, 200)]

    assert {(report.same, report.different, report.purged) for report in reports} == {(5, 0, 0)}


async def test_a_limit_stops_the_replay(database: Database, noon: datetime) -> None:
    await decide(database, FIRMS, now=noon)

    report = await replay_all(database.worker, now=noon, limit=3, batch=2)

    assert report.same == 3


async def test_an_edited_outcome_is_named_by_its_leg_and_field(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    ids = await decide(database, FIRMS, now=noon)

    await admin.execute("ALTER TABLE decisions.decision DISABLE TRIGGER USER")
    await admin.execute("UPDATE decisions.decision SET outcome = '{\"is_eligible\": 1}' WHERE id = $1", ids[2])
    report = await replay_all(database.worker, now=noon)

    assert (report.same, report.different, report.purged) == (4, 1, 0)
    assert [(found.decision_id, found.leg, found.fields) for found in report.differences] == [
        (ids[2], Leg.OUTCOME, ("is_eligible",))
    ]


async def test_an_edited_vector_does_not_open_and_is_named(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    ids = await decide(database, FIRMS, now=noon)

    await admin.execute("ALTER TABLE decisions.decision DISABLE TRIGGER USER")
    await admin.execute(
        "UPDATE decisions.decision SET vector_sealed = set_byte(vector_sealed, 20, get_byte(vector_sealed, 20) # 1)"
        " WHERE id = $1",
        ids[0],
    )
    report = await replay_all(database.worker, now=noon)

    assert report.different == 1
    assert [(found.decision_id, found.leg) for found in report.differences] == [(ids[0], Leg.VECTOR)]


async def test_a_vector_of_another_decision_does_not_pass_for_this_one(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    ids = await decide(database, FIRMS[:1] * 2, now=noon)

    await admin.execute("ALTER TABLE decisions.decision DISABLE TRIGGER USER")
    await admin.execute(
        "UPDATE decisions.decision d SET vector_sealed = o.vector_sealed, vector_digest = o.vector_digest"
        " FROM decisions.decision o WHERE d.id = $1 AND o.id = $2",
        *ids,
    )
    report = await replay_all(database.worker, now=noon)

    assert [(found.decision_id, found.leg) for found in report.differences] == [(ids[0], Leg.VECTOR)]


async def test_changed_facts_are_named_by_leg_and_field(database: Database, noon: datetime) -> None:
    ids = await decide(database, FIRMS, now=noon)

    facts[FIRMS[3]] = 8
    report = await replay_all(database.worker, now=noon)

    assert (report.same, report.different, report.purged) == (4, 1, 0)
    assert [(found.decision_id, found.leg, found.fields) for found in report.differences] == [
        (ids[3], Leg.FACTS, ("months",))
    ]


async def test_purged_facts_and_destroyed_keys_are_purged_and_not_different(database: Database, noon: datetime) -> None:
    await decide(database, FIRMS, now=noon)

    facts[FIRMS[0]] = None
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await service.destroy_key(session, PLATFORM, FIRMS[1], now=noon)
    report = await replay_all(database.worker, now=noon)

    assert (report.same, report.different, report.purged) == (3, 0, 2)
    assert report.differences == ()


async def test_purged_facts_do_not_hide_an_edited_outcome(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    ids = await decide(database, FIRMS, now=noon)

    facts[FIRMS[0]] = None
    await admin.execute("ALTER TABLE decisions.decision DISABLE TRIGGER USER")
    await admin.execute("UPDATE decisions.decision SET outcome = '{}' WHERE id = $1", ids[0])
    report = await replay_all(database.worker, now=noon)

    assert (report.same, report.different, report.purged) == (4, 1, 0)


async def test_a_kind_that_nobody_can_replay_is_a_failure_and_not_passed_over(
    database: Database, noon: datetime
) -> None:
    ids = await decide(database, FIRMS[:1], now=noon, kind="orphan")

    report = await replay_all(database.worker, now=noon)

    assert [(found.decision_id, found.leg) for found in report.differences] == [(ids[0], Leg.KIND)]


async def test_each_batch_leaves_one_audit_row_that_names_its_subjects(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    await decide(database, FIRMS, now=noon)

    await replay_all(database.worker, now=noon, batch=3)

    looked = await admin.fetch("SELECT subject_ids FROM audit.record WHERE action = 'decisions.replayed' ORDER BY id")
    assert [len(row["subject_ids"]) for row in looked] == [3, 2]
