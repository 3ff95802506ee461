"""The database as a whole: migrations, rights, and a policy on every table that names a firm or an organisation."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

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
from xinyidai.foundation.migrating import migrate
from xinyidai.foundation.server_binaries import find_postgres
from xinyidai.foundation.settings import DatabaseRole

PARTY_COLUMNS = re.compile(
    r"^(firm|party|organisation|lender|guarantor|fund|subject|receiver|sender|owner|borrower|payer|payee)_ids?$"
)


async def tables_that_name_a_party(admin: asyncpg.Connection) -> dict[str, str]:
    rows = await admin.fetch(
        "SELECT table_schema || '.' || table_name AS name, column_name FROM information_schema.columns"
        " JOIN information_schema.tables USING (table_schema, table_name)"
        " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
    )
    return {row["name"]: row["column_name"] for row in rows if PARTY_COLUMNS.match(row["column_name"])}


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


@pytest.mark.parametrize("role", [DatabaseRole.APP, DatabaseRole.WORKER])
async def test_without_a_scope_no_role_sees_any_row_of_a_party(database: Database, role: DatabaseRole) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    named = await tables_that_name_a_party(admin)
    await admin.close()
    url = database.settings.dsn(role).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))

    seen: dict[str, int] = {}
    for table in named:
        allowed = await connection.fetchval("SELECT has_table_privilege($1, 'SELECT')", table)
        seen[table] = await connection.fetchval(f"SELECT count(*) FROM {table}") if allowed else 0
    await connection.close()

    assert {table: count for table, count in seen.items() if count} == {}


async def test_web_and_worker_own_nothing_and_cannot_change_the_schema(admin: asyncpg.Connection) -> None:
    owned = await admin.fetchval(
        "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = ANY($1)",
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

    assert (owned, mighty, [row["nspname"] for row in creating if not row["nspname"].startswith("pg_temp")]) == (
        0,
        0,
        [],
    )


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
