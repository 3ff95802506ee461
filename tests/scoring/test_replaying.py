"""Scores made again: the same, different where somebody tampered, purged where the law closed the inputs."""

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from builders_consents import a_consent
from builders_scoring import Town, a_permission, a_released_model, a_town
from conftest import Database

from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import queries as permitted
from xinyidai.consents import service as consents
from xinyidai.decisions import service as decisions
from xinyidai.decisions.replay import replay_all
from xinyidai.decisions.rules import Leg
from xinyidai.foundation.database import in_transaction
from xinyidai.scoring import model, service
from xinyidai.scoring.rules.scores import ScoreView
from xinyidai.sources import service as sources
from xinyidai.worker import load_rooms


@pytest.fixture
async def town(database: Database, noon: datetime) -> Town:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await a_released_model(session, now=noon)
        return await a_town(session, firms=4, now=noon)


async def score_everybody(database: Database, town: Town, *, now: datetime) -> dict[UUID, ScoreView]:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        permission = await a_permission(session, town.firm_ids, now=now)
        scored = await service.score_many(session, permission, as_of=now, now=now)
    return {score.firm_id: score for score in scored.scores}


async def test_untouched_scores_come_out_the_same_at_any_later_time(
    database: Database, town: Town, noon: datetime
) -> None:
    await score_everybody(database, town, now=noon)
    await score_everybody(database, town, now=noon + timedelta(days=3))

    report = await replay_all(database.worker, now=noon + timedelta(days=30))

    assert (report.same, report.different, report.purged) == (8, 0, 0)


async def test_facts_that_arrive_later_change_no_earlier_score(database: Database, town: Town, noon: datetime) -> None:
    await score_everybody(database, town, now=noon)
    later = noon + timedelta(days=1)
    row = f"{town.codes[0]},99999999,out,2025-06-02,P1,100000.00,13000.00,113000.00,valid\n"
    header = "credit_code,invoice_no,direction,issued_on,counterparty,net_yuan,tax_yuan,gross_yuan,status\n"

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=later)
        delivered = await sources.receive_csv(session, town.agency.maker, (header + row).encode(), now=later)
    report = await replay_all(database.worker, now=later)

    assert delivered.loaded == 1
    assert (report.same, report.different, report.purged) == (4, 0, 0)


@pytest.mark.parametrize(
    "edit",
    [
        "net_fen = net_fen + 1",
        "counterparty = counterparty || 'x'",
        "issued_on = issued_on - 1",
        "is_void = NOT is_void",
    ],
)
async def test_one_edited_invoice_makes_exactly_that_firms_scores_differ(
    database: Database, admin: asyncpg.Connection, town: Town, noon: datetime, edit: str
) -> None:
    scores = await score_everybody(database, town, now=noon)
    firm_id = town.firm_ids[2]

    await admin.execute("ALTER TABLE sources.invoice_fact DISABLE TRIGGER USER")
    await admin.execute(
        f"UPDATE sources.invoice_fact SET {edit} WHERE (firm_id, delivery_no, line_no) ="
        " (SELECT firm_id, delivery_no, line_no FROM sources.invoice_fact WHERE firm_id = $1"
        "  ORDER BY line_no LIMIT 1)",
        firm_id,
    )
    report = await replay_all(database.worker, now=noon)

    assert (report.same, report.different, report.purged) == (3, 1, 0)
    assert [(found.decision_id, found.subject_id, found.leg) for found in report.differences] == [
        (scores[firm_id].decision_id, firm_id, Leg.FACTS)
    ]
    assert "facts" in report.differences[0].fields


async def test_an_edited_probability_is_named_by_the_outcome_leg(
    database: Database, admin: asyncpg.Connection, town: Town, noon: datetime
) -> None:
    scores = await score_everybody(database, town, now=noon)
    decision_id = scores[town.firm_ids[1]].decision_id

    await admin.execute("ALTER TABLE decisions.decision DISABLE TRIGGER USER")
    await admin.execute(
        "UPDATE decisions.decision SET outcome = jsonb_set(outcome, '{pd_ppm}', '1') WHERE id = $1", decision_id
    )
    report = await replay_all(database.worker, now=noon)

    assert report.different == 1
    assert [(found.decision_id, found.leg, found.fields) for found in report.differences] == [
        (decision_id, Leg.OUTCOME, ("pd_ppm",))
    ]


async def test_scores_by_an_altered_model_do_not_come_out_the_same(
    database: Database, admin: asyncpg.Connection, town: Town, noon: datetime
) -> None:
    scores = await score_everybody(database, town, now=noon)

    await admin.execute("ALTER TABLE scoring.model_release DISABLE TRIGGER USER")
    await admin.execute("ALTER TABLE scoring.model_release DROP CONSTRAINT ck_model_release_bundle_is_the_digests")
    await admin.execute("UPDATE scoring.model_release SET bundle = replace(bundle, 'Made-up', 'Other')")
    report = await replay_all(database.worker, now=noon)

    assert report.different == len(scores)
    assert {found.leg for found in report.differences} == {Leg.OUTCOME}


async def test_scores_by_a_retired_model_are_made_again_by_that_model(
    database: Database, town: Town, noon: datetime
) -> None:
    old = await score_everybody(database, town, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await a_released_model(session, seed=4, now=noon)
    new = await score_everybody(database, town, now=noon)

    report = await replay_all(database.worker, now=noon)

    assert {score.release_digest for score in old.values()} != {score.release_digest for score in new.values()}
    assert (report.same, report.different, report.purged) == (8, 0, 0)


async def test_a_destroyed_key_and_a_revoked_consent_are_purged_and_no_difference(
    database: Database, town: Town, noon: datetime
) -> None:
    await score_everybody(database, town, now=noon)
    firm = town.firms[0]

    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        page = await permitted.consents_of(session, firm, now=noon)
        await consents.revoke(session, firm, page.rows[0].id, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await decisions.destroy_key(session, None, town.firms[1].organisation_id, now=noon)
    report = await replay_all(database.worker, now=noon)

    assert (report.same, report.different, report.purged) == (2, 0, 2)


async def test_a_replay_reads_models_afresh_and_keeps_none(database: Database, town: Town, noon: datetime) -> None:
    scores = await score_everybody(database, town, now=noon)
    digest = scores[town.firm_ids[0]].release_digest
    model.forget(digest)

    report = await replay_all(database.worker, now=noon)

    assert report.same == len(scores)
    assert model.known(digest) is None


async def test_after_a_purge_the_facts_leg_is_purged_and_the_vector_leg_the_same_until_the_key_ends(
    database: Database, town: Town, noon: datetime
) -> None:
    load_rooms()
    await score_everybody(database, town, now=noon)
    later, much_later = noon + timedelta(days=500), noon + timedelta(days=30 * 366)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await sources.seal_facts(session, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=later)
        purged = await sources.purge_due(session, now=later)
        await a_consent(session, town.firms[0], now=later)

    after = await replay_all(database.worker, now=later)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=much_later)
        destroyed = await decisions.end_retentions(session, now=much_later)
    ended = await replay_all(database.worker, now=much_later)

    assert purged.firms == 4
    assert (after.same, after.different, after.facts_purged, after.vector_purged) == (0, 0, 4, 0)
    assert (destroyed, ended.different, ended.facts_purged, ended.vector_purged) == (4, 0, 0, 4)
