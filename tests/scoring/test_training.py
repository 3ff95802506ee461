"""Training on outcomes and facts as they were known, of firms that allow it."""

from datetime import date, datetime, timedelta

import asyncpg
import pytest
from builders_parties import a_credit_code, a_lender, a_regulator
from builders_scoring import Town, a_town
from conftest import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import queries as permitted
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Purpose
from xinyidai.foundation.clock import start_of_day
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed
from xinyidai.foundation.ids import derived_id
from xinyidai.scoring import model, queries, service
from xinyidai.scoring.rules.outcomes import OutcomeInFuture, TooFewLabels

OBSERVED = date(2025, 6, 15)
AS_OF = start_of_day(OBSERVED)
LOAN = derived_id("loan")


async def a_labelled_town(session: AsyncSession, *, firms: int = 40, now: datetime) -> Town:
    """Return firms that consent to training, each with a reported outcome."""
    town = await a_town(session, firms=firms, invoices=20, purposes=(Purpose.PRE_LOAN, Purpose.MODEL_TRAINING), now=now)
    bank = await a_lender(session, now=now)
    report = await service.receive_outcomes(session, bank.maker, outcomes_csv(town), now=now)
    assert report.loaded == firms
    return town


def outcomes_csv(town: Town) -> str:
    rows = [f"{code},{int(bad)},{OBSERVED}" for code, bad in zip(town.codes, town.defaulted, strict=True)]
    return "\n".join(["credit_code,is_default,observed_on", *rows])


async def test_training_gives_a_model_with_its_card_and_each_firm_held_out_once(
    session: AsyncSession, noon: datetime
) -> None:
    town = await a_labelled_town(session, now=noon)

    trained = await service.train(session, as_of=AS_OF, seed=1, now=noon)

    assert sorted(one.firm_id for one in trained.cv) == town.firm_ids
    assert {one.fold for one in trained.cv} == {0, 1, 2, 3, 4}
    assert sum(one.is_default for one in trained.cv) == sum(town.defaulted)
    assert all(0 < one.pd_ppm < 1_000_000 for one in trained.cv)
    assert trained.metrics["firms"] == 40
    assert 0 <= trained.metrics["auc_ppm"] <= 1_000_000
    assert model.check(trained.bundle_text).digest == trained.digest
    assert "40 firms" in trained.card


async def test_the_same_facts_and_seed_give_the_same_model(session: AsyncSession, noon: datetime) -> None:
    await a_labelled_town(session, now=noon)

    first = await service.train(session, as_of=AS_OF, seed=1, now=noon)
    again = await service.train(session, as_of=AS_OF, seed=1, now=noon)

    assert first == again


async def test_a_firm_that_takes_its_training_consent_back_is_not_trained_on(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        town = await a_labelled_town(session, now=noon)
    firm = town.firms[7]
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        page = await permitted.consents_of(session, firm, now=noon)
        given = next(one for one in page.rows if one.purpose is Purpose.MODEL_TRAINING)
        await consents.revoke(session, firm, given.id, now=noon)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        trained = await service.train(session, as_of=AS_OF, seed=1, now=noon)

    assert firm.organisation_id not in {one.firm_id for one in trained.cv}
    assert len(trained.cv) == 39
    looked = await admin.fetch("SELECT subject_ids, purpose FROM audit.record WHERE action = 'scoring.trained_on'")
    assert [(len(row["subject_ids"]), row["purpose"]) for row in looked] == [(39, "model_training")]


async def test_labels_are_those_known_at_the_cut_off(session: AsyncSession, noon: datetime) -> None:
    town = await a_labelled_town(session, now=noon)
    later = noon + timedelta(days=10)
    bank = await a_lender(session, now=later)
    for firm_id in town.firm_ids:
        await service.record_outcome(
            session,
            firm_id=firm_id,
            is_default=True,
            observed_on=OBSERVED,
            reported_by=bank.id,
            loan_id=LOAN,
            now=later,
        )

    then = await service.train(session, as_of=AS_OF, seed=1, now=noon)

    assert sum(one.is_default for one in then.cv) == sum(town.defaulted)
    with pytest.raises(TooFewLabels):
        await service.train(session, as_of=AS_OF, seed=1, now=later)


async def test_outcomes_from_before_the_indicators_moment_do_not_count(session: AsyncSession, noon: datetime) -> None:
    await a_labelled_town(session, firms=6, now=noon)

    with pytest.raises(TooFewLabels):
        await service.train(session, as_of=AS_OF + timedelta(days=1), seed=1, now=noon)


async def test_saying_the_same_again_is_no_news_and_a_correction_is_a_later_row(
    session: AsyncSession, noon: datetime
) -> None:
    firm_id, bank_id = derived_id("firm"), derived_id("bank")
    said = {"firm_id": firm_id, "observed_on": OBSERVED, "reported_by": bank_id, "loan_id": LOAN}

    first = await service.record_outcome(session, is_default=True, now=noon, **said)
    again = await service.record_outcome(session, is_default=True, now=noon + timedelta(days=1), **said)
    corrected = await service.record_outcome(session, is_default=False, now=noon + timedelta(days=2), **said)

    assert (first, again, corrected) == (True, False, True)
    assert [one.is_default for one in await queries.outcomes_of(session, firm_id)] == [True, False]


async def test_an_outcome_of_tomorrow_is_refused(session: AsyncSession, noon: datetime) -> None:
    with pytest.raises(OutcomeInFuture):
        await service.record_outcome(
            session,
            firm_id=derived_id("firm"),
            is_default=True,
            observed_on=date(2025, 6, 17),
            reported_by=derived_id("bank"),
            now=noon,
        )


async def test_a_list_says_what_became_of_each_row(session: AsyncSession, noon: datetime) -> None:
    town = await a_town(session, firms=2, invoices=5, now=noon)
    bank = await a_lender(session, now=noon)
    unknown = a_credit_code()
    text = (
        "credit_code,is_default,observed_on\n"
        f"{town.codes[0]},0,2025-05-31\n{town.codes[1].lower()},1,2025-05-31\n{unknown},0,2025-05-31\nX,0,2025-05-31\n"
    )

    report = await service.receive_outcomes(session, bank.maker, text, now=noon)
    again = await service.receive_outcomes(session, bank.maker, text, now=noon)

    assert (report.received, report.loaded, report.rejected) == (4, 2, {"firm_unknown": 2})
    assert (again.loaded, again.unchanged) == (0, 2)


async def test_only_who_lends_guarantees_or_is_an_agency_reports_outcomes(
    session: AsyncSession, noon: datetime
) -> None:
    regulator = await a_regulator(session, now=noon)
    bank = await a_lender(session, now=noon)

    for viewer in (regulator.maker, bank.checker):
        with pytest.raises(NotAllowed):
            await service.receive_outcomes(session, viewer, "", now=noon)


async def test_by_raw_sql_a_bank_sees_only_what_it_reported(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        town = await a_labelled_town(session, firms=3, now=noon)
        other = await a_lender(session, now=noon)

    seen = []
    for viewer in (other.maker, town.firms[0]):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            seen.append((await session.execute(text("SELECT count(*) FROM scoring.outcome"))).scalar_one())

    assert seen == [0, 1]
