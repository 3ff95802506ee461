"""Replay: the same, different, or lawfully purged."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
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


async def end_retentions(database: Database, *, now: datetime) -> int:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        return await service.end_retentions(session, now=now)


async def keep_months(admin: asyncpg.Connection, **months: int) -> None:
    await admin.executemany(
        "INSERT INTO decisions.retention VALUES ($1, '2016-01-01', $2, 'tests', false)", list(months.items())
    )


async def test_past_its_retention_a_decision_is_purged_with_an_audit_row_and_no_failure(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    await keep_months(admin, age=12)
    await decide(database, FIRMS, now=noon)
    await decide(database, FIRMS[:1], now=noon + timedelta(days=40))

    ended = [await end_retentions(database, now=noon + timedelta(days=days)) for days in (365, 367, 368)]
    report = await replay_all(database.worker, now=noon + timedelta(days=368))

    audited = await admin.fetch("SELECT subject_ids FROM audit.record WHERE action = 'decisions.key_destroyed'")
    assert ended == [0, 4, 0]
    assert (report.same, report.different, report.purged) == (2, 0, 4)
    assert sorted(row["subject_ids"][0] for row in audited) == sorted(FIRMS[1:])


async def test_a_kind_without_a_rule_keeps_its_key(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    await keep_months(admin, age=1)
    await decide(database, FIRMS[:2], now=noon)
    await decide(database, FIRMS[:1], now=noon, kind="of no rule")

    ended = await end_retentions(database, now=noon + timedelta(days=4_000))

    assert ended == 1


async def test_what_a_room_above_sealed_keeps_the_key_for_its_own_time(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    await keep_months(admin, age=1)
    await decide(database, FIRMS[:1], now=noon)
    async with in_transaction(database.app) as session:
        await act_as_platform(session, now=noon)
        await service.seal_for(session, {FIRMS[0]: b"shown"}, bound_to=b"tests", now=noon + timedelta(days=100))

    ended = [await end_retentions(database, now=noon + timedelta(days=days)) for days in (3_652, 3_760)]

    assert ended == [0, 1]
