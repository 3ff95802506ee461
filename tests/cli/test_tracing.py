"""lineage and impact as commands: what they print, for people and for machines, and what they refuse."""

import json
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest
from anyio.to_thread import run_sync
from builders_scoring import Town, a_permission, a_released_model, a_town
from builders_sources import a_record
from click.testing import CliRunner, Result
from conftest import Database

from xinyidai.access.service import act_as_platform
from xinyidai.cli import main
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.scoring import service as scoring
from xinyidai.sources import service as sources
from xinyidai.sources.rules import DeliveryKind


@pytest.fixture
def today() -> datetime:
    """Return the moment that a command without a city takes for now."""
    return wall_now()


@pytest.fixture
async def town(database: Database, today: datetime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Town:
    monkeypatch.setenv("DATABASE_URL", database.admin_dsn)
    monkeypatch.setenv("SANDBOX", "1")
    monkeypatch.setenv("XINYIDAI_HOME", str(tmp_path))
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=today)
        await a_released_model(session, now=today)
        made = await a_town(session, firms=1, now=today)
        permission = await a_permission(session, made.firm_ids, now=today)
        await scoring.score_firm(session, permission, firm_id=made.firm_ids[0], as_of=today, now=today)
    return made


async def told(*command: str) -> Result:
    return await run_sync(CliRunner().invoke, main, list(command))


async def test_an_indicator_is_followed_to_its_facts_and_a_fact_to_its_score(
    town: Town, admin: asyncpg.Connection
) -> None:
    listed = await told("lineage", "active_months", town.codes[0], "--limit", "3")
    as_json = await told("lineage", "active_months", town.codes[0], "--limit", "3", "--json")
    lineage = json.loads(as_json.stdout)
    fact = lineage["facts"][0]["fact"]
    touched = await told("impact", fact)
    impact = json.loads((await told("impact", fact, "--json")).stdout)

    assert (listed.exit_code, as_json.exit_code, touched.exit_code) == (0, 0, 0), listed.output + touched.output
    assert f"rests on {lineage['fact_rows']} facts, {lineage['counted_rows']} of them counted" in listed.stdout
    assert f"and {lineage['fact_rows'] - 3} older" in listed.stdout
    assert all(one["fact"] in listed.stdout for one in lineage["facts"])
    assert lineage["facts"][0]["origin"]["digest"] in listed.stdout
    assert lineage["held_under"][0]["id"] in listed.stdout
    (decision,) = impact["decisions"]
    assert f"score {decision['id']} (score {decision['record_id']})" in touched.stdout
    assert f"score_points {decision['outcome']['score_points']}" in touched.stdout
    assert "active_months" in impact["indicators"]
    audited = await admin.fetch("SELECT DISTINCT action FROM audit.record WHERE principal_kind = 'system'")
    assert {"profiles.lineage_shown", "profiles.impact_shown"} <= {row["action"] for row in audited}


async def test_a_record_is_traced_by_its_item_and_told_what_it_feeds(
    town: Town, database: Database, today: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=today)
        penalty = a_record("penalty", town.codes[0], document_no="D-17")
        await sources.receive_rows(session, town.agency.maker, [penalty], kind=DeliveryKind.PENALTY, now=today)

    listed = await told("lineage", "penalty", town.codes[0])
    as_json = json.loads((await told("lineage", "penalty", town.codes[0], "--json")).stdout)
    (fact,) = as_json["facts"]
    by_item = await told("impact", fact["fact"].replace("penalty_fact:", "penalty:"))

    assert (listed.exit_code, by_item.exit_code) == (0, 0), listed.output + by_item.output
    assert "penalty: 1 records" in listed.stdout
    assert f"{fact['fact']} document_no D-17; delivery " in listed.stdout
    assert "indicators read penalty" in listed.stdout
    assert "feeds 1 indicators today: penalties_count" in by_item.stdout
    assert "held under no consent of the firm's" in by_item.stdout


async def test_of_a_past_in_which_nothing_was_known_an_indicator_has_no_data(town: Town) -> None:
    listed = await told(
        "lineage", "active_months", town.codes[0], "--as-of", "2024-01-01", "--known-at", "2024-01-01T08:00"
    )

    assert listed.exit_code == 0, listed.output
    assert "active_months: no data, as of 2024-01-01 00:00, as known at 2024-01-01 08:00" in listed.stdout
    assert "rests on 0 facts" in listed.stdout


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["lineage", "luck", "{code}"], "value_refused"),
        (["lineage", "active_months", "91500000000000000X"], "not_found"),
        (["lineage", "active_months", "{code}", "--as-of", "2999-01-01"], "value_refused"),
        (["impact", "luck"], "value_refused"),
        (["impact", "invoice_fact:{firm}/999.1"], "not_found"),
    ],
    ids=["indicator", "firm", "future", "name", "fact"],
)
async def test_what_is_not_there_is_said_in_a_sentence(town: Town, command: list[str], code: str) -> None:
    refused = await told(*(word.format(code=town.codes[0], firm=town.firm_ids[0]) for word in command))

    assert refused.exit_code == 1
    assert f"{code}: " in refused.output
