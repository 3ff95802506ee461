"""The circuit breaker of a source: its rules, and two workers over one stored breaker."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from builders_consents import a_consent
from builders_doors import a_door
from builders_parties import a_firm, the_operator
from builders_sources import a_record
from conftest import Database
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.cli import source_checks
from xinyidai.foundation.clock import StandingClock, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import SourceUnavailable
from xinyidai.foundation.outbox import TryLater
from xinyidai.sources import service, tasks
from xinyidai.sources.adapters import Access, ItemDenied, Page, SourceBusy, SourceChanged, SourceDenied, SourceSilent
from xinyidai.sources.queries import pulled
from xinyidai.sources.queries.breakers import breakers
from xinyidai.sources.routes import router
from xinyidai.sources.rules.breakers import FAILURES_TO_OPEN, FIRST_REST, LONGEST_REST, Breaker, BreakerState
from xinyidai.sources.rules.pull_parts import PartState, PullReason
from xinyidai.sources.rules.pulls import ITEMS_OF, KEPT_WAITING, MAX_PUT_OFFS, PullSource, PullState, PullView
from xinyidai.sources.service import connecting, pulling

METERS = PullSource.UTILITIES
CODE = "91500103000000012N"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Scripted:
    """A source that does what it is told, one answer a page: rows, None for nothing there, or a failure."""

    answers: list[Exception | int | None] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    seconds: float = 0
    source: str = METERS.value
    items: tuple[str, ...] = ITEMS_OF[METERS]

    async def exchange(self, permission: str) -> Access:
        """Let everything be read."""
        return Access(permission, frozenset(self.items))

    async def page(
        self, secret: str, item_code: str, *, credit_code: str, months_from: date, months_to: date, number: int
    ) -> Page:
        """Answer as the script says; when it is at its end, with nothing."""
        self.calls.append(item_code)
        await asyncio.sleep(self.seconds)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        months = [f"2025-{month:02d}" for month in range(1, 1 + (answer or 0))]
        rows = tuple(a_record(item_code, credit_code, month=month) for month in months)
        first, last = (date(2025, 1, 1), date(2025, len(rows), 1)) if rows else (None, None)
        return Page(item_code, rows, number, 1, first, last)

    async def give_back(self, secret: str) -> None:
        """Listen to nothing."""

    async def aclose(self) -> None:
        """Hold nothing."""


@dataclass
class Place:
    """Firms that may ask for pulls, and what a worker does with them."""

    database: Database
    firms: list[Viewer]
    noon: datetime

    async def ask(self, firm: Viewer, number: str = "SDQ1") -> PullView:
        """Let a firm ask."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, firm, now=self.noon)
            return await service.ask_pull(session, firm, number, source=METERS, now=self.noon)

    async def attempt(self, source: Scripted, pull_id: UUID) -> timedelta | None:
        """Let a worker try once."""
        try:
            await tasks.pull(self.database.worker, StandingClock(self.noon), source, pull_id)
        except TryLater as later:
            return later.after
        return None

    async def see(self, firm: Viewer, pull_id: UUID) -> PullView:
        """Return what the firm sees."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, firm, now=self.noon)
            return await pulled.pull(session, firm, pull_id)

    async def breaker(self) -> Breaker:
        """Return the stored breaker."""
        async with in_transaction(self.database.worker) as session:
            return next(one for one in await breakers(session) if one.source is METERS)


@pytest.fixture
async def place(database: Database, noon: datetime, monkeypatch: pytest.MonkeyPatch) -> Place:
    known = connecting.Connection("http://127.0.0.1:1", "meters", "")
    monkeypatch.setattr(pulling, "connection_to", lambda _known, _source: known)
    firms = []
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        for _ in range(3):
            firm = await a_firm(session, now=noon)
            await a_consent(session, firm, item_codes=ITEMS_OF[METERS], now=noon)
            firms.append(firm)
    return Place(database, firms, noon)


async def test_a_source_that_fails_in_a_row_rests_and_pulls_wait_without_spending_attempts(
    place: Place, admin: asyncpg.Connection
) -> None:
    away = Scripted([SourceSilent("utilities") for _ in range(20)])
    first, second = [await place.ask(firm) for firm in place.firms[:2]]
    for _attempt in range(FAILURES_TO_OPEN):
        await admin.execute("UPDATE sources.pull SET retries_at = NULL")
        await place.attempt(away, first.id)

    wait = await place.attempt(away, second.id)
    shown = await place.see(place.firms[1], second.id)

    breaker = await place.breaker()
    assert (breaker.state, breaker.last_reason) == (BreakerState.OPEN, PullReason.SILENT)
    kept = await place.see(place.firms[0], first.id)
    assert (kept.state, kept.reason, kept.attempts) == (PullState.PENDING, PullReason.SOURCE_AWAY, 0)
    assert wait is not None
    assert timedelta(0) < wait <= FIRST_REST
    assert (shown.state, shown.reason, shown.attempts) == (PullState.PENDING, PullReason.SOURCE_AWAY, 0)
    assert shown.retries_at is not None
    assert len(away.calls) == FAILURES_TO_OPEN


async def test_after_its_rest_one_of_two_workers_tries_and_its_success_lets_the_others_through(
    place: Place, admin: asyncpg.Connection
) -> None:
    asked = [await place.ask(firm) for firm in place.firms]
    await admin.execute(
        "INSERT INTO sources.source_breaker (source, state, failures, openings, rests_until)"
        " VALUES ('utilities', 'open', 5, 1, now() - interval '1 second')"
    )
    back = Scripted([2, 2, None], seconds=0.3)

    waits = await asyncio.gather(*(place.attempt(back, one.id) for one in asked[:2]))
    while_trying = len(back.calls)
    closed = await place.breaker()
    after = await place.attempt(back, asked[2].id)

    assert sorted(wait is None for wait in waits) == [False, True]
    assert while_trying == len(ITEMS_OF[METERS])
    assert (closed.state, closed.failures, closed.openings) == (BreakerState.CLOSED, 0, 0)
    assert after is None


async def test_a_try_that_fails_opens_it_again_for_longer(place: Place, admin: asyncpg.Connection) -> None:
    asked = await place.ask(place.firms[0])
    await admin.execute(
        "INSERT INTO sources.source_breaker (source, state, failures, openings, rests_until)"
        " VALUES ('utilities', 'open', 5, 1, now() - interval '1 second')"
    )
    began_at = wall_now()

    await place.attempt(Scripted([SourceSilent("utilities")]), asked.id)

    breaker = await place.breaker()
    assert (breaker.state, breaker.openings) == (BreakerState.OPEN, 2)
    assert breaker.rests_until is not None
    assert breaker.rests_until >= began_at + 2 * FIRST_REST


async def test_operator_api_and_doctor_say_which_source_is_away(
    place: Place, admin: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.attempt(Scripted([SourceSilent("utilities")]), (await place.ask(place.firms[0])).id)
    await admin.execute("UPDATE sources.source_breaker SET state = 'open', rests_until = now() + interval '1 hour'")
    monkeypatch.setattr(source_checks, "connected_sources", lambda _known: [METERS])
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        operator = await the_operator(session, now=place.noon)

    async with a_door(place.database, router, operator.checker, now=place.noon) as door:
        told = (await door.get("/sources/standing")).json()["sources"]
    looked_at = await source_checks.source_checks(place.database.worker, place.database.settings, now=place.noon)
    checks = {one.name: one for one in looked_at}

    meters = next(one for one in told if one["source"] == "utilities")
    assert (meters["state"], meters["last_reason"], meters["is_connected"]) == ("open", "silent", False)
    assert not checks["source utilities"].is_ok
    assert "breaker open, tried again after" in checks["source utilities"].says
    assert "(silent)" in checks["source utilities"].says
    assert checks["source tax"].says.startswith("not connected")
    assert checks["deliveries"].is_ok


async def test_a_source_that_asks_for_patience_is_not_taken_for_one_that_is_back(
    place: Place, admin: asyncpg.Connection
) -> None:
    asked = await place.ask(place.firms[0])
    await admin.execute(
        "INSERT INTO sources.source_breaker (source, state, failures, openings, rests_until)"
        " VALUES ('utilities', 'open', 5, 1, now() - interval '1 second')"
    )

    await place.attempt(Scripted([SourceBusy("utilities", retry_after=timedelta(seconds=7))]), asked.id)

    breaker = await place.breaker()
    assert (breaker.state, breaker.openings, breaker.last_reason) == (BreakerState.OPEN, 2, PullReason.QUOTA)


@pytest.mark.parametrize(
    "too_long", [f"put_offs = {MAX_PUT_OFFS}", f"asked_at = asked_at - interval '{KEPT_WAITING.days} days'"]
)
async def test_waiting_for_a_source_ends_too(place: Place, admin: asyncpg.Connection, too_long: str) -> None:
    asked = await place.ask(place.firms[0])
    await admin.execute(
        "INSERT INTO sources.source_breaker (source, state, failures, openings, rests_until)"
        " VALUES ('utilities', 'open', 5, 1, now() + interval '1 hour')"
    )
    await admin.execute(f"UPDATE sources.pull SET {too_long}")

    await place.attempt(Scripted(), asked.id)

    ended = await place.see(place.firms[0], asked.id)
    assert (ended.state, ended.reason) == (PullState.TIMED_OUT, PullReason.SOURCE_AWAY)


def an_answer() -> st.SearchStrategy[Exception | int | None]:
    """Draw what a source may answer a page with."""
    failures = st.sampled_from(
        [
            SourceSilent("utilities"),
            SourceBusy("utilities", retry_after=None),
            SourceChanged("utilities", "form"),
            SourceUnavailable("utilities", "HTTP 500"),
            ItemDenied(),
            SourceDenied(),
        ]
    )
    return st.one_of(st.integers(1, 5), st.none(), failures)


SCRIPTS = st.lists(st.lists(an_answer(), min_size=3, max_size=3), min_size=1, max_size=4)


async def test_whatever_is_answered_nothing_is_got_without_a_stored_delivery(
    place: Place, admin: asyncpg.Connection
) -> None:
    scripts: list[list[list[Exception | int | None]]] = []

    @given(SCRIPTS)
    def draw(script: list[list[Exception | int | None]]) -> None:
        scripts.append(script)

    draw()
    for number, script in enumerate(scripts[::10]):
        asked = await place.ask(place.firms[0], f"SDQ{number}")
        for answers in script:
            await admin.execute("UPDATE sources.pull SET retries_at = NULL")
            await admin.execute("DELETE FROM sources.source_breaker")
            await place.attempt(Scripted(list(answers)), asked.id)
        seen = await place.see(place.firms[0], asked.id)
        for part in seen.parts:
            stored = await admin.fetchval("SELECT received FROM sources.delivery WHERE id = $1", part.delivery_id)
            assert (part.state is PartState.GOT) == (stored is not None) == (part.loaded is not None)
        assert (seen.ended_at is None) == any(part.ended_at is None for part in seen.parts)
        await admin.execute("UPDATE sources.pull SET retries_at = NULL")
        await place.attempt(Scripted([SourceDenied()]), asked.id)

    assert len(scripts) > 10


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 900))
def test_a_breaker_is_open_only_after_failures_in_a_row_and_never_rests_longer_than_it_may(
    answers: list[bool], seconds: int
) -> None:
    breaker, wall, in_a_row = Breaker(METERS), NOW, 0
    for is_good in answers:
        wall += timedelta(seconds=seconds)
        admitted = breaker.admitted(wall_at=wall)
        called = breaker if isinstance(admitted, timedelta) else admitted
        breaker = called.succeeded(wall_at=wall) if is_good else called.failed(PullReason.SILENT, wall_at=wall)
        in_a_row = 0 if is_good else in_a_row + 1

        assert breaker.failures == in_a_row
        assert (breaker.state is BreakerState.CLOSED) == (in_a_row < FAILURES_TO_OPEN)
        assert (breaker.state is BreakerState.OPEN) == (breaker.rests_until is not None)
        assert breaker.rests_until is None or breaker.rests_until - wall <= LONGEST_REST


def test_patience_that_is_asked_for_neither_opens_a_breaker_nor_closes_one() -> None:
    failing = replace(Breaker(METERS), failures=FAILURES_TO_OPEN - 1)

    asked = failing.busy(wall_at=NOW)
    opened = asked.failed(PullReason.SILENT, wall_at=NOW)

    assert asked == failing
    assert opened.state is BreakerState.OPEN
    assert opened.busy(wall_at=NOW) == opened


def test_a_pull_waits_for_a_month_at_full_rests() -> None:
    assert MAX_PUT_OFFS * LONGEST_REST >= 2 * KEPT_WAITING


def test_who_tries_and_falls_silent_is_followed_by_another() -> None:
    opened = replace(Breaker(METERS), state=BreakerState.OPEN, failures=5, openings=1, rests_until=NOW)

    trying = opened.admitted(wall_at=NOW)
    assert isinstance(trying, Breaker)
    other = trying.admitted(wall_at=NOW + timedelta(seconds=1))
    later = trying.admitted(wall_at=NOW + timedelta(minutes=2))

    assert isinstance(other, timedelta)
    assert isinstance(later, Breaker)
