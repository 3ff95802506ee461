"""The database as a whole: migrations, rights, and a policy on every table that names a firm or an organisation."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from conftest import Database
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from xinyidai import tables
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.ids import derived_id, new_id
from xinyidai.foundation.migrating import migrate
from xinyidai.foundation.server_binaries import find_postgres
from xinyidai.foundation.settings import DatabaseRole

PARTY_COLUMNS = re.compile(
    r"^(.+_)?(firm|party|organisation|lender|guarantor|fund|subject|receiver|sender|owner|borrower|payer|payee"
    r"|applicant|taxpayer|counterparty|bank|debtor|creditor|guarantee|insurer|agency|provider|asker)_ids?$"
)
OPEN = {
    "agreements.sharing_policy": "policy",
    "catalogue.item": "the catalogue is public",
    "catalogue.item_standard": "public terms",
    "catalogue.item_field": "public terms",
    "catalogue.item_topology": "public terms",
    "consents.purpose_policy": "policy",
    "decisions.retention": "policy",
    "demands.limits": "policy",
    "foundation.job_due": "jobs and periods",
    "foundation.outbox_delivery": "which consumer took which event",
    "foundation.outbox_event": "ids between rooms, for the worker's consumers of all rooms",
    "foundation.reference": "a version",
    "foundation.sealed_block": "digests",
    "ledger.book": "the two books by name",
    "ledger.closed_period": "months and who closed them",
    "loans.class_floor": "policy",
    "matching.limits": "policy",
    "matching.shelf": "the version of the product shelf",
    "objections.clock": "policy",
    "objections.repair_rule": "policy",
    "parties.code_exception": "credit codes, which are public, that the operator lets pass",
    "parties.industry": "a public classification",
    "parties.party": "the public register's part of a party",
    "parties.region": "a public classification",
    "parties.region_successor": "a public classification",
    "parties.size_bound": "policy",
    "products.limits": "policy",
    "public.alembic_version": "the revision",
    "quality.rule": "policy",
    "scoring.model_release": "models by digest",
    "scoring.scale": "policy",
    "sources.day_file": "counts and digests of an office's daily files",
    "sources.sent_list": "counts and digests of the lists sent to an office",
    "sources.source_breaker": "whether an office answers",
}
"""Tables without a policy, and why; every other table has one."""

SEEN_BY_EVERY_VIEWER = {
    "parties.party_region": "where a firm sits is in the public register",
    "products.product": "what is published is for everybody to see",
}
"""Policed tables whose rows any signed-in viewer may see, and why."""

ONE, OTHER = derived_id("one organisation"), derived_id("another organisation")
VALUES = {
    "text": "'t{n}'",
    "character varying": "'t{n}'",
    "integer": "{n}",
    "bigint": "{n}",
    "smallint": "{n}",
    "boolean": "true",
    "date": "DATE '2025-06-16' + {n}",
    "timestamp with time zone": "TIMESTAMPTZ '2025-06-16T04:00:00Z'",
    "bytea": "'\\x0{n}'::bytea",
    "jsonb": "'{{}}'::jsonb",
    "uuid": "'{other}'::uuid",
    "uuid[]": "ARRAY['{other}'::uuid]",
    "text[]": "ARRAY['t']",
    "character varying[]": "ARRAY['t']",
    "integer[]": "ARRAY[{n}]",
    "bigint[]": "ARRAY[{n}::bigint]",
    "bytea[]": "ARRAY['\\x00'::bytea]",
}


async def columns_of_tables(admin: asyncpg.Connection) -> dict[str, dict[str, str]]:
    """Return the type of every column that is written by hand, by table and name."""
    rows = await admin.fetch(
        "SELECT n.nspname || '.' || c.relname AS name, a.attname AS column, format_type(a.atttypid, NULL) AS type"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|information_schema)' AND a.attnum > 0"
        " AND NOT a.attisdropped AND a.attidentity = '' AND a.attgenerated = '' ORDER BY 1, a.attnum"
    )
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row["name"], {})[row["column"]] = row["type"]
    return found


async def tables_that_name_a_party(admin: asyncpg.Connection) -> dict[str, list[str]]:
    columns = await columns_of_tables(admin)
    named = {table: [name for name in of_table if PARTY_COLUMNS.match(name)] for table, of_table in columns.items()}
    return {table: names for table, names in named.items() if names}


async def policed_tables(admin: asyncpg.Connection) -> list[str]:
    """Return the tables that have a policy, whether or not it is switched on."""
    rows = await admin.fetch("SELECT DISTINCT polrelid::regclass::text AS name FROM pg_policy ORDER BY 1")
    return [row["name"] for row in rows]


async def test_every_table_that_names_a_party_is_protected_by_row(admin: asyncpg.Connection) -> None:
    named = await tables_that_name_a_party(admin)
    protected = await admin.fetch(
        "SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relrowsecurity AND c.relforcerowsecurity"
        " AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid)"
    )

    bare = set(named) - {row["name"] for row in protected}

    assert len(named) > 10
    assert bare == set()


async def test_every_table_has_a_policy_or_a_reason_to_have_none(admin: asyncpg.Connection) -> None:
    without = set(await columns_of_tables(admin)) - set(await policed_tables(admin))

    assert without == set(OPEN)


async def test_no_policy_opens_a_table_to_those_who_sign_in(admin: asyncpg.Connection) -> None:
    open_wide = await admin.fetch(
        "SELECT p.polrelid::regclass::text AS name, p.polname FROM pg_policy p WHERE (p.polroles = '{0}' OR EXISTS ("
        "  SELECT FROM pg_roles r WHERE r.oid = ANY (p.polroles) AND r.rolname IN ('xinyidai_app', 'xinyidai_worker')))"
        " AND p.polcmd IN ('r', '*') AND pg_get_expr(p.polqual, p.polrelid) IN ('true', '(true)')"
    )

    assert [tuple(row) for row in open_wide] == []


async def populate(admin: asyncpg.Connection) -> None:
    """Write a row of each of two organisations into every policed table, past checks, triggers and foreign keys.

    Policies know nothing of those, so what may be in a row is left out of it: the column types are enough.
    """
    checks = await admin.fetch(
        "SELECT conrelid::regclass::text AS name, conname FROM pg_constraint"
        " WHERE contype = 'c' AND conrelid <> 0 AND coninhcount = 0"
        " AND connamespace::regnamespace::text !~ '^(pg_|information_schema)'"
    )
    for check in checks:
        await admin.execute(f'ALTER TABLE {check["name"]} DROP CONSTRAINT "{check["conname"]}"')
    columns = await columns_of_tables(admin)
    for table in await policed_tables(admin):
        await admin.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        await admin.execute(f"DELETE FROM {table}")
        for number, organisation in enumerate((ONE, OTHER), 1):
            written = {
                name: VALUES[kind].format(n=number, other=organisation if PARTY_COLUMNS.match(name) else new_id())
                for name, kind in columns[table].items()
                if kind in VALUES
            }
            await admin.execute(f"INSERT INTO {table} ({', '.join(written)}) VALUES ({', '.join(written.values())})")


async def rows_seen(
    database: Database, role: DatabaseRole, tables_asked: list[str], viewer: UUID | None
) -> dict[str, int]:
    """Count the rows that a role sees, in no scope or in an organisation's; tables it may not read are left out."""
    url = database.settings.dsn(role).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    await connection.execute("SELECT set_config('app.organisation_id', $1, false)", str(viewer or ""))
    seen: dict[str, int] = {}
    for table in tables_asked:
        if await connection.fetchval("SELECT has_table_privilege($1, 'SELECT')", table):
            seen[table] = await connection.fetchval(f"SELECT count(*) FROM {table}")
    await connection.close()
    return seen


@pytest.mark.parametrize("role", [DatabaseRole.APP, DatabaseRole.WORKER])
async def test_of_rows_that_are_there_no_role_sees_any_without_a_scope_nor_anothers_within(
    database: Database, admin: asyncpg.Connection, role: DatabaseRole
) -> None:
    await populate(admin)
    policed = await policed_tables(admin)
    held = {table: await admin.fetchval(f"SELECT count(*) FROM {table}") for table in policed}

    without = await rows_seen(database, role, policed, None)
    within = await rows_seen(database, role, policed, ONE)
    stranger = await rows_seen(database, role, policed, derived_id("a stranger"))

    assert set(held.values()) == {2}
    assert len(without) > 30
    assert {table: count for table, count in without.items() if count} == {}
    assert {table for table, count in within.items() if count > 1} == set(SEEN_BY_EVERY_VIEWER)
    assert {table for table, count in stranger.items() if count} == set(SEEN_BY_EVERY_VIEWER)


async def test_a_policy_that_is_off_or_open_would_be_noticed_on_every_table(
    database: Database, admin: asyncpg.Connection
) -> None:
    await populate(admin)
    policed = await policed_tables(admin)
    for number, table in enumerate(policed):
        broken = f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"
        opened = f"CREATE POLICY opened ON {table} TO xinyidai_app USING (true)"
        await admin.execute(broken if number % 2 else opened)

    seen = await rows_seen(database, DatabaseRole.APP, policed, None)

    assert {table: count for table, count in seen.items() if count != 2} == {}


async def test_web_and_worker_own_nothing_and_cannot_change_the_schema(admin: asyncpg.Connection) -> None:
    owned = await admin.fetch(
        "WITH mine AS (SELECT oid FROM pg_roles WHERE rolname = ANY($1))"
        " SELECT 'relation ' || oid::regclass AS what FROM pg_class WHERE relowner IN (SELECT oid FROM mine)"
        " UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_proc WHERE proowner IN (SELECT oid FROM mine)"
        " UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspowner IN (SELECT oid FROM mine)"
        " UNION ALL SELECT 'type ' || oid::regtype FROM pg_type WHERE typowner IN (SELECT oid FROM mine)"
        " UNION ALL SELECT 'database ' || datname FROM pg_database WHERE datdba IN (SELECT oid FROM mine)",
        [DatabaseRole.APP.value, DatabaseRole.WORKER.value, DatabaseRole.AUDITOR.value],
    )
    mighty = await admin.fetchval(
        "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'xinyidai%' AND (rolsuper OR rolbypassrls OR rolcreaterole)"
    )
    creating = await admin.fetch(
        "SELECT nspname FROM pg_namespace WHERE has_schema_privilege($1, oid, 'CREATE')"
        " OR has_schema_privilege($2, oid, 'CREATE')",
        DatabaseRole.APP.value,
        DatabaseRole.WORKER.value,
    )

    assert [row["what"] for row in owned] == []
    assert mighty == 0
    assert [row["nspname"] for row in creating if not row["nspname"].startswith("pg_temp")] == []


async def test_the_auditor_can_write_nothing(admin: asyncpg.Connection) -> None:
    writable = await admin.fetch(
        "SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY($1)"
        " AND has_table_privilege('xinyidai_auditor', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')",
        sorted(tables.SCHEMAS),
    )

    assert [row["name"] for row in writable] == []


def dump(dsn: str) -> str:
    program = str(find_postgres().folder / "pg_dump")
    text = subprocess.run(
        [program, "--schema-only", "--no-comments", dsn], check=True, capture_output=True, text=True
    ).stdout
    lines = [line for line in text.splitlines() if line and not line.startswith(("--", "\\restrict", "\\unrestrict"))]
    return "\n".join(lines)


async def test_one_revision_down_and_up_again_leaves_the_same_schema(database: Database) -> None:
    before = dump(database.admin_dsn)

    await migrate(database.settings.dsn(DatabaseRole.MIGRATE), to="-1")
    between = dump(database.admin_dsn)
    await migrate(database.settings.dsn(DatabaseRole.MIGRATE))

    assert between != before
    assert dump(database.admin_dsn) == before


async def test_all_the_way_down_and_up_again_leaves_the_same_schema(database: Database) -> None:
    before = dump(database.admin_dsn)

    await migrate(database.settings.dsn(DatabaseRole.MIGRATE), to="base")
    await migrate(database.settings.dsn(DatabaseRole.MIGRATE))

    assert dump(database.admin_dsn) == before


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection,
        opts={
            "include_schemas": True,
            "include_name": lambda name, kind, _parents: name in tables.SCHEMAS if kind == "schema" else True,
            "compare_type": True,
        },
    )
    return list(compare_metadata(context, SQLModel.metadata))


async def test_tables_and_revisions_say_the_same(database: Database) -> None:
    engine = create_async_engine(database.settings.dsn(DatabaseRole.MIGRATE))
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()

    assert found == []


async def test_platform_scope_ends_with_its_transaction(database: Database) -> None:
    async with in_transaction(database.app) as session:
        await act_as_platform(session, now=datetime(2025, 6, 16, tzinfo=UTC))
    async with in_transaction(database.app) as session:
        connection = await session.connection()
        scope = (await connection.exec_driver_sql("SELECT access.is_platform()")).scalar_one()

    assert scope is False


def test_every_function_that_runs_as_its_owner_fixes_its_search_path() -> None:
    folder = Path(__file__).resolve().parents[1] / "migrations" / "sql"
    loose = [
        f"{path.name}: {definition.split('(')[0]}"
        for path in sorted(folder.rglob("*.sql"))
        for definition in re.split(r"CREATE (?:OR REPLACE )?FUNCTION ", path.read_text(encoding="utf-8"))[1:]
        if "SECURITY DEFINER" in definition and "SET search_path" not in definition
    ]

    assert loose == []
