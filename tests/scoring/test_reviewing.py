"""A person looks again."""

from datetime import datetime

import asyncpg
import pytest
from builders_parties import a_lender, the_operator
from builders_scoring import Town, a_released_model, a_town
from conftest import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound, ValueRefused
from xinyidai.foundation.ids import derived_id
from xinyidai.scoring import service
from xinyidai.scoring.rules.releases import ReviewAnswer, ReviewClosed, ReviewOpen, ReviewState
from xinyidai.scoring.rules.scores import ScoreView


@pytest.fixture
async def town(database: Database, noon: datetime) -> Town:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await a_released_model(session, now=noon)
        return await a_town(session, firms=2, now=noon)


@pytest.fixture
async def a_score(database: Database, town: Town, noon: datetime) -> ScoreView:
    async with in_transaction(database.app) as session:
        await act_as(session, town.firms[0], now=noon)
        return await service.score_own(session, town.firms[0], now=noon)


async def test_a_firm_asks_and_an_officer_answers_once(
    session: AsyncSession, town: Town, a_score: ScoreView, noon: datetime
) -> None:
    desk = await the_operator(session, now=noon)
    firm = town.firms[0]

    asked = await service.request_review(session, firm, a_score.id, wish="请人工复核", now=noon)
    waiting = await service.reviews_waiting(session, desk.maker, cursor=None, limit=10, now=noon)
    answered = await service.answer_review(
        session, desk.maker, asked.id, answer=ReviewAnswer.UPHELD, note="已核对", now=noon
    )

    assert [one.id for one in waiting.rows] == [asked.id]
    assert (answered.state, answered.answer, answered.note) == (ReviewState.ANSWERED, ReviewAnswer.UPHELD, "已核对")
    with pytest.raises(ReviewClosed):
        await service.answer_review(session, desk.maker, asked.id, answer=ReviewAnswer.SET_ASIDE, note="再看", now=noon)


async def test_one_review_of_a_score_at_a_time(
    session: AsyncSession, town: Town, a_score: ScoreView, noon: datetime
) -> None:
    desk = await the_operator(session, now=noon)
    firm = town.firms[0]
    asked = await service.request_review(session, firm, a_score.id, wish="", now=noon)

    with pytest.raises(ReviewOpen):
        await service.request_review(session, firm, a_score.id, wish="", now=noon)
    await service.answer_review(session, desk.maker, asked.id, answer=ReviewAnswer.UPHELD, note="已核对", now=noon)
    second = await service.request_review(session, firm, a_score.id, wish="有新材料", now=noon)

    assert second.id != asked.id


async def test_another_firm_a_bank_and_too_long_a_wish_are_refused(
    session: AsyncSession, town: Town, a_score: ScoreView, noon: datetime
) -> None:
    bank = await a_lender(session, now=noon)
    desk = await the_operator(session, now=noon)
    asked = await service.request_review(session, town.firms[0], a_score.id, wish="", now=noon)

    with pytest.raises(NotFound):
        await service.request_review(session, town.firms[1], a_score.id, wish="", now=noon)
    with pytest.raises(NotAllowed):
        await service.request_review(session, bank.maker, a_score.id, wish="", now=noon)
    with pytest.raises(ValueRefused, match="wish"):
        await service.request_review(session, town.firms[0], a_score.id, wish="长" * 501, now=noon)
    with pytest.raises(NotAllowed):
        await service.answer_review(session, desk.checker, asked.id, answer=ReviewAnswer.UPHELD, note="x", now=noon)
    with pytest.raises(ValueRefused, match="note"):
        await service.answer_review(session, desk.maker, asked.id, answer=ReviewAnswer.UPHELD, note=" ", now=noon)
    with pytest.raises(NotFound):
        await service.answer_review(
            session, desk.maker, derived_id("none"), answer=ReviewAnswer.UPHELD, note="x", now=noon
        )


async def test_a_wish_is_the_firms_own_and_cannot_be_rewritten(
    database: Database, admin: asyncpg.Connection, town: Town, a_score: ScoreView, noon: datetime
) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, town.firms[0], now=noon)
        await service.request_review(session, town.firms[0], a_score.id, wish="请复核", now=noon)

    async with in_transaction(database.app) as session:
        await act_as(session, town.firms[1], now=noon)
        seen = (await session.execute(text("SELECT count(*) FROM scoring.review_request"))).scalar_one()

    assert seen == 0
    for statement in (
        "UPDATE scoring.review_request SET wish = ''",
        "UPDATE scoring.review_request SET state = 'answered', firm_id = gen_random_uuid()",
        "DELETE FROM scoring.review_request",
    ):
        with pytest.raises(asyncpg.RestrictViolationError, match="append_only"):
            await admin.execute(statement)
