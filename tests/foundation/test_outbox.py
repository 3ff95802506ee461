"""The outbox: nothing without the commit, nothing lost, nothing twice."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pytest
from conftest import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation import outbox
from xinyidai.foundation.clock import BusinessClock
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.outbox import Envelope


@dataclass(frozen=True)
class KettleBoiled:
    """An event of these tests."""

    kettle_id: str

    @property
    def aggregate(self) -> str:
        """Return the kettle."""
        return f"kettle:{self.kettle_id}"


poured: list[str] = []


@outbox.consumes(KettleBoiled, name="tests.pour")
async def pour(session: AsyncSession, envelope: Envelope) -> None:
    """Pour the tea, unless the kettle is broken."""
    await session.execute(text("SELECT 1"))
    if envelope.body["kettle_id"] == "broken":
        raise RuntimeError("no water")
    poured.append(envelope.body["kettle_id"])


@dataclass(frozen=True)
class GuestSeated:
    """An event that wakes work inside and outside."""

    guest_id: str

    @property
    def aggregate(self) -> str:
        """Return the guest."""
        return f"guest:{self.guest_id}"


@outbox.consumes(GuestSeated, name="tests.lay_the_table")
async def lay_the_table(_session: AsyncSession, _envelope: Envelope) -> None:
    """Lay it."""
    poured.append("table")


@outbox.consumes_outside(GuestSeated, name="tests.ask_the_baker")
async def ask_the_baker(_sessions: Sessions, _clock: BusinessClock, _envelope: Envelope) -> None:
    """Ask for bread."""
    poured.append("bread")


@pytest.mark.parametrize(
    ("only_outside", "handed_over"),
    [(False, ["tests.ask_the_baker", "tests.lay_the_table"]), (True, ["tests.ask_the_baker"])],
)
async def test_who_leaves_the_rest_to_a_driver_hands_over_outside_work_alone(
    database: Database, noon: datetime, only_outside: bool, handed_over: list[str]
) -> None:
    poured.clear()
    handed: list[UUID] = []
    outbox.send_with(handed.append, only_outside=only_outside)
    try:
        async with in_transaction(database.app) as session:
            await outbox.announce(session, GuestSeated("one"), occurred_at=noon)
    finally:
        outbox.send_with(None)

    async with in_transaction(database.worker) as session:
        asked = text("SELECT consumer FROM foundation.outbox_delivery WHERE id = ANY(:ids) ORDER BY consumer")
        found = list(await session.scalars(asked, {"ids": handed}))
    assert found == handed_over
    assert await outbox.drain(database.worker, now=noon) == 2
    assert sorted(poured) == ["bread", "table"]


async def test_a_committed_event_reaches_its_consumer_once(database: Database, noon: datetime) -> None:
    poured.clear()
    async with in_transaction(database.app) as session:
        await outbox.announce(session, KettleBoiled("blue"), occurred_at=noon)

    first = await outbox.drain(database.worker, now=noon)
    second = await outbox.drain(database.worker, now=noon)

    assert (first, second, poured) == (1, 0, ["blue"])


async def test_an_event_of_a_rolled_back_transaction_does_not_exist(database: Database, noon: datetime) -> None:
    async def announce_and_fail() -> None:
        async with in_transaction(database.app) as session:
            await outbox.announce(session, KettleBoiled("red"), occurred_at=noon)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await announce_and_fail()

    assert await outbox.waiting(database.worker) == []


async def test_a_failing_consumer_is_counted_and_tried_again_later(database: Database, noon: datetime) -> None:
    async with in_transaction(database.app) as session:
        await outbox.announce(session, KettleBoiled("broken"), occurred_at=noon)

    done = await outbox.drain(database.worker, now=noon)

    async with in_transaction(database.worker) as session:
        row = (await session.execute(text("SELECT attempts, state, last_error FROM foundation.outbox_delivery"))).one()
    assert (done, row.attempts, row.state, row.last_error) == (0, 1, "waiting", "RuntimeError")
