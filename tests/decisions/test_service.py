"""Recording, explaining and forgetting decisions on a real database."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

import asyncpg
import pytest
from builders_scoring import viewer_of
from conftest import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.decisions import queries, service
from xinyidai.decisions.models import STREAM
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.ids import derived_id
from xinyidai.foundation.sealing import Finding, Found, seal, verify

FIRM = derived_id("firm")
OTHER = derived_id("other firm")
LENDER = viewer_of(derived_id("lender"), kind=OrganisationKind.LENDER)
REASON = {"code": "too_young", "zh": "开票历史不足", "en": "Too short an invoice history"}


async def a_decision(session: AsyncSession, subject_id: UUID, *, now: datetime, months: int = 7) -> UUID:
    return await service.record(
        session,
        kind="test",
        subject_id=subject_id,
        vector={"months": months, "margin": (0.1).hex(), "trend": None},
        outcome={"is_eligible": 0},
        reasons=[REASON],
        versions={"rule": "1"},
        consent_ids=[derived_id("consent")],
        now=now,
    )


async def margin_as_float(session: AsyncSession, *, now: datetime) -> None:
    await service.record(
        session,
        kind="test",
        subject_id=FIRM,
        vector={"margin": 0.1},  # type: ignore[dict-item]
        outcome={},
        reasons=[],
        versions={},
        consent_ids=[],
        now=now,
    )


async def in_one_transaction(database: Database, act: Callable[..., Awaitable[None]], *, now: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        await act(session, now=now)


async def test_a_firm_is_told_outcome_and_reasons_in_both_languages(database: Database, noon: datetime) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, LENDER, now=noon)
        decision_id = await a_decision(session, FIRM, now=noon)

    async with in_transaction(database.app) as session:
        await act_as(session, viewer_of(FIRM), now=noon)
        told = await service.explain(session, viewer_of(FIRM), decision_id, now=noon)

    assert told.outcome == {"is_eligible": 0}
    assert told.reasons == (REASON,)
    assert told.versions == {"rule": "1"}


async def test_an_explanation_leaves_one_audit_row(
    session: AsyncSession, admin: asyncpg.Connection, noon: datetime
) -> None:
    decision_id = await a_decision(session, FIRM, now=noon)

    await service.explain(session, viewer_of(FIRM), decision_id, now=noon)
    await session.commit()

    actions = await admin.fetch("SELECT action, subject_ids FROM audit.record")
    assert [(row["action"], row["subject_ids"]) for row in actions] == [("decisions.explained", [FIRM])]


async def test_a_decision_about_another_firm_looks_like_none(session: AsyncSession, noon: datetime) -> None:
    decision_id = await a_decision(session, FIRM, now=noon)

    with pytest.raises(NotFound):
        await service.explain(session, viewer_of(OTHER), decision_id, now=noon)


async def test_the_web_role_sees_by_raw_sql_only_decisions_and_keys_of_the_firm_that_asks(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await a_decision(session, FIRM, now=noon)
        await a_decision(session, OTHER, now=noon)

    async with in_transaction(database.app) as session:
        await act_as(session, viewer_of(FIRM), now=noon)
        decisions = (await session.execute(text("SELECT subject_id FROM decisions.decision"))).scalars().all()
        leaves = (await session.execute(text("SELECT count(*) FROM decisions.decision_leaf"))).scalar_one()
        keys = (await session.execute(text("SELECT subject_id FROM decisions.subject_key"))).scalars().all()

    assert decisions == [FIRM]
    assert leaves == 1
    assert keys == [FIRM]


async def test_nobody_changes_a_decision_not_even_a_superuser_by_plain_sql(
    session: AsyncSession, admin: asyncpg.Connection, noon: datetime
) -> None:
    await a_decision(session, FIRM, now=noon)
    await session.commit()

    for statement in (
        "UPDATE decisions.decision SET outcome = '{}'",
        "DELETE FROM decisions.decision",
        "TRUNCATE decisions.decision",
    ):
        with pytest.raises(asyncpg.RestrictViolationError, match="append_only"):
            await admin.execute(statement)


async def test_the_roles_that_sign_in_have_no_right_to_change_a_decision(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        rights = (
            await session.execute(
                text(
                    "SELECT role || ' ' || privilege FROM unnest(ARRAY['xinyidai_app', 'xinyidai_worker']) role,"
                    " unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) privilege"
                    " WHERE has_table_privilege(role, 'decisions.decision', privilege)"
                )
            )
        ).all()

    assert rights == []


async def test_a_float_in_a_vector_is_refused_and_nothing_is_written(database: Database, noon: datetime) -> None:
    with pytest.raises(TypeError, match="float"):
        await in_one_transaction(database, margin_as_float, now=noon)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        counts = (
            await session.execute(
                text("SELECT (SELECT count(*) FROM decisions.decision), (SELECT count(*) FROM decisions.subject_key)")
            )
        ).one()
    assert tuple(counts) == (0, 0)


async def test_no_role_that_signs_in_can_backdate_a_decision_behind_the_seals(database: Database) -> None:
    async with in_transaction(database.worker) as session:
        allowed = (
            await session.execute(
                text("SELECT has_column_privilege('xinyidai_worker', 'decisions.decision', 'xid', 'INSERT')")
            )
        ).scalar_one()

    assert allowed is False


async def test_inputs_and_reasons_are_nowhere_in_the_row_in_plain_text(
    session: AsyncSession, admin: asyncpg.Connection, noon: datetime
) -> None:
    await a_decision(session, FIRM, now=noon)
    await session.commit()

    row = await admin.fetchval("SELECT row_to_json(d)::text FROM decisions.decision d")

    assert "too_young" not in row
    assert "months" not in row
    assert "6d6f6e746873" not in row


async def test_once_the_key_is_destroyed_the_outcome_stands_without_reasons(
    session: AsyncSession, noon: datetime
) -> None:
    decision_id = await a_decision(session, FIRM, now=noon)
    platform = viewer_of(derived_id("platform"), kind=OrganisationKind.OPERATOR)

    was_destroyed = await service.destroy_key(session, platform, FIRM, now=noon)
    told = await service.explain(session, viewer_of(FIRM), decision_id, now=noon)

    assert was_destroyed
    assert told.reasons is None
    assert told.outcome == {"is_eligible": 0}


async def test_a_firm_that_comes_back_begins_a_new_key(session: AsyncSession, noon: datetime) -> None:
    old = await a_decision(session, FIRM, now=noon)
    platform = viewer_of(derived_id("platform"), kind=OrganisationKind.OPERATOR)
    await service.destroy_key(session, platform, FIRM, now=noon)

    new = await a_decision(session, FIRM, now=noon)
    told = await queries.explanations(session, [old, new])

    assert told[old].reasons is None
    assert told[new].reasons == (REASON,)
    assert not await service.destroy_key(session, platform, OTHER, now=noon)


async def test_the_web_role_cannot_destroy_a_key(database: Database, noon: datetime) -> None:
    async with in_transaction(database.app) as session:
        await act_as_platform(session, now=noon)
        allowed = (
            await session.execute(
                text("SELECT has_column_privilege('xinyidai_app', 'decisions.subject_key', 'wrapped', 'UPDATE')")
            )
        ).scalar_one()

    assert allowed is False


async def test_what_a_superuser_edits_in_a_decision_is_named_by_verify(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        ids = [await a_decision(session, FIRM, now=noon) for _number in range(3)]
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await seal(session, STREAM, now=noon)

    await admin.execute("ALTER TABLE decisions.decision DISABLE TRIGGER USER")
    await admin.execute("UPDATE decisions.decision SET outcome = '{\"is_eligible\": 1}' WHERE id = $1", ids[1])
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        state = await verify(session, STREAM)

    assert state.sealed == 3
    assert state.found == (Found("decisions.decision", str(ids[1]), Finding.CHANGED),)


async def test_pages_of_own_decisions_hold_each_once(session: AsyncSession, noon: datetime) -> None:
    ids = [await a_decision(session, FIRM, now=noon) for _number in range(5)]

    first = await service.list_own(session, viewer_of(FIRM), cursor=None, limit=3, now=noon)
    second = await service.list_own(session, viewer_of(FIRM), cursor=first.next_cursor, limit=3, now=noon)

    assert sorted(line.id for line in (*first.rows, *second.rows)) == sorted(ids)
    assert second.next_cursor is None
