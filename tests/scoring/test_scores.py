"""Scoring firms from delivered invoices on a real database."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import numpy as np
import pandas as pd
import pytest
from builders_consents import a_consent
from builders_parties import a_firm
from builders_scoring import Town, a_bundle, a_permission, a_released_model, a_town, viewer_of
from conftest import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from ml.registry import read_bundle
from ml.serving import Scorer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import queries as permitted
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing, Permission, Purpose
from xinyidai.decisions import queries as decisions
from xinyidai.decisions import service as deciding
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotFound, ValueRefused
from xinyidai.profiles import service as profiles
from xinyidai.profiles.model import indicator_texts
from xinyidai.profiles.rules.readings import NoInvoices
from xinyidai.scoring import queries, service
from xinyidai.scoring.rules.scores import PermissionUnfit, ScoreView


@pytest.fixture
async def town(database: Database, noon: datetime) -> Town:
    """Return six firms with invoices and a released model, committed."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await a_released_model(session, now=noon)
        return await a_town(session, now=noon)


def the_scorer(digest: str, bundle: str) -> Scorer:
    codes = [one.code for one in indicator_texts()]
    return Scorer(read_bundle(bundle.encode(), digest=digest, known_features=codes))


async def test_a_firm_scores_itself_and_reads_its_reasons(database: Database, town: Town, noon: datetime) -> None:
    firm = town.firms[0]

    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        scored = await service.score_own(session, firm, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        shown = await service.show_latest(session, firm, max_age=timedelta(days=1), now=noon)
        told = await deciding.explain(session, firm, scored.decision_id, now=noon)

    assert shown == scored
    assert told.reasons == scored.reasons
    assert told.outcome["pd_ppm"] == scored.pd_ppm
    assert scored.firm_id == firm.organisation_id
    assert 1 <= scored.band <= 10


async def test_reasons_are_the_greatest_exact_shares_and_all_shares_add_up_to_the_score(
    session: AsyncSession, town: Town, noon: datetime
) -> None:
    permission = await a_permission(session, town.firm_ids, now=noon)
    frame = await profiles.indicators_as_of(session, permission, as_of=noon, known_at=noon)
    scored = await service.score_many(session, permission, as_of=noon, now=noon)

    scorer = the_scorer(scored.scores[0].release_digest, a_bundle())
    shares = pd.DataFrame(scorer.contributions(frame), index=frame.index, columns=list(scorer.feature_names))

    for score in scored.scores:
        own = shares.loc[str(score.firm_id)]
        raising = own[own > 0].sort_values(ascending=False, kind="stable").head(4)
        assert score.reasons is not None
        assert 1 <= len(score.reasons) <= 4
        assert [reason["code"] for reason in score.reasons] == list(raising.index)
        assert [reason["share_micro"] for reason in score.reasons] == [round(share * 1e6) for share in raising]
    total = scorer.bias + shares.sum(axis=1)
    chance = (1e6 / (1 + np.exp(-total))).round()
    assert chance.astype(int).to_dict() == {str(score.firm_id): score.pd_ppm for score in scored.scores}


async def test_alone_and_in_a_crowd_a_firm_scores_the_same(session: AsyncSession, town: Town, noon: datetime) -> None:
    crowd = await service.score_many(
        session, await a_permission(session, town.firm_ids, now=noon), as_of=noon, now=noon
    )

    alone = [
        await service.score_firm(
            session, await a_permission(session, [firm_id], now=noon), firm_id=firm_id, as_of=noon, now=noon
        )
        for firm_id in town.firm_ids
    ]

    assert {said(score) for score in alone} == {said(score) for score in crowd.scores}
    assert crowd.refused == {}


def said(score: ScoreView) -> tuple[UUID, int, int, int, str]:
    return score.firm_id, score.pd_ppm, score.score_points, score.band, str(score.reasons)


async def test_a_batch_leaves_one_audit_row_that_names_everybody(
    database: Database, admin: asyncpg.Connection, town: Town, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        permission = await a_permission(session, town.firm_ids, now=noon)
        await service.score_many(session, permission, as_of=noon, now=noon)

    rows = await admin.fetch("SELECT * FROM audit.record WHERE action = 'scoring.scored'")
    assert len(rows) == 1
    assert rows[0]["subject_ids"] == town.firm_ids
    assert rows[0]["purpose"] == "pre_loan"
    assert sorted(rows[0]["consent_ids"]) == sorted(permission.consent_ids)


async def count_everything(admin: asyncpg.Connection) -> Sequence[int]:
    tables = ("decisions.decision", "decisions.subject_key", "scoring.score", "audit.record")
    return [await admin.fetchval(f"SELECT count(*) FROM {table}") for table in tables]


async def score_in_a_transaction(database: Database, town: Town, *, now: datetime) -> None:
    firm = town.firms[0]
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=now)
        await service.score_own(session, firm, now=now)


async def test_after_revocation_nothing_is_scored_and_nothing_written(
    database: Database, admin: asyncpg.Connection, town: Town, noon: datetime
) -> None:
    firm = town.firms[0]
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        page = await permitted.consents_of(session, firm, now=noon)
        await consents.revoke(session, firm, page.rows[0].id, now=noon)
    before = await count_everything(admin)

    with pytest.raises(ConsentMissing):
        await score_in_a_transaction(database, town, now=noon)

    assert await count_everything(admin) == before


async def test_a_permission_kept_across_a_revocation_reads_nothing(
    database: Database, admin: asyncpg.Connection, town: Town, noon: datetime
) -> None:
    firm = town.firms[0]
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        kept = await a_permission(session, [firm.organisation_id], now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        page = await permitted.consents_of(session, firm, now=noon)
        await consents.revoke(session, firm, page.rows[0].id, now=noon)
    before = await count_everything(admin)

    with pytest.raises(ConsentMissing):
        await score_with(database, kept, firm.organisation_id, now=noon)
    with pytest.raises(PermissionUnfit):
        await score_with(database, kept, firm.organisation_id, now=noon + timedelta(seconds=1))

    assert await count_everything(admin) == before


async def score_with(database: Database, permission: Permission, firm_id: UUID, *, now: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        await service.score_firm(session, permission, firm_id=firm_id, as_of=now, now=now)


async def test_a_firm_without_consent_or_invoices_is_refused(session: AsyncSession, town: Town, noon: datetime) -> None:
    silent = await a_firm(session, now=noon)

    with pytest.raises(ConsentMissing):
        await service.score_own(session, silent, now=noon)
    await a_consent(session, silent, now=noon)
    with pytest.raises(NoInvoices):
        await service.score_own(session, silent, now=noon)


async def test_a_permission_for_somebody_else_or_something_else_does_not_serve(
    session: AsyncSession, town: Town, noon: datetime
) -> None:
    first, second = town.firm_ids[:2]
    permission = await a_permission(session, [first], now=noon)
    for_training = Permission(
        frozenset({first}), (), Purpose.MODEL_TRAINING, permission.receiver_id, ("vat_invoice",), noon
    )

    with pytest.raises(PermissionUnfit):
        await service.score_firm(session, permission, firm_id=second, as_of=noon, now=noon)
    with pytest.raises(PermissionUnfit):
        await service.score_firm(session, for_training, firm_id=first, as_of=noon, now=noon)
    with pytest.raises(ValueRefused, match="as_of"):
        await service.score_firm(session, permission, firm_id=first, as_of=noon + timedelta(days=1), now=noon)


async def test_one_firm_without_invoices_does_not_keep_the_others_from_a_score(
    session: AsyncSession, town: Town, noon: datetime
) -> None:
    silent = await a_firm(session, now=noon)
    await a_consent(session, silent, now=noon)

    permission = await a_permission(session, [*town.firm_ids, silent.organisation_id], now=noon)
    scored = await service.score_many(session, permission, as_of=noon, now=noon)

    assert len(scored.scores) == len(town.firms)
    assert scored.refused == {silent.organisation_id: "no_invoices"}


async def test_by_raw_sql_the_web_role_sees_only_the_scores_of_the_firm_that_asks(
    database: Database, town: Town, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        permission = await a_permission(session, town.firm_ids, now=noon)
        scored = await service.score_many(session, permission, as_of=noon, now=noon)

    async with in_transaction(database.app) as session:
        await act_as(session, town.firms[0], now=noon)
        seen = (await session.execute(text("SELECT firm_id FROM scoring.score"))).scalars().all()
        other = next(score for score in scored.scores if score.firm_id != town.firms[0].organisation_id)
        with pytest.raises(NotFound):
            await service.show_score(session, town.firms[0], other.id, now=noon)

    assert seen == [town.firms[0].organisation_id]


async def test_a_score_too_old_is_none(session: AsyncSession, town: Town, noon: datetime) -> None:
    firm_id = town.firm_ids[0]
    permission = await a_permission(session, [firm_id], now=noon)
    scored = await service.score_firm(session, permission, firm_id=firm_id, as_of=noon, now=noon)

    later = noon + timedelta(days=30)
    fresh = await queries.latest_score(session, firm_id, max_age=timedelta(days=31), now=later)
    stale = await queries.latest_score(session, firm_id, max_age=timedelta(days=30), now=later)

    assert fresh is not None
    assert fresh.id == scored.id
    assert stale is None
    assert set(await queries.latest_scores(session, town.firm_ids, max_age=timedelta(days=31), now=later)) == {firm_id}


async def test_scores_cannot_be_changed_by_plain_sql(
    database: Database, admin: asyncpg.Connection, town: Town, noon: datetime
) -> None:
    await score_in_a_transaction(database, town, now=noon)

    for statement in (
        "UPDATE scoring.score SET pd_ppm = 1",
        "DELETE FROM scoring.score",
        "TRUNCATE scoring.score CASCADE",
    ):
        with pytest.raises(asyncpg.RestrictViolationError, match="append_only"):
            await admin.execute(statement)


async def test_reasons_end_with_the_key(session: AsyncSession, town: Town, noon: datetime) -> None:
    firm_id = town.firm_ids[0]
    permission = await a_permission(session, [firm_id], now=noon)
    scored = await service.score_firm(session, permission, firm_id=firm_id, as_of=noon, now=noon)

    await deciding.destroy_key(session, None, firm_id, now=noon)
    told = await decisions.explanations(session, [scored.decision_id])
    latest = await queries.latest_score(session, firm_id, max_age=timedelta(days=1), now=noon)

    assert told[scored.decision_id].reasons is None
    assert latest is not None
    assert (latest.pd_ppm, latest.reasons) == (scored.pd_ppm, None)


async def test_a_stranger_has_no_score(session: AsyncSession, town: Town, noon: datetime) -> None:
    stranger = viewer_of(town.agency.id)

    with pytest.raises(NotFound):
        await service.show_latest(session, stranger, max_age=timedelta(days=1), now=noon)
