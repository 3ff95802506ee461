"""Idempotency keys: done once, answered the same again, refused for another body."""

import asyncio
from datetime import datetime, timedelta

import pytest
from conftest import Database
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, PrincipalKind, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.idempotency import (
    KEPT_FOR,
    Answer,
    IdempotencyKeyMissing,
    IdempotencyKeyRefused,
    KeyReused,
    check_key,
    forget_answers,
    once,
)
from xinyidai.foundation.ids import new_id


class Paid(BaseModel):
    """An answer of these tests."""

    number: int


done: list[int] = []


async def pay() -> Paid:
    done.append(1)
    return Paid(number=len(done))


def a_viewer() -> Viewer:
    return Viewer(new_id(), PrincipalKind.USER, new_id(), OrganisationKind.LENDER, frozenset())


async def call(database: Database, viewer: Viewer, now: datetime, *, key: str, amount: int, pause: float = 0) -> Answer:
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=now)
        answer = await once(
            session, organisation_id=viewer.organisation_id, key=key, request={"amount": amount}, act=pay
        )
        await asyncio.sleep(pause)
        return answer


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    done.clear()


async def test_the_same_call_again_is_answered_from_the_first(database: Database, noon: datetime) -> None:
    viewer = a_viewer()

    first = await call(database, viewer, noon, key="k1", amount=5)
    second = await call(database, viewer, noon, key="k1", amount=5)

    assert (first.body, first.is_replayed) == ({"number": 1}, False)
    assert (second.body, second.is_replayed) == ({"number": 1}, True)
    assert len(done) == 1


async def test_an_altered_body_under_the_same_key_is_refused(database: Database, noon: datetime) -> None:
    viewer = a_viewer()
    await call(database, viewer, noon, key="k1", amount=5)

    with pytest.raises(KeyReused):
        await call(database, viewer, noon, key="k1", amount=6)

    assert len(done) == 1


async def test_two_organisations_may_choose_the_same_key(database: Database, noon: datetime) -> None:
    await call(database, a_viewer(), noon, key="k1", amount=5)
    other = await call(database, a_viewer(), noon, key="k1", amount=5)

    assert other.is_replayed is False


async def test_twins_at_the_same_moment_are_done_once(database: Database, noon: datetime) -> None:
    viewer = a_viewer()

    answers = await asyncio.gather(*(call(database, viewer, noon, key="k1", amount=5, pause=0.2) for _ in range(4)))

    assert [answer.body for answer in answers] == [{"number": 1}] * 4
    assert len(done) == 1


async def test_a_call_that_fails_keeps_no_answer(database: Database, noon: datetime) -> None:
    viewer = a_viewer()

    async def fail() -> Paid:
        raise ZeroDivisionError

    async def failing_call(session: AsyncSession) -> None:
        await act_as(session, viewer, now=noon)
        await once(session, organisation_id=viewer.organisation_id, key="k1", request={"amount": 5}, act=fail)

    with pytest.raises(ZeroDivisionError):
        async with in_transaction(database.app) as session:
            await failing_call(session)
    again = await call(database, viewer, noon, key="k1", amount=5)

    assert again.is_replayed is False


async def test_an_organisation_sees_its_own_answers_only(database: Database, noon: datetime) -> None:
    await call(database, a_viewer(), noon, key="k1", amount=5)

    async with in_transaction(database.app) as session:
        await act_as(session, a_viewer(), now=noon)
        seen = (await session.execute(text("SELECT count(*) FROM foundation.idempotent_answer"))).scalar_one()

    assert seen == 0


@pytest.mark.parametrize("key", [None, ""])
def test_a_money_call_without_a_key_is_refused(key: str | None) -> None:
    with pytest.raises(IdempotencyKeyMissing):
        check_key(key)


@pytest.mark.parametrize("key", ["k" * 10_000, "k" * 201, "钥匙", "a\nb", "a\x00b"])
def test_a_key_of_ten_kilobytes_or_with_odd_characters_is_refused(key: str) -> None:
    with pytest.raises(IdempotencyKeyRefused):
        check_key(key)


async def test_an_answer_is_forgotten_after_its_time_and_the_key_then_is_a_new_call(
    database: Database, noon: datetime
) -> None:
    viewer = a_viewer()
    await call(database, viewer, noon, key="k", amount=1)
    kept_to = wall_now() + KEPT_FOR

    forgotten = []
    for wall_at in (kept_to - timedelta(minutes=5), kept_to + timedelta(minutes=5)):
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=noon)
            forgotten.append(await forget_answers(session, wall_at=wall_at))
    again = await call(database, viewer, noon, key="k", amount=2)

    assert forgotten == [0, 1]
    assert again == Answer({"number": 2}, is_replayed=False)
