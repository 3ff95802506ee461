"""Both adapters against the city's own offices over HTTP: every fault told apart, nothing lost, nothing twice."""

from collections.abc import AsyncGenerator
from datetime import date, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx2
import pytest
from builders_consents import a_consent
from builders_offices import Offices, part_of, states, the_offices
from conftest import Database

from xinyidai.access.service import act_as_platform
from xinyidai.consents import service as consents
from xinyidai.foundation.database import in_transaction
from xinyidai.sources.adapters import wire
from xinyidai.sources.rules.pull_parts import PartState, PullReason
from xinyidai.sources.rules.pulls import MAX_ATTEMPTS, PullSource, PullState
from xinyidai.sources.service import connecting, pulling

TAX, UTILITIES = PullSource.TAX, PullSource.UTILITIES
GOT, NOTHING, WAITING, REFUSED, FAILED = (
    PartState.GOT,
    PartState.NOTHING,
    PartState.WAITING,
    PartState.REFUSED,
    PartState.FAILED,
)
FACTS = {
    "vat_invoice": "invoice_fact",
    **{item: f"{item}_fact" for item in ("tax_filing", "tax_grade", "tax_arrears", "electricity", "water", "gas")},
}
TAUGHT = connecting.Connection("http://127.0.0.1:1", "platform", "")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the platform know both sources, and wait for none of them for long."""
    monkeypatch.setattr(pulling, "connection_to", lambda _known, _source: TAUGHT)
    monkeypatch.setattr(wire, "TIMEOUT", httpx2.Timeout(1.0))
    monkeypatch.setattr(wire, "FIRST_PAUSE", 0.01)


@pytest.fixture
async def offices(database: Database, noon: datetime, tmp_path: Path) -> AsyncGenerator[Offices]:
    async with the_offices(database, tmp_path, noon) as served:
        yield served


async def held(admin: asyncpg.Connection) -> dict[str, int]:
    """Return how many facts of each item are current."""
    return {
        item: await admin.fetchval(f"SELECT count(*) FROM sources.{table} WHERE superseded_at IS NULL")
        for item, table in FACTS.items()
    }


async def due_now(admin: asyncpg.Connection) -> None:
    """Let the wait be over."""
    await admin.execute("UPDATE sources.pull SET retries_at = NULL")


async def test_one_pull_fetches_all_that_a_source_has_and_says_which_period_each_covers(
    offices: Offices, admin: asyncpg.Connection
) -> None:
    tax, meters = await offices.run(await offices.ask(TAX)), await offices.run(await offices.ask(UTILITIES))

    power, filings, found = part_of(meters, "electricity"), part_of(tax, "tax_filing"), await held(admin)
    assert (tax.state, meters.state) == (PullState.READY, PullState.READY)
    assert states(tax) | states(meters) == {item: GOT if count else NOTHING for item, count in found.items()}
    assert (power.covers_from, power.covers_to, power.loaded) == (date(2023, 6, 1), date(2025, 5, 1), 24)
    assert filings.covers_to == date(2025, 5, 1)
    # Electricity has ten days after a month's end, and June ends on the 30th.
    assert power.expected_by == date(2025, 7, 10)
    assert min(found["vat_invoice"], found["tax_filing"], found["tax_grade"], found["electricity"]) > 0


async def test_no_data_is_an_answer_and_no_zero(offices: Offices) -> None:
    done = await offices.run(await offices.ask(UTILITIES))

    gas = part_of(done, "gas")
    assert (gas.state, gas.received, gas.loaded, gas.delivery_id, gas.covers_to) == (NOTHING, None, None, None, None)


async def test_each_item_is_as_the_firm_allowed_it_there_and_here(offices: Offices, database: Database) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=offices.noon)
        await consents.revoke(session, offices.firm, offices.consent_id, now=offices.noon)
        await a_consent(session, offices.firm, item_codes=["electricity", "water"], now=offices.noon)

    done = await offices.run(await offices.ask(UTILITIES, await offices.permission(UTILITIES, "electricity gas")))

    told = {part.item_code: (part.state, part.reason) for part in done.parts}
    assert told == {
        "electricity": (GOT, None),
        "water": (REFUSED, PullReason.NOT_GRANTED),
        "gas": (REFUSED, PullReason.NOT_CONSENTED),
    }
    assert done.state is PullState.READY


OF_TIME = [("time_out", PullReason.SILENT), ("429", PullReason.QUOTA), ("dropped_connection", PullReason.SILENT)]
OF_CONTENT = [
    (TAX, "500", PullReason.FAULTY),
    (TAX, "truncated_body", PullReason.FAULTY),
    (TAX, "schema_drift", PullReason.CHANGED),
    (TAX, "wrong_unit", PullReason.CHANGED),
    (TAX, "duplicate_page", PullReason.REPEATED_PAGES),
    (UTILITIES, "500", PullReason.FAULTY),
    # Half a body is not what was signed.
    (UTILITIES, "truncated_body", PullReason.UNTRUSTED),
    (UTILITIES, "schema_drift", PullReason.CHANGED),
    (UTILITIES, "wrong_unit", PullReason.CHANGED),
    (UTILITIES, "duplicate_page", PullReason.REPEATED_PAGES),
    (UTILITIES, "clock_skew", PullReason.UNTRUSTED),
    (UTILITIES, "wrong_signature", PullReason.UNTRUSTED),
]
MAIN = {TAX: "vat_invoice", UTILITIES: "electricity"}


@pytest.mark.parametrize("source", MAIN)
@pytest.mark.parametrize(("kind", "reason"), OF_TIME)
async def test_a_source_that_is_away_is_left_alone_until_it_is_back(
    offices: Offices, admin: asyncpg.Connection, source: PullSource, kind: str, reason: PullReason
) -> None:
    asked = await offices.ask(source)
    offices.clients[source].kind = kind

    wait = await offices.attempt(asked)
    away = await offices.see(asked)
    nothing = await held(admin)
    offices.clients[source].kind = ""
    await due_now(admin)
    done = await offices.run(asked)

    assert wait is not None
    assert wait >= timedelta(seconds=7 if kind == "429" else 2)
    assert (away.state, away.reason, set(states(away).values())) == (PullState.PENDING, reason, {WAITING})
    assert set(nothing.values()) == {0}
    assert (done.state, done.attempts) == (PullState.READY, 1 if kind == "429" else 2)


@pytest.mark.parametrize(("source", "kind", "reason"), OF_CONTENT)
async def test_one_item_gone_wrong_leaves_the_others_alone_and_comes_later_whole(
    offices: Offices, admin: asyncpg.Connection, source: PullSource, kind: str, reason: PullReason
) -> None:
    asked, main, client = await offices.ask(source), MAIN[source], offices.clients[source]
    client.kind, client.only = kind, main

    wait = await offices.attempt(asked)
    partly, kept = await offices.see(asked), await held(admin)
    client.kind = ""
    await due_now(admin)
    done = await offices.run(asked)
    again = await offices.run(await offices.ask(source))

    assert wait is not None
    assert (part_of(partly, main).state, part_of(partly, main).reason, kept[main]) == (WAITING, reason, 0)
    assert {states(partly)[item] for item in states(partly) if item != main} <= {GOT, NOTHING}
    assert (done.state, part_of(done, main).state) == (PullState.READY, GOT)
    assert (await held(admin))[main] == part_of(done, main).loaded
    assert (again.state, again.loaded) == (PullState.READY, 0)
    assert await admin.fetchval("SELECT count(*) FROM sources.rejected_row") == 0


@pytest.mark.parametrize("source", MAIN)
async def test_old_data_after_newer_are_not_taken_for_news(
    offices: Offices, admin: asyncpg.Connection, source: PullSource
) -> None:
    await offices.run(await offices.ask(source))
    before = await held(admin)
    superseded = "SELECT count(*) FROM sources.record_supersession"
    asked, client = await offices.ask(source), offices.clients[source]
    client.kind, client.only = "stale", MAIN[source]

    await offices.attempt(asked)
    stale = part_of(await offices.see(asked), MAIN[source])

    assert (stale.state, stale.reason) == (WAITING, PullReason.STALE)
    assert await held(admin) == before
    assert await admin.fetchval(superseded) == 0


async def test_what_stays_wrong_ends_as_a_part_of_a_success(offices: Offices, admin: asyncpg.Connection) -> None:
    asked, client = await offices.ask(UTILITIES), offices.clients[UTILITIES]
    client.kind, client.only = "wrong_unit", "water"

    for _attempt in range(MAX_ATTEMPTS):
        await due_now(admin)
        await admin.execute("DELETE FROM sources.source_breaker")
        await offices.attempt(asked)
    done = await offices.see(asked)

    water = part_of(done, "water")
    assert (done.state, done.reason, done.attempts) == (PullState.PARTLY, PullReason.CHANGED, MAX_ATTEMPTS)
    assert (water.state, water.reason, water.loaded) == (FAILED, PullReason.CHANGED, None)
    assert (part_of(done, "electricity").state, (await held(admin))["water"]) == (GOT, 0)


async def test_a_number_taken_back_in_mid_pull_ends_it_and_what_came_before_stays(
    offices: Offices, admin: asyncpg.Connection
) -> None:
    reference = await offices.permission(UTILITIES)
    asked, client = await offices.ask(UTILITIES, reference), offices.clients[UTILITIES]
    client.kind, client.only = "500", "water"
    await offices.attempt(asked)
    client.kind = ""
    await offices.town.withdraw("utilities", reference)

    await due_now(admin)
    done = await offices.run(asked)

    water = part_of(done, "water")
    assert (done.state, done.reason) == (PullState.PARTLY, PullReason.ACCESS_REFUSED)
    assert (water.state, water.reason) == (REFUSED, PullReason.ACCESS_REFUSED)
    assert part_of(done, "electricity").state is GOT
    assert await admin.fetchval("SELECT sealed_token FROM sources.pull") is None
