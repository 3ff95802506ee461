"""A pull from the customs against the city over real HTTP: each fault that it plays, what is kept and what is said."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from builders_city_offices import CUSTOMS_KEY, Offices, open_offices
from builders_consents import a_consent
from builders_parties import a_firm
from conftest import Database

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.outbox import TryLater
from xinyidai.foundation.settings import settings
from xinyidai.sources import service, tasks
from xinyidai.sources.adapters.customs import Customs
from xinyidai.sources.queries import pulled
from xinyidai.sources.rules.pull_parts import PartState, PullReason
from xinyidai.sources.rules.pulls import PullSource, PullState, PullView
from xinyidai.sources.service import pulling


@dataclass
class Place:
    """A firm of the city that consented here, the customs, and the platform's client of them."""

    database: Database
    offices: Offices
    client: Customs
    firm: Viewer

    async def ask(self, fault: str = "", **fields: str) -> PullView:
        """Let the firm ask with its number, and a worker try once."""
        reference = await self.offices.reference("customs", fault, **fields)
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=self.offices.now)
            asked = await service.ask_pull(
                session, self.firm, reference, source=PullSource.CUSTOMS, now=self.offices.now
            )
        return await self.attempt(asked)

    async def attempt(self, view: PullView) -> PullView:
        """Let a worker try once, and return what the firm sees."""
        with suppress(TryLater):
            await tasks.pull(self.database.worker, self.offices.city.clock, self.client, view.id)
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=self.offices.now)
            return await pulled.pull(session, self.firm, view.id)


@pytest.fixture
async def place(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Place]:
    async with open_offices(tmp_path) as offices:
        known = settings().model_copy(update={"city_url": offices.url, "customs_client_id": "platform"})
        monkeypatch.setattr(pulling, "settings", lambda: known)
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=offices.now)
            firm = await a_firm(session, credit_code=offices.firm.credit_code, now=offices.now)
            await a_consent(session, firm, item_codes=["import_export", "logistics"], now=offices.now)
        client = Customs(offices.url, "platform", CUSTOMS_KEY)
        yield Place(database, offices, client, firm)
        await client.aclose()


async def facts(admin: asyncpg.Connection) -> tuple[int, int]:
    counts = [
        await admin.fetchval(f"SELECT count(*) FROM sources.{item}_fact") for item in ("import_export", "logistics")
    ]
    return counts[0], counts[1]


async def test_both_items_come_with_their_months(place: Place, admin: asyncpg.Connection) -> None:
    done = await place.ask()

    assert done.state is PullState.READY
    assert [part.state for part in done.parts] == [PartState.GOT, PartState.GOT]
    assert (done.parts[0].loaded, done.parts[1].loaded) == await facts(admin)
    assert min(await facts(admin)) > 10


@pytest.mark.parametrize(
    ("kind", "state", "reason"),
    [
        ("429", PullState.PENDING, PullReason.QUOTA),
        ("500", PullState.PENDING, PullReason.FAULTY),
        ("dropped_connection", PullState.PENDING, PullReason.SILENT),
        ("truncated_body", PullState.PENDING, PullReason.FAULTY),
        ("schema_drift", PullState.PENDING, PullReason.CHANGED),
        ("wrong_unit", PullState.PENDING, PullReason.CHANGED),
    ],
)
async def test_a_fault_stores_nothing_and_is_named(
    place: Place, admin: asyncpg.Connection, kind: str, state: PullState, reason: PullReason
) -> None:
    told = await place.ask(kind)

    assert (told.state, told.reason) == (state, reason)
    assert await facts(admin) == (0, 0)


async def test_an_old_answer_after_a_new_one_replaces_nothing(place: Place, admin: asyncpg.Connection) -> None:
    await place.ask()
    before = await facts(admin)

    told = await place.ask("stale")

    assert (told.state, told.reason) == (PullState.PENDING, PullReason.STALE)
    assert await facts(admin) == before


async def test_the_customs_own_clock_changes_nothing(place: Place, admin: asyncpg.Connection) -> None:
    await place.ask()
    before = await facts(admin)

    told = await place.ask("clock_skew")

    assert (told.state, told.loaded, await facts(admin)) == (PullState.READY, 0, before)


async def test_a_number_for_one_item_brings_that_one(place: Place, admin: asyncpg.Connection) -> None:
    told = await place.ask(scope="logistics")

    assert [(part.state, part.reason) for part in told.parts] == [
        (PartState.REFUSED, PullReason.NOT_GRANTED),
        (PartState.GOT, None),
    ]
    assert (await facts(admin))[0] == 0


async def test_text_in_another_encoding_is_named(
    place: Place, admin: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def in_utf_8(*_asked: object, **_more: object) -> bytes:
        return '<?xml version="1.0" encoding="GBK"?><进出口统计/>'.encode()

    monkeypatch.setattr("xinyidai.sources.adapters.customs.ask", in_utf_8)

    told = await place.ask()

    assert told.reason is PullReason.ENCODING
    assert await facts(admin) == (0, 0)
