"""Models are released by digest and two people, and run only unaltered."""

from datetime import datetime

import asyncpg
import pytest
from builders_parties import Desk, a_lender, a_viewer, the_operator
from builders_scoring import a_bundle, a_permission, a_released_model, a_town
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Role, SamePersonTwice
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.scoring import model, queries, service
from xinyidai.scoring.rules.releases import (
    AlreadyProposed,
    BundleRefused,
    NoModelReleased,
    NotProposed,
    ReleaseState,
)


@pytest.fixture
async def desk(session: AsyncSession, noon: datetime) -> Desk:
    return await the_operator(session, now=noon)


async def test_one_person_proposes_and_another_releases(session: AsyncSession, desk: Desk, noon: datetime) -> None:
    proposed = await service.propose_release(session, desk.maker, a_bundle(), now=noon)
    released = await service.approve_release(session, desk.checker, proposed.digest, now=noon)

    assert proposed.state is ReleaseState.PROPOSED
    assert released.state is ReleaseState.RELEASED
    assert (released.proposed_by, released.approved_by) == (desk.maker.principal_id, desk.checker.principal_id)
    assert await queries.released(session) == released
    assert released.card.startswith("# Default model")


async def test_the_same_person_cannot_release_what_it_proposed(session: AsyncSession, noon: datetime) -> None:
    both = await a_viewer(session, PLATFORM_ID, Role.OFFICER, Role.APPROVER, now=noon)
    proposed = await service.propose_release(session, both, a_bundle(), now=noon)

    with pytest.raises(SamePersonTwice):
        await service.approve_release(session, both, proposed.digest, now=noon)

    assert await queries.released(session) is None


async def test_roles_and_kind_are_asked_of_both_people(session: AsyncSession, desk: Desk, noon: datetime) -> None:
    bank = await a_lender(session, now=noon)
    proposed = await service.propose_release(session, desk.maker, a_bundle(), now=noon)

    for viewer in (desk.checker, bank.maker):
        with pytest.raises(NotAllowed):
            await service.propose_release(session, viewer, a_bundle(4), now=noon)
    for viewer in (desk.maker, bank.checker):
        with pytest.raises(NotAllowed):
            await service.approve_release(session, viewer, proposed.digest, now=noon)


async def test_the_next_release_retires_the_one_before(session: AsyncSession, desk: Desk, noon: datetime) -> None:
    first = await service.propose_release(session, desk.maker, a_bundle(), now=noon)
    await service.approve_release(session, desk.checker, first.digest, now=noon)
    second = await service.propose_release(session, desk.maker, a_bundle(4), now=noon)
    await service.approve_release(session, desk.checker, second.digest, now=noon)

    states = {release.digest: release.state for release in await queries.releases(session)}

    assert states == {first.digest: ReleaseState.RETIRED, second.digest: ReleaseState.RELEASED}


async def test_a_model_is_proposed_once_and_released_once(session: AsyncSession, desk: Desk, noon: datetime) -> None:
    proposed = await service.propose_release(session, desk.maker, a_bundle(), now=noon)
    await service.approve_release(session, desk.checker, proposed.digest, now=noon)

    with pytest.raises(AlreadyProposed):
        await service.propose_release(session, desk.maker, a_bundle(), now=noon)
    with pytest.raises(NotProposed):
        await service.approve_release(session, desk.checker, proposed.digest, now=noon)
    with pytest.raises(NotFound):
        await service.approve_release(session, desk.checker, "0" * 64, now=noon)


@pytest.mark.parametrize(
    "bundle",
    [
        "",
        "{}",
        "[1]",
        "\0",
        "\ud800",
        "x" * (5 * 1024 * 1024 + 1),
        a_bundle().replace('"format":1', '"format":2'),
        a_bundle().replace("void_rate_sales", "rating"),
    ],
    ids=[
        "empty",
        "no model",
        "a list",
        "a NUL",
        "half a character",
        "too long",
        "another format",
        "an indicator nobody computes",
    ],
)
async def test_what_is_no_model_of_ours_is_refused(
    session: AsyncSession, desk: Desk, noon: datetime, bundle: str
) -> None:
    with pytest.raises(BundleRefused):
        await service.propose_release(session, desk.maker, bundle, now=noon)

    assert await queries.releases(session) == []


async def test_without_a_release_nothing_is_scored(session: AsyncSession, noon: datetime) -> None:
    town = await a_town(session, firms=1, now=noon)
    permission = await a_permission(session, town.firm_ids, now=noon)

    with pytest.raises(NoModelReleased):
        await service.score_many(session, permission, as_of=noon, now=noon)


async def test_a_bundle_altered_past_every_guard_is_not_used(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        digest = await a_released_model(session, seed=8, now=noon)
        town = await a_town(session, firms=1, now=noon)

    await admin.execute("ALTER TABLE scoring.model_release DISABLE TRIGGER USER")
    await admin.execute("ALTER TABLE scoring.model_release DROP CONSTRAINT ck_model_release_bundle_is_the_digests")
    await admin.execute("UPDATE scoring.model_release SET bundle = replace(bundle, 'slope\":0.', 'slope\":1.')")
    model.forget(digest)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        permission = await a_permission(session, town.firm_ids, now=noon)
        with pytest.raises(BundleRefused, match="DigestMismatch"):
            await service.score_many(session, permission, as_of=noon, now=noon)
    scores = await admin.fetchval("SELECT count(*) FROM scoring.score")
    assert scores == 0


async def test_the_database_itself_refuses_another_text_under_a_digest(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await a_released_model(session, now=noon)

    with pytest.raises(asyncpg.RestrictViolationError, match="append_only"):
        await admin.execute("UPDATE scoring.model_release SET bundle = '{}'")
    await admin.execute("ALTER TABLE scoring.model_release DISABLE TRIGGER USER")
    with pytest.raises(asyncpg.CheckViolationError, match="bundle_is_the_digests"):
        await admin.execute("UPDATE scoring.model_release SET bundle = '{}'")
    with pytest.raises(asyncpg.CheckViolationError, match="two_people"):
        await admin.execute("UPDATE scoring.model_release SET approved_by = proposed_by")


async def test_raw_sql_of_the_web_role_cannot_release_two_models_or_rewrite_one(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        desk = await the_operator(session, now=noon)
        await a_released_model(session, now=noon)
        await service.propose_release(session, desk.maker, a_bundle(4), now=noon)

    with pytest.raises(IntegrityError, match="uq_model_release_released"):
        await run_as_web(
            database,
            "UPDATE scoring.model_release SET state = 'released', approved_by = gen_random_uuid(),"
            " approved_at = proposed_at WHERE state = 'proposed'",
            now=noon,
        )
    async with in_transaction(database.app) as session:
        may_rewrite = (
            await session.execute(
                text("SELECT has_column_privilege('xinyidai_app', 'scoring.model_release', 'bundle', 'UPDATE')")
            )
        ).scalar_one()
    assert may_rewrite is False


async def run_as_web(database: Database, statement: str, *, now: datetime) -> None:
    async with in_transaction(database.app) as session:
        await act_as_platform(session, now=now)
        await session.execute(text(statement))
