"""What processes keep of policy, catalogue and rules: never longer than it says the same."""

from datetime import UTC, date, datetime
from uuid import UUID

import asyncpg
import pytest
from conftest import Database

from xinyidai.access.service import act_as_platform
from xinyidai.catalogue import queries as catalogue
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import Purpose
from xinyidai.foundation.database import in_transaction
from xinyidai.quality import queries as quality

DAY = date(2025, 6, 16)
NOON = datetime(2025, 6, 16, 4, tzinfo=UTC)
KEPT = [
    "catalogue.item",
    "catalogue.item_standard",
    "consents.purpose_policy",
    "objections.repair_rule",
    "quality.rule",
]


async def version(admin: asyncpg.Connection) -> UUID:
    found: UUID = await admin.fetchval("SELECT version FROM foundation.reference")
    return found


@pytest.mark.parametrize("table", KEPT)
async def test_every_change_of_a_kept_table_renews_the_version(admin: asyncpg.Connection, table: str) -> None:
    seen = [await version(admin)]
    column = await admin.fetchval(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum = 1", table
    )
    await _let_everything_change(admin, table)
    for change in (
        f"CREATE TEMP TABLE held AS TABLE {table}",
        f"UPDATE {table} SET {column} = {column}",
        f"DELETE FROM {table}",
        f"INSERT INTO {table} TABLE held",
        f"TRUNCATE {table} CASCADE",
    ):
        await admin.execute(change)
        seen.append(await version(admin))

    assert seen[0] == seen[1]
    assert len(set(seen)) == 5


async def _let_everything_change(admin: asyncpg.Connection, table: str) -> None:
    append_only = await admin.fetch(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = $1::text::regclass"
        " AND tgfoid = 'foundation.refuse_change'::regproc",
        table,
    )
    for row in append_only:
        await admin.execute(f"ALTER TABLE {table} DISABLE TRIGGER {row['tgname']}")
    await admin.execute("SET session_replication_role = replica")


@pytest.mark.parametrize("table", KEPT)
async def test_no_process_of_the_platform_may_change_a_kept_table(admin: asyncpg.Connection, table: str) -> None:
    rights = [
        (role, right)
        for role in ("xinyidai_app", "xinyidai_worker", "xinyidai_auditor")
        for right in ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
        if await admin.fetchval("SELECT has_table_privilege($1, $2, $3)", role, table, right)
    ]

    assert rights == []


async def test_a_change_is_seen_by_the_next_transaction(database: Database, admin: asyncpg.Connection) -> None:
    async def told() -> tuple[int, str, str]:
        async with in_transaction(database.app) as session:
            await act_as_platform(session, now=NOON)
            policy = (await consents.policies(session, DAY))[Purpose.PRE_LOAN]
            item = await catalogue.item(session, "electricity", DAY)
            (rule,) = [one for one in await quality.rules_on(session, DAY) if one.code == "electricity.tariff"]
            return policy.most_months, item.name_en, rule.name_en

    before = await told()
    await admin.execute("UPDATE consents.purpose_policy SET most_months = 7 WHERE purpose = 'pre_loan'")
    await admin.execute("UPDATE catalogue.item SET name_en = 'power' WHERE code = 'electricity'")
    await admin.execute("UPDATE quality.rule SET name_en = 'another' WHERE code = 'electricity.tariff'")
    after = await told()

    assert before != after
    assert after == (7, "power", "another")


async def test_a_transaction_asks_the_database_once_for_what_its_process_keeps(database: Database) -> None:
    async def told() -> dict[Purpose, int]:
        async with in_transaction(database.app) as session:
            await act_as_platform(session, now=NOON)
            return {key: id(one) for key, one in (await consents.policies(session, DAY)).items()}

    assert await told() == await told()
