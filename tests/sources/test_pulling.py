"""Pulling from the tax bureau over real HTTP: what is stored, what is retried, what a consent taken back stops."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from builders_bureau import CLIENT_ID, CLIENT_SECRET, Bureau, a_bureau
from builders_consents import a_consent
from builders_doors import a_door
from builders_parties import a_credit_code, a_firm, a_lender
from builders_sources import rows_of
from conftest import Database

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing
from xinyidai.foundation import outbox
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound, SourceUnavailable
from xinyidai.foundation.outbox import TryLater
from xinyidai.foundation.settings import settings
from xinyidai.sources import service, tasks
from xinyidai.sources.adapters.tax import TaxBureau
from xinyidai.sources.queries import pulled
from xinyidai.sources.routes import router
from xinyidai.sources.rules.pull_parts import PullReason
from xinyidai.sources.rules.pulls import (
    MAX_ATTEMPTS,
    Claimed,
    PullSource,
    PullState,
    PullUnderWay,
    PullView,
    SourceNotConnected,
    months_asked,
    wait_before,
)
from xinyidai.sources.service import pulling


@dataclass
class At:
    """A business clock that stands."""

    moment: datetime

    def now(self) -> datetime:
        """Return the moment."""
        return self.moment


@dataclass
class Place:
    """A firm that consented, a bureau with some invoices of it, and the platform's client there."""

    database: Database
    bureau: Bureau
    client: TaxBureau
    firm: Viewer
    consent_id: UUID
    noon: datetime
    codes: list[str] = field(default_factory=list)

    async def ask(self, code: str = "a consent code") -> PullView:
        """Let the firm ask for a pull, with a code that the bureau knows."""
        self.bureau.codes.add(code)
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=self.noon)
            return await service.ask_pull(session, self.firm, code, now=self.noon)

    async def attempt(self, view: PullView) -> PullView:
        """Let a worker try once, and return what the firm then sees."""
        await tasks.pull(self.database.worker, At(self.noon), self.client, view.id)
        return await self.see(view)

    async def see(self, view: PullView) -> PullView:
        """Return what the firm sees."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=self.noon)
            return await pulled.pull(session, self.firm, view.id)

    async def revoke(self) -> None:
        """Let the firm take its consent back."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=self.noon)
            await consents.revoke(session, self.firm, self.consent_id, now=self.noon)


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the platform know a tax provider."""
    known = settings().model_copy(update={"city_url": "http://127.0.0.1:1", "tax_client_id": CLIENT_ID})
    monkeypatch.setattr(pulling, "settings", lambda: known)


@pytest.fixture
async def place(database: Database, noon: datetime) -> AsyncGenerator[Place]:
    code = a_credit_code()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, credit_code=code, now=noon)
        consent = await a_consent(session, firm, now=noon)
    with a_bureau(code) as bureau:
        bureau.rows = rows_of(code, 7)
        client = TaxBureau(bureau.url, CLIENT_ID, CLIENT_SECRET)
        yield Place(database, bureau, client, firm, consent.id, noon)
        await client.aclose()


async def facts(admin: asyncpg.Connection) -> int:
    count: int = await admin.fetchval("SELECT count(*) FROM sources.invoice_fact")
    return count


async def test_a_pull_stores_every_page_as_one_delivery(place: Place, admin: asyncpg.Connection) -> None:
    place.bureau.page_size = 3
    asked = await place.ask()

    done = await place.attempt(asked)

    assert (asked.state, done.state) == (PullState.PENDING, PullState.READY)
    assert (done.pages_done, done.pages, done.received, done.loaded) == (3, 3, 7, 7)
    assert await admin.fetchval("SELECT firm_ids FROM sources.delivery WHERE id = $1", done.delivery_id) == [
        place.firm.organisation_id
    ]
    assert await facts(admin) == 7
    assert place.bureau.calls[-1] == "POST /tax/revoke"


async def test_code_and_token_are_encrypted_while_needed_and_then_gone(place: Place, admin: asyncpg.Connection) -> None:
    asked = await place.ask("c0de")
    kept = await admin.fetchrow("SELECT sealed_code, sealed_token FROM sources.pull")
    seen: list[tuple[bool, bool]] = []

    async def look() -> None:
        connection = await asyncpg.connect(place.database.admin_dsn)
        row = await connection.fetchrow("SELECT sealed_code, sealed_token FROM sources.pull")
        await connection.close()
        assert row is not None
        seen.append((row["sealed_code"] is None, row["sealed_token"] is not None))

    place.bureau.before_page = lambda _number: asyncio.run(look())
    await place.attempt(asked)

    assert kept is not None
    assert b"c0de" not in kept["sealed_code"]
    assert seen == [(True, True)]
    row = await admin.fetchrow("SELECT sealed_code, sealed_token FROM sources.pull")
    assert tuple(row or ()) == (None, None)


async def test_the_same_months_again_store_nothing_twice(place: Place, admin: asyncpg.Connection) -> None:
    await place.attempt(await place.ask("first"))
    place.bureau.rows += rows_of(place.bureau.credit_code, 2, first=100)

    second = await place.attempt(await place.ask("second"))
    third = await place.attempt(await place.ask("third"))

    assert (second.received, second.loaded) == (9, 2)
    assert (third.received, third.loaded) == (9, 0)
    assert await facts(admin) == 9
    assert await admin.fetchval("SELECT count(*) FROM sources.rejected_row") == 0


async def test_the_same_code_again_is_the_same_pull_and_another_waits(place: Place) -> None:
    first = await place.ask("one")

    again = await place.ask("one")

    assert again.id == first.id
    with pytest.raises(PullUnderWay):
        await place.ask("two")


async def test_without_consent_nothing_is_asked(database: Database, noon: datetime, place: Place) -> None:
    await place.revoke()

    with pytest.raises(ConsentMissing):
        await place.ask()

    assert place.bureau.calls == []


async def test_a_consent_taken_back_before_the_call_stops_it(place: Place) -> None:
    asked = await place.ask()
    await place.revoke()

    ended = await place.attempt(asked)

    assert (ended.state, ended.reason) == (PullState.DENIED, PullReason.CONSENT_TAKEN_BACK)
    assert place.bureau.calls == []


async def test_a_consent_taken_back_in_mid_pull_stops_it_and_nothing_is_kept(
    place: Place, admin: asyncpg.Connection
) -> None:
    place.bureau.page_size = 2
    asked = await place.ask()
    revoking: list[int] = []

    def revoke_once(number: int) -> None:
        revoking.append(number)
        asyncio.run(take_back(place))

    place.bureau.before_page = revoke_once

    ended = await place.attempt(asked)

    assert (ended.state, ended.reason) == (PullState.DENIED, PullReason.CONSENT_TAKEN_BACK)
    assert revoking == [1]
    assert await facts(admin) == 0
    assert await admin.fetchval("SELECT count(*) FROM sources.rejected_row") == 0
    assert place.bureau.tokens == set()


async def test_an_item_taken_back_in_mid_pull_stops_it_while_the_consent_stands(
    place: Place, admin: asyncpg.Connection
) -> None:
    place.bureau.page_size = 2
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        await consents.revoke(session, place.firm, place.consent_id, now=place.noon)
        wide = await a_consent(session, place.firm, item_codes=["vat_invoice", "electricity"], now=place.noon)
    asked = await place.ask()
    withdrawing: list[int] = []

    def withdraw_once(number: int) -> None:
        withdrawing.append(number)
        asyncio.run(take_item_back(place, wide.id))

    place.bureau.before_page = withdraw_once

    ended = await place.attempt(asked)

    assert (ended.state, ended.reason) == (PullState.DENIED, PullReason.CONSENT_TAKEN_BACK)
    assert (withdrawing, await facts(admin), place.bureau.tokens) == ([1], 0, set())
    assert await admin.fetchval("SELECT state FROM consents.consent WHERE id = $1", wide.id) == "active"


async def test_an_item_taken_back_before_the_call_is_not_asked_for(place: Place) -> None:
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        await consents.revoke(session, place.firm, place.consent_id, now=place.noon)
        wide = await a_consent(session, place.firm, item_codes=["vat_invoice", "tax_filing"], now=place.noon)
    asked = await place.ask()
    async with in_transaction(place.database.app) as session:
        await act_as(session, place.firm, now=place.noon)
        await consents.withdraw_item(session, place.firm, wide.id, "tax_filing", now=place.noon)

    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        claimed = await service.claim_pull(session, asked.id, now=place.noon)

    assert isinstance(claimed, Claimed)
    assert "vat_invoice" in claimed.item_codes
    assert "tax_filing" not in claimed.item_codes


async def take_item_back(place: Place, consent_id: UUID) -> None:
    """Withdraw the invoices from the bureau's thread, which has no loop of the test's."""
    connection = await asyncpg.connect(place.database.admin_dsn)
    await connection.execute(
        "INSERT INTO consents.item_withdrawal (consent_id, item_code, withdrawn_at, withdrawn_by)"
        " VALUES ($1, 'vat_invoice', $2, $1)",
        consent_id,
        place.noon,
    )
    await connection.close()


async def take_back(place: Place) -> None:
    """Revoke from the bureau's thread, which has no loop of the test's."""
    connection = await asyncpg.connect(place.database.admin_dsn)
    await connection.execute(
        "UPDATE consents.consent SET state = 'revoked', revoked_at = granted_at, revoked_by = granted_by"
    )
    await connection.close()


async def test_a_code_that_the_bureau_refuses_ends_the_pull(place: Place) -> None:
    asked = await place.ask()
    place.bureau.codes.clear()

    ended = await place.attempt(asked)

    assert (ended.state, ended.reason) == (PullState.DENIED, PullReason.CODE_REFUSED)


async def test_a_short_quota_is_waited_out_and_a_long_one_put_off(place: Place, admin: asyncpg.Connection) -> None:
    asked = await place.ask()
    place.bureau.before_page = lambda _number: None
    place.bureau.refusals = [(429, {"Retry-After": "30"})]

    with pytest.raises(TryLater) as later:
        await place.attempt(asked)

    waiting = await place.see(asked)
    assert later.value.after == timedelta(seconds=30)
    assert (waiting.state, waiting.reason, waiting.attempts) == (PullState.PENDING, PullReason.QUOTA, 0)
    with pytest.raises(TryLater):
        await place.attempt(asked)
    await admin.execute("UPDATE sources.pull SET retries_at = NULL")
    assert (await place.attempt(asked)).state is PullState.READY


async def try_in_vain(place: Place, admin: asyncpg.Connection, asked: PullView, *, others_are_answered: bool) -> None:
    """Let a worker try as often as it may but once, while the bureau fails this pull and perhaps nobody else."""
    for _ in range(MAX_ATTEMPTS - 1):
        with pytest.raises(TryLater):
            await place.attempt(asked)
        await admin.execute("UPDATE sources.pull SET retries_at = NULL")
        if others_are_answered:
            await admin.execute("UPDATE sources.source_breaker SET failures = 0")


async def test_tries_are_bounded_where_the_source_answers_others(place: Place, admin: asyncpg.Connection) -> None:
    asked = await place.ask()
    place.bureau.refusals = [(500, {})] * MAX_ATTEMPTS

    await try_in_vain(place, admin, asked, others_are_answered=True)
    ended = await place.attempt(asked)

    assert (ended.state, ended.reason, ended.attempts) == (PullState.FAILED, PullReason.FAULTY, MAX_ATTEMPTS)


@pytest.mark.parametrize(("status", "reason"), [(500, PullReason.SOURCE_AWAY), (429, PullReason.QUOTA)])
async def test_a_source_that_fails_everybody_ends_no_pull_and_is_asked_less_and_less(
    place: Place, admin: asyncpg.Connection, status: int, reason: PullReason
) -> None:
    asked = await place.ask()
    place.bureau.refusals = [(status, {"Retry-After": "9"})] * MAX_ATTEMPTS

    await try_in_vain(place, admin, asked, others_are_answered=False)
    with pytest.raises(TryLater) as later:
        await place.attempt(asked)
    waiting = await place.see(asked)
    await admin.execute("UPDATE sources.pull SET retries_at = NULL")
    await admin.execute("UPDATE sources.source_breaker SET rests_until = now() WHERE state = 'open'")
    done = await place.attempt(asked)

    assert later.value.after == timedelta(seconds=2**MAX_ATTEMPTS)
    assert (waiting.state, waiting.reason, waiting.attempts) == (PullState.PENDING, reason, 0)
    assert {part.reason for part in waiting.parts if part.ended_at is None} == {reason}
    assert done.state is PullState.READY


async def test_a_newer_code_takes_the_place_of_one_that_waits_unused(place: Place, admin: asyncpg.Connection) -> None:
    first = await place.ask("runs out meanwhile")
    place.bureau.refusals = [(500, {})]
    with pytest.raises(TryLater):
        await place.attempt(first)
    place.bureau.codes.clear()

    second = await place.ask("given anew")
    await admin.execute("UPDATE sources.pull SET retries_at = NULL")

    assert second.id == first.id
    assert (await place.attempt(second)).state is PullState.READY


async def test_who_has_its_access_already_needs_no_other_code(place: Place) -> None:
    asked = await place.ask()
    place.bureau.page_size = 2
    place.bureau.before_page = lambda number: setattr(place.bureau, "refusals", [(503, {"Retry-After": "30"})] * 2)
    with pytest.raises(TryLater):
        await place.attempt(asked)

    with pytest.raises(PullUnderWay):
        await place.ask("another")


async def test_a_bureau_that_is_away_is_silent(place: Place) -> None:
    asked = await place.ask()
    away = TaxBureau("http://127.0.0.1:1", CLIENT_ID, CLIENT_SECRET)

    with pytest.raises(TryLater):
        await tasks.pull(place.database.worker, At(place.noon), away, asked.id)

    await away.aclose()
    assert (await place.see(asked)).reason is PullReason.SILENT


async def test_another_firms_invoices_are_not_taken_for_this_ones(place: Place, admin: asyncpg.Connection) -> None:
    asked = await place.ask()
    place.bureau.credit_code = a_credit_code()

    with pytest.raises(TryLater):
        await place.attempt(asked)

    assert (await place.see(asked)).reason is PullReason.FAULTY
    assert await facts(admin) == 0


async def test_two_workers_make_one_attempt(place: Place) -> None:
    asked = await place.ask()
    reading, tried = threading.Event(), threading.Event()

    def hold(_number: int) -> None:
        reading.set()
        tried.wait(20)

    place.bureau.before_page = hold

    first = asyncio.create_task(place.attempt(asked))
    await asyncio.to_thread(reading.wait, 20)
    with pytest.raises(TryLater):
        await place.attempt(asked)
    tried.set()

    assert (await first).state is PullState.READY
    assert place.bureau.calls.count("POST /tax/token") == 1


async def test_a_pull_that_nobody_works_on_ends_in_the_end(place: Place, admin: asyncpg.Connection) -> None:
    asked = await place.ask()
    await admin.execute("UPDATE sources.pull SET touched_at = touched_at - interval '2 hours'")

    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        ended = await service.abandon_pulls(session, now=place.noon)

    assert ended == 1
    assert (await place.see(asked)).state is PullState.TIMED_OUT


async def test_an_event_wakes_the_pull_and_a_put_off_one_is_swept_when_due(
    place: Place, admin: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "source_named", lambda _source: place.client)
    await place.ask()
    place.bureau.refusals = [(503, {"Retry-After": "30"})]
    sent: list[UUID] = []

    await outbox.drain(place.database.worker, now=place.noon)
    put_off = await admin.fetchval("SELECT count(*) FROM foundation.outbox_delivery WHERE state = 'waiting'")
    await admin.execute("UPDATE foundation.outbox_delivery SET due_at = now() - interval '1 second'")
    await admin.execute("UPDATE sources.pull SET retries_at = NULL")
    monkeypatch.setattr(outbox, "_hands", [])
    outbox.send_with(sent.append)
    swept = await outbox.sweep(place.database.worker)
    await outbox.drain(place.database.worker, now=place.noon)

    assert (put_off, swept) == (1, 1)
    assert len(sent) >= swept
    assert await admin.fetchval("SELECT state FROM sources.pull") == "ready"


async def test_banks_ask_for_no_pull_and_strangers_see_none(place: Place, database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = (await a_lender(session, now=noon)).maker
        stranger = await a_firm(session, now=noon)
    asked = await place.ask()

    async with in_transaction(database.app) as session:
        await act_as(session, bank, now=noon)
        with pytest.raises(NotAllowed):
            await service.ask_pull(session, bank, "a code", now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, stranger, now=noon)
        with pytest.raises(NotFound):
            await pulled.pull(session, stranger, asked.id)


async def test_the_door_tells_how_far_it_is(place: Place, database: Database, noon: datetime) -> None:
    place.bureau.codes.add("by door")

    async with a_door(database, router, place.firm, now=noon) as client:
        asked = await client.post("/sources/tax/pulls", json={"consent_code": "by door"})
        await tasks.pull(database.worker, At(noon), place.client, UUID(asked.json()["id"]))
        shown = await client.get(f"/sources/pulls/{asked.json()['id']}")
        listed = await client.get("/sources/pulls")

    assert (asked.status_code, asked.json()["state"]) == (202, "pending")
    assert (shown.json()["state"], shown.json()["pages_done"], shown.json()["covers_to"]) == ("ready", 1, "2025-05")
    assert listed.json()["pulls"] == [shown.json()]


async def test_a_platform_without_a_provider_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "settings", settings)
    tasks.source_named.cache_clear()

    with pytest.raises(SourceNotConnected):
        await place.ask()
    with pytest.raises(SourceUnavailable):
        tasks.source_named(PullSource.TAX)


def test_months_and_waits() -> None:
    months = months_asked(datetime(2025, 1, 31).date())  # noqa: DTZ001 - a day

    assert [f"{month:%Y-%m}" for month in months] == ["2023-01", "2024-12"]
    assert wait_before(3, None) == timedelta(seconds=8)
    assert wait_before(1, timedelta(seconds=40)) == timedelta(seconds=40)
    assert wait_before(1, timedelta(days=1)) == timedelta(minutes=10)
