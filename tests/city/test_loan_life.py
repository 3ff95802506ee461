"""Bots over the real platform: one whole life of a loan, with default, claim and recovery; a city that is killed."""

import asyncio
import random
import sqlite3
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import asyncpg
import pytest
from builders_city import Staged, a_city_over, a_staged_city, count, hollow_firms
from conftest import Database, a_clone

from city.bots.book import Loss
from city.bots.firm import Stage
from city.clock import Mode
from city.living.city import Inhabitants
from city.world.population import make_firms
from xinyidai.access.service import act_as_platform
from xinyidai.cli.demo.figures import digest_of_everything
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.embedded import PostgresServer


def living(staged: Staged) -> Inhabitants:
    assert staged.city.inhabitants is not None
    return staged.city.inhabitants


async def until_indicated(staged: Staged) -> None:
    """Let the platform's worker follow until a bank has indicated something, and the city has written it down."""
    for _look in range(2_000):
        await staged.deliver()
        await asyncio.sleep(0.05)
        if any(act == "indicate" and status < 400 for _, _, act, status in staged.city.store.events()):
            return
    raise AssertionError("nobody answers")


async def test_a_hollow_firm_borrows_and_fails_and_fund_and_guarantor_pay(
    database: Database, admin: asyncpg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firms = (*hollow_firms(), *make_firms(1, 300)[:6])
    async with a_staged_city(database, tmp_path, monkeypatch, firms) as staged:
        await staged.play_until(date(2025, 2, 10))
        lent = await count(admin, "loans.loan")
        await staged.play_until(date(2025, 10, 27), every_days=14)
        acts = Counter(act for _, _, act, status in staged.city.store.events() if status < 400)
        refused = [(act, status) for _, _, act, status in staged.city.store.events() if status >= 400]
        cases = [case for firm in living(staged).firms.cases.values() for case in firm.values()]
        books = [one for desk in living(staged).banks for one in desk.books.values()]

    assert lent >= 2
    assert {case.result for case in cases if case.stage is Stage.OVER} >= {"granted", "rejected_all"}
    assert {one.firm_code for one in books if one.loss is not Loss.NONE} == {
        firm.credit_code for firm in hollow_firms()
    }
    assert {one.loss for one in books if one.loss is not Loss.NONE} <= {Loss.PAID, Loss.SETTLED}
    assert await count(admin, "risk_sharing.claim", "paid_at IS NOT NULL") == acts["claim"] == 2
    assert await count(admin, "risk_sharing.recovery") == sum(one.recoveries for one in books) > 0
    assert await count(admin, "loans.loan") == acts["disburse"] == len(books)
    assert await count(admin, "loans.repayment") == acts["repay"] > 0
    assert acts["approve_claim"] == 2 * acts["pay_claim"] == 4
    assert await count(admin, "sources.pull", "state = 'ready'") == acts["pull"] == len(cases)
    assert refused == []


async def test_deliveries_in_any_order_and_twice_come_to_the_same_day_for_day(
    cluster: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [firm for firm in make_firms(1, 300) if not firm.is_hollow]
    firms = (*hollow_firms(), *others[:8])
    digests, done = set(), []
    for disorder in (None, random.Random(1)):  # noqa: S311 - a shuffle, no secret
        async with a_clone(cluster) as database:
            home = tmp_path / database.name
            async with a_staged_city(database, home, monkeypatch, firms) as staged:
                staged.disorder = disorder
                done.append(await staged.play_until(date(2025, 2, 5)))
            async with in_transaction(database.worker) as session:
                await act_as_platform(session, now=datetime(2025, 2, 5, 4, tzinfo=UTC))
                digests.add(await digest_of_everything(session))

    assert len(digests) == 1
    assert done[0] == done[1] > 30


async def test_a_city_killed_before_it_wrote_down_what_it_did_goes_on_and_doubles_nothing(
    database: Database, admin: asyncpg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_staged_city(database, tmp_path, monkeypatch, hollow_firms()) as staged:
        await staged.play_until(date(2025, 1, 24))
        ground = staged.ground
        offers = await count(admin, "matching.offer")
        indications = await count(admin, "matching.indication")
    with sqlite3.connect(tmp_path / "city" / "city.sqlite3") as kept:
        kept.execute("DELETE FROM memory WHERE kind = 'case'")
        kept.execute(
            "UPDATE memory SET body = json_set(body, '$.step', 'asked', '$.offer_id', '') WHERE kind = 'dealing'"
        )
    async with a_city_over(database, ground, monkeypatch) as staged:
        await staged.play_until(date(2025, 2, 13))
        books = [one for desk in living(staged).banks for one in desk.books.values()]

    assert indications >= offers >= 1
    assert await count(admin, "demands.demand") == 2
    assert await count(admin, "loans.loan") == len(books) == 2


async def test_a_living_city_acts_by_itself_while_time_flows(
    database: Database, admin: asyncpg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("city.living.flowing.POLL_SECONDS", 0.02)
    monkeypatch.setattr("city.living.flowing.PENDING_SECONDS", 0.05)
    async with a_staged_city(database, tmp_path, monkeypatch, hollow_firms(), mode=Mode.LIVE) as staged:
        await staged.tell("/clock", {"act": "run", "rate": 172_800})
        await until_indicated(staged)
        await staged.tell("/clock", {"act": "pause"})
        acts = {act for _, _, act, _ in staged.city.store.events()}

    assert acts >= {"consent", "pull", "score", "draft_demand", "submit_demand", "indicate"}
    assert await admin.fetchval("SELECT max(n) FROM (SELECT count(*) AS n FROM demands.demand GROUP BY firm_id)") == 1
