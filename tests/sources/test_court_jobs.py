"""A pull from the courts: asked, called back about, fetched; forged, late and repeated calls change nothing."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest
from builders_city_offices import COURT_SECRET, Offices, open_offices
from builders_doors import a_door
from builders_parties import a_firm
from conftest import Database
from pydantic import SecretStr

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation import outbox, timetable
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.outbox import TryLater
from xinyidai.foundation.settings import settings
from xinyidai.sources import service, tasks
from xinyidai.sources.adapters.courts import Courts
from xinyidai.sources.queries import pulled
from xinyidai.sources.routes import router
from xinyidai.sources.rules.offices.court_answers import MAX_CALLBACK_BYTES
from xinyidai.sources.rules.pull_parts import PartState, PullReason
from xinyidai.sources.rules.pulls import PullSource, PullState, PullView
from xinyidai.sources.service import court_jobs, pulling


@dataclass
class Place:
    """A firm of the city that is registered here, the courts, and the platform's client of them."""

    database: Database
    offices: Offices
    client: Courts
    firm: Viewer
    waits: list[timedelta] = field(default_factory=list)

    async def ask(self, fault: str = "", **fields: str) -> PullView:
        """Let the firm ask, and a worker put the query."""
        reference = await self.offices.reference("courts", fault, **fields)
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=self.offices.now)
            asked = await service.ask_pull(
                session, self.firm, reference, source=PullSource.COURTS, now=self.offices.now
            )
        await self.work()
        return asked

    async def work(self) -> None:
        """Let a worker do all that is due at once."""
        await outbox.drain(self.database.worker, now=self.offices.now)

    async def see(self, view: PullView) -> PullView:
        """Return what the firm sees."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=self.offices.now)
            return await pulled.pull(session, self.firm, view.id)

    async def calls(self, seconds: int = 60) -> list[tuple[dict[str, str], bytes]]:
        """Let time pass at the courts, and return the calls that they made since."""
        self.offices.wall.wait(seconds=seconds)
        before = len(self.offices.called.sent)
        await self.offices.app.state.caller.call_due()
        return [(headers, body) for _, headers, body in self.offices.called.sent[before:]]

    async def hear(self, headers: dict[str, str], body: bytes) -> httpx.Response:
        """Let a call reach the platform's door, and do what it wakes."""
        async with a_door(self.database, router, None, now=self.offices.now) as door:
            answer = await door.post("/sources/courts/callbacks", content=body, headers=headers)
        await self.work()
        return answer

    async def poll(self) -> int:
        """Let the clock look for queries that nobody called back about."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.offices.now)
            found = await court_jobs.poll_courts(session, now=self.offices.now)
        await self.work()
        return found


@pytest.fixture
async def place(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Place]:
    async with open_offices(tmp_path) as offices:
        client = Courts(offices.url, "platform", COURT_SECRET)
        known = settings().model_copy(
            update={
                "city_url": offices.url,
                "courts_client_id": "platform",
                "courts_client_secret": SecretStr(COURT_SECRET),
            }
        )
        for module in (pulling, court_jobs):
            monkeypatch.setattr(module, "settings", lambda: known)
        monkeypatch.setattr(court_jobs, "wall_now", offices.wall)
        monkeypatch.setattr(tasks, "source_named", lambda _source: client)
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=offices.now)
            firm = await a_firm(session, credit_code=offices.firm.credit_code, now=offices.now)
        yield Place(database, offices, client, firm)
        await client.aclose()


async def facts(admin: asyncpg.Connection) -> int:
    count: int = await admin.fetchval("SELECT count(*) FROM sources.enforcement_fact")
    return count


async def test_a_query_waits_until_it_is_called_back_about_and_is_then_fetched(
    place: Place, admin: asyncpg.Connection
) -> None:
    asked = await place.ask()
    waiting, before = await place.see(asked), await facts(admin)
    (call,) = await place.calls()

    answer = await place.hear(*call)

    done = await place.see(asked)
    assert (waiting.state, waiting.reason, before) == (PullState.PENDING, PullReason.AWAITED, 0)
    assert {part.expected_by for part in waiting.parts} == {place.offices.now.date() + timedelta(days=1)}
    assert (answer.status_code, done.state) == (204, PullState.READY)
    assert await facts(admin) > 0
    assert await admin.fetchval("SELECT sealed_token FROM sources.pull") is None


async def test_a_forged_call_is_not_read_and_the_real_one_after_it_is_heard(
    place: Place, admin: asyncpg.Connection
) -> None:
    asked = await place.ask("callback_forged")
    forged, real = await place.calls()

    refused = await place.hear(*forged)
    state = (await place.see(asked)).state
    heard = await place.hear(*real)

    assert (refused.status_code, refused.json()["code"], state) == (401, "callback_signature_wrong", PullState.PENDING)
    assert (heard.status_code, (await place.see(asked)).state) == (204, PullState.READY)


async def test_a_call_that_is_repeated_fetches_once(place: Place, admin: asyncpg.Connection) -> None:
    asked = await place.ask("callback_repeated")
    calls = await place.calls()

    answers = [(await place.hear(*call)).status_code for call in calls]

    assert answers == [204, 204, 204]
    assert (await place.see(asked)).state is PullState.READY
    assert await admin.fetchval("SELECT count(*) FROM sources.delivery WHERE kind = 'enforcement'") == 1
    assert await admin.fetchval("SELECT count(*) FROM foundation.outbox_event WHERE name = 'AnswerDue'") == 1


async def test_a_call_that_never_comes_is_made_good_by_the_clock_and_a_late_one_is_harmless(
    place: Place, admin: asyncpg.Connection
) -> None:
    asked = await place.ask("callback_late")
    early, none = await place.poll(), await place.calls(60)
    await admin.execute("UPDATE sources.pull SET touched_at = touched_at - interval '10 minutes'")

    polled = await place.poll()
    stored = await facts(admin)
    (late,) = await place.calls(600)
    answer = await place.hear(*late)

    assert (early, none, polled) == (0, [], 1)
    assert (await place.see(asked)).state is PullState.READY
    assert (answer.status_code, stored > 0, await facts(admin)) == (204, True, stored)


async def test_a_call_about_what_nobody_asked_is_refused(place: Place, admin: asyncpg.Connection) -> None:
    await place.ask()
    (call,) = await place.calls()
    await admin.execute("DELETE FROM sources.court_query")

    answer = await place.hear(*call)

    assert (answer.status_code, answer.json()["code"]) == (404, "court_job_unknown")
    assert await facts(admin) == 0


@pytest.mark.parametrize(
    ("kind", "code"), [("clock_skew", "callback_time_refused"), ("wrong_signature", "callback_signature_wrong")]
)
async def test_a_call_with_a_wrong_clock_or_key_is_refused_and_the_clock_makes_it_good(
    place: Place, admin: asyncpg.Connection, kind: str, code: str
) -> None:
    asked = await place.ask(kind)
    (call,) = await place.calls()

    refused = await place.hear(*call)
    await admin.execute("UPDATE sources.pull SET touched_at = touched_at - interval '10 minutes'")
    await place.poll()

    assert (refused.status_code, refused.json()["code"]) == (401, code)
    assert (await place.see(asked)).state is PullState.READY


async def test_a_call_that_is_too_large_is_not_read(place: Place) -> None:
    answer = await place.hear({"webhook-id": "1"}, b"x" * (MAX_CALLBACK_BYTES + 1))

    assert answer.status_code == 413


async def test_without_courts_every_call_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.ask()
    (call,) = await place.calls()
    monkeypatch.setattr(court_jobs, "settings", settings)

    assert (await place.hear(*call)).status_code == 401


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("schema_drift", PullReason.CHANGED), ("wrong_unit", PullReason.CHANGED), ("stale", PullReason.STALE)],
)
async def test_an_answer_that_is_not_believed_stores_nothing(
    place: Place, admin: asyncpg.Connection, kind: str, reason: PullReason
) -> None:
    asked = await place.ask(kind)
    (call,) = await place.calls()
    await place.hear(*call)
    for _ in range(6):
        await admin.execute("UPDATE sources.pull SET retries_at = NULL")
        await admin.execute("DELETE FROM sources.source_breaker")
        with suppress(TryLater):
            await tasks.pull(place.database.worker, place.offices.city.clock, place.client, asked.id)

    ended = await place.see(asked)
    assert (ended.state, {part.reason for part in ended.parts}) == (PullState.FAILED, {reason})
    assert await facts(admin) == 0


@pytest.mark.parametrize(
    ("kind", "reason", "attempts"),
    [
        ("429", PullReason.QUOTA, 0),
        ("500", PullReason.FAULTY, 1),
        ("dropped_connection", PullReason.SILENT, 1),
        ("truncated_body", PullReason.FAULTY, 1),
    ],
)
async def test_courts_in_trouble_are_asked_again(
    place: Place, admin: asyncpg.Connection, kind: str, reason: PullReason, attempts: int
) -> None:
    asked = await place.ask(kind)

    troubled = await place.see(asked)

    assert (troubled.state, troubled.reason, troubled.attempts) == (PullState.PENDING, reason, attempts)
    assert await facts(admin) == 0


async def test_a_yes_to_one_item_brings_that_one(place: Place, admin: asyncpg.Connection) -> None:
    asked = await place.ask(scope="enforcement")
    (call,) = await place.calls()
    await place.hear(*call)

    states = {part.item_code: part.state for part in (await place.see(asked)).parts}
    assert states["enforcement"] is PartState.GOT
    assert await admin.fetchval("SELECT count(*) FROM sources.judgment_fact") == 0


async def test_a_number_that_the_courts_do_not_know_ends_the_pull(place: Place) -> None:
    place.offices.references["courts"] = "FY0"
    async with in_transaction(place.database.app) as session:
        await act_as(session, place.firm, now=place.offices.now)
        asked = await service.ask_pull(session, place.firm, "FY0", source=PullSource.COURTS, now=place.offices.now)
    await place.work()

    ended = await place.see(asked)
    assert (ended.state, ended.reason) == (PullState.DENIED, PullReason.CODE_REFUSED)


async def test_time_asks_the_courts_only_while_an_answer_is_overdue(place: Place, admin: asyncpg.Connection) -> None:
    woken = "SELECT count(*) FROM foundation.outbox_event WHERE name = 'AnswerDue'"

    async def an_hour_passes(hours: int) -> int:
        now = place.offices.now + timedelta(hours=hours)
        await timetable.tick(place.database.worker, now=now, act_as=act_as_platform)
        count: int = await admin.fetchval(woken)
        return count

    idle = await an_hour_passes(1)
    await place.ask("callback_late")
    await place.calls(10)
    early = await an_hour_passes(2)
    await admin.execute("UPDATE sources.pull SET touched_at = touched_at - interval '2 hours'")
    overdue = await an_hour_passes(3)
    await place.work()

    assert (idle, early, overdue, await an_hour_passes(4)) == (0, 0, 1, 1)
    assert await facts(admin) > 0
