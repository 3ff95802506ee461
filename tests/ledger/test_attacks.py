"""The books against raw SQL: with the rights of the web and the worker, of the owner, and of a superuser."""

from collections.abc import AsyncGenerator

import asyncpg
import pytest
from builders_ledger import CHECKER, MAKER, NOON, TODAY, a_posting, faults, post_committed, two_accounts
from conftest import Database

from xinyidai.foundation.settings import DatabaseRole

POST = "SELECT * FROM ledger.post('main', $1, 'moved', $2, $3, $4, $5, $6::jsonb, $7::bigint[], $8::bigint[])"
INSUFFICIENT_PRIVILEGE, RESTRICT_VIOLATION, CHECK_VIOLATION, NOT_NULL_VIOLATION = "42501", "23001", "23514", "23502"
SIZE = (
    "SELECT (SELECT count(*) FROM ledger.journal), (SELECT count(*) FROM ledger.entry),"
    " (SELECT sum(version) FROM ledger.account), (SELECT sum(abs(balance_fen)) FROM ledger.account)"
)
HASH = "decode(repeat('00', 32), 'hex')"
JOURNAL = (
    "INSERT INTO ledger.journal (tenant, idem_key, req_hash, kind, effective_on, recorded_at, maker_id, subject)"
    f" VALUES ('main', 'raw', {HASH}, 'raw', '2025-06-16', '2025-06-16', '{MAKER}', '{{}}')"
)


async def sqlstate_of(connection: asyncpg.Connection, statement: str, *sent: object) -> str | None:
    """Run a statement; return what it was refused with, or None when it was not refused."""
    try:
        await connection.fetch(statement, *sent)
    except asyncpg.PostgresError as error:
        return str(error.sqlstate)
    return None


@pytest.fixture
async def paid_in(database: Database) -> tuple[int, int]:
    """Make a fund with 100 fen in it, and the world."""
    return await two_accounts(database.worker, fund_fen=100)


@pytest.fixture
async def app(database: Database) -> AsyncGenerator[asyncpg.Connection]:
    """Sign in as the web process does, in platform scope."""
    url = database.settings.dsn(DatabaseRole.APP).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    await connection.execute("SET app.scope = 'platform'")
    yield connection
    await connection.close()


WRITES = [
    "UPDATE ledger.account SET balance_fen = 1000000",
    "UPDATE ledger.account SET floor_fen = NULL",
    "INSERT INTO ledger.account (tenant, book, code, balance_fen, version, is_closed)"
    " VALUES ('main', 'cash', 'x', 0, 0, false)",
    "DELETE FROM ledger.account",
    "TRUNCATE ledger.entry",
    "UPDATE ledger.entry SET amount_fen = amount_fen * 2",
    "DELETE FROM ledger.entry",
    "INSERT INTO ledger.entry VALUES (1, 3, 1, 'cash', 5, 105, 2)",
    "UPDATE ledger.journal SET kind = 'other'",
    "DELETE FROM ledger.journal",
    JOURNAL,
    "INSERT INTO ledger.closed_period VALUES ('main', '2030-01-01', gen_random_uuid(), gen_random_uuid(), now())",
    "ALTER TABLE ledger.entry DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "CREATE FUNCTION ledger.mine() RETURNS int LANGUAGE sql RETURN 1",
]


@pytest.mark.parametrize("role", [DatabaseRole.APP, DatabaseRole.WORKER, DatabaseRole.AUDITOR])
async def test_no_role_that_signs_in_can_write_a_table(
    database: Database, paid_in: tuple[int, int], role: DatabaseRole
) -> None:
    url = database.settings.dsn(role).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))

    answers = {statement: await sqlstate_of(connection, statement) for statement in WRITES}
    await connection.close()

    assert answers == dict.fromkeys(WRITES, INSUFFICIENT_PRIVILEGE)
    assert await faults(database.worker) == []


async def test_auditor_cannot_post(database: Database, paid_in: tuple[int, int]) -> None:
    url = database.settings.dsn(DatabaseRole.AUDITOR).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(POST, "k", TODAY, NOON, MAKER, CHECKER, "{}", list(paid_in), [1, -1])

    await connection.close()


BAD_CALLS: dict[str, tuple[list[int | None], list[int | None], str]] = {
    "unbalanced": ([1, 2], [5, -4], "LG001"),
    "one leg": ([1], [5], "LG001"),
    "no legs": ([], [], "LG001"),
    "one account twice, balanced in sum": ([1, 1, 2], [5, 5, -10], "LG002"),
    "one account twice, balanced by chance": ([1, 1, 2], [5, 5, -5], "LG002"),
    "zero legs": ([1, 2], [0, 0], "LG002"),
    "more accounts than amounts": ([1, 2], [1], "LG002"),
    "1,001 legs": ([*range(1, 1_002)], [1] * 1_001, "LG002"),
    "above 10^15": ([1, 2], [10**15 + 1, -(10**15) - 1], "LG003"),
    "largest 64-bit integer": ([1, 2], [2**63 - 1, -(2**63) + 1], "LG003"),
    "smallest 64-bit integer": ([1, 2], [-(2**63), -(2**63)], "LG003"),
    "no amount": ([1, 2], [None, -1], "LG003"),
    "no account": ([None, 2], [1, -1], "LG004"),
    "accounts that do not ascend": ([2, 1], [-1, 1], "LG002"),
    "unknown account": ([999, 2], [1, -1], "LG004"),
    "below the floor": ([1, 2], [-101, 101], "LG006"),
}


async def test_function_refuses_what_the_service_would_not_send(
    app: asyncpg.Connection, paid_in: tuple[int, int]
) -> None:
    before = await app.fetchrow(SIZE)

    answers = {
        name: await sqlstate_of(app, POST, "k", TODAY, NOON, MAKER, CHECKER, "{}", account_ids, amounts_fen)
        for name, (account_ids, amounts_fen, _sqlstate) in BAD_CALLS.items()
    }

    assert answers == {name: sqlstate for name, (_account_ids, _amounts_fen, sqlstate) in BAD_CALLS.items()}
    assert await app.fetchrow(SIZE) == before


NO_INTEGERS = {
    "'NaN'::numeric::bigint, -1": "0A000",
    "'Infinity'::float8::bigint, -1": "22003",
    "'NaN'::float8::bigint, -1": "22003",
    "'1e400'::numeric::bigint, -1": "22003",
    "9223372036854775808, -9223372036854775808": "22003",
    "'１００', '-100'": "22P02",
    "'', ''": "22P02",
    "'0.001', '-0.001'": "22P02",
}


async def test_what_is_no_64_bit_integer_cannot_be_posted(app: asyncpg.Connection, paid_in: tuple[int, int]) -> None:
    call = (
        "SELECT ledger.post('main', 'k', 'moved', '2025-06-16', '2025-06-16', gen_random_uuid(), NULL, '{{}}',"
        " ARRAY[1, 2]::bigint[], ARRAY[{values}]::bigint[])"
    )
    before = await app.fetchrow(SIZE)

    answers = {values: await sqlstate_of(app, call.format(values=values)) for values in NO_INTEGERS}

    assert answers == NO_INTEGERS
    assert await app.fetchrow(SIZE) == before


BAD_HEADINGS: list[tuple[int, object]] = [
    (0, ""),
    (0, "k" * 10_000),
    (0, None),
    (1, None),
    (1, TODAY.replace(year=1999)),
    (3, None),
    (4, MAKER),
    (5, '"text"'),
    (5, None),
    (5, '{"loan_id": "' + "x" * 5_000 + '"}'),
]


async def test_function_refuses_a_malformed_heading(app: asyncpg.Connection, paid_in: tuple[int, int]) -> None:
    good: list[object] = ["k", TODAY, NOON, MAKER, CHECKER, "{}", list(paid_in), [1, -1]]
    before = await app.fetchrow(SIZE)

    answers = [
        await sqlstate_of(app, POST, *good[:argument], bad, *good[argument + 1 :]) for argument, bad in BAD_HEADINGS
    ]

    assert set(answers) == {CHECK_VIOLATION, NOT_NULL_VIOLATION}
    assert await app.fetchrow(SIZE) == before


async def test_reversal_cannot_bring_legs_of_its_own(app: asyncpg.Connection, paid_in: tuple[int, int]) -> None:
    call = POST.replace("$8::bigint[])", "$8::bigint[], 1)")

    with pytest.raises(asyncpg.PostgresError) as raised:
        await app.fetch(call, "k", TODAY, NOON, MAKER, CHECKER, "{}", list(paid_in), [1, -1])

    assert raised.value.sqlstate == "LG002"


async def test_account_of_another_platform_is_unknown(app: asyncpg.Connection, paid_in: tuple[int, int]) -> None:
    foreign = await app.fetchval("SELECT ledger.open_account('other', 'cash', 'cash:fund', NULL, NULL, NULL)")

    with pytest.raises(asyncpg.PostgresError) as raised:
        await app.fetch(POST, "k", TODAY, NOON, MAKER, CHECKER, "{}", [paid_in[1], foreign], [-1, 1])

    assert raised.value.sqlstate == "LG004"


# Journal {j} is a new head without legs, journal 1 one that is whole; account 1 holds 100 fen at version 1.
FALSE_ENTRIES = {
    "unbalanced": "({j}, 1, 1, 'cash', 5, 105, 2), ({j}, 2, 2, 'cash', -4, -104, 2)",
    "one leg": "({j}, 1, 1, 'cash', 5, 105, 2)",
    "in another book": "({j}, 1, 1, 'cash', 5, 105, 2), ({j}, 2, 2, 'memo', -5, -105, 2)",
    "without moving the balances": "({j}, 1, 1, 'cash', 5, 105, 2), ({j}, 2, 2, 'cash', -5, -105, 2)",
    "not numbered from one": "({j}, 2, 1, 'cash', 5, 105, 2), ({j}, 3, 2, 'cash', -5, -105, 2)",
    "a version that is taken": "({j}, 1, 1, 'cash', 5, 105, 1), ({j}, 2, 2, 'cash', -5, -105, 1)",
    "zero": "({j}, 1, 1, 'cash', 0, 100, 2), ({j}, 2, 2, 'cash', 0, -100, 2)",
    "accounts that are not there": "({j}, 1, 91, 'cash', 5, 5, 1), ({j}, 2, 92, 'cash', -5, -5, 1)",
    "a journal that is not there": "(99, 1, 1, 'cash', 5, 105, 2), (99, 2, 2, 'cash', -5, -105, 2)",
    "more legs for a whole journal": "(1, 3, 1, 'cash', 5, 105, 2), (1, 4, 2, 'cash', -5, -105, 2)",
    "the same legs for a whole journal": "(1, 1, 1, 'cash', 5, 105, 2), (1, 2, 2, 'cash', -5, -105, 2)",
}


@pytest.mark.parametrize("replication_role", ["origin", "replica"])
async def test_superuser_cannot_slip_in_a_false_journal_without_disabling_triggers(
    database: Database, admin: asyncpg.Connection, paid_in: tuple[int, int], replication_role: str
) -> None:
    await admin.execute(JOURNAL)
    journal_id = await admin.fetchval("SELECT max(id) FROM ledger.journal")
    await admin.execute(f"SET session_replication_role = {replication_role}")

    answers = {
        name: await sqlstate_of(admin, f"INSERT INTO ledger.entry VALUES {entries.format(j=journal_id)}")
        for name, entries in FALSE_ENTRIES.items()
    }

    assert [name for name, sqlstate in answers.items() if sqlstate is None] == []
    assert await faults(database.worker) == [f"I1 journal:{journal_id}"]


CHANGES = {
    "UPDATE ledger.entry SET amount_fen = amount_fen * 2": RESTRICT_VIOLATION,
    "DELETE FROM ledger.entry": RESTRICT_VIOLATION,
    "TRUNCATE ledger.entry CASCADE": RESTRICT_VIOLATION,
    "UPDATE ledger.journal SET effective_on = '2020-01-01'": RESTRICT_VIOLATION,
    "DELETE FROM ledger.journal": RESTRICT_VIOLATION,
    "TRUNCATE ledger.journal CASCADE": RESTRICT_VIOLATION,
    "DELETE FROM ledger.closed_period": RESTRICT_VIOLATION,
    "DELETE FROM ledger.account": RESTRICT_VIOLATION,
    "TRUNCATE ledger.account CASCADE": RESTRICT_VIOLATION,
    "INSERT INTO ledger.account (tenant, book, code, balance_fen, version, is_closed)"
    " VALUES ('main', 'cash', 'x', 5, 0, false)": RESTRICT_VIOLATION,
    "UPDATE ledger.account SET balance_fen = -1 WHERE floor_fen = 0": CHECK_VIOLATION,
    "UPDATE ledger.account SET balance_fen = 2000000000000000 WHERE floor_fen IS NULL": CHECK_VIOLATION,
}


@pytest.mark.parametrize("replication_role", ["origin", "replica"])
async def test_superuser_meets_triggers_and_checks(
    database: Database, admin: asyncpg.Connection, paid_in: tuple[int, int], replication_role: str
) -> None:
    closed = "INSERT INTO ledger.closed_period VALUES ('main', '2020-01-01', $1, $2, $3)"
    await admin.execute(closed, MAKER, CHECKER, NOON)
    await admin.execute(f"SET session_replication_role = {replication_role}")

    answers = {statement: await sqlstate_of(admin, statement) for statement in CHANGES}

    assert answers == CHANGES
    assert await faults(database.worker) == []


async def test_empty_journal_by_a_superuser_is_named(
    database: Database, admin: asyncpg.Connection, paid_in: tuple[int, int]
) -> None:
    await admin.execute(JOURNAL)

    assert await faults(database.worker) == ["I1 journal:2"]


async def test_functions_cannot_be_led_astray_by_the_callers_search_path(
    app: asyncpg.Connection, paid_in: tuple[int, int]
) -> None:
    await app.execute("CREATE TEMP TABLE account AS SELECT 1 AS id")
    await app.execute("SET search_path = pg_temp, public")

    posted = await app.fetchrow(POST, "k", TODAY, NOON, MAKER, CHECKER, "{}", list(paid_in), [1, -1])

    assert posted is not None
    assert posted["is_replayed"] is False


async def test_every_function_of_the_owners_pins_its_search_path_and_is_not_public(admin: asyncpg.Connection) -> None:
    loose = await admin.fetch(
        "SELECT p.oid::regprocedure::text AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname IN ('ledger', 'audit') AND (p.proconfig IS NULL"
        "  OR EXISTS (SELECT 1 FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) WHERE grantee = 0))"
    )

    assert loose == []


async def test_post_through_the_service_after_all_that(database: Database, paid_in: tuple[int, int]) -> None:
    await post_committed(database.app, a_posting("k", (paid_in[0], 1), (paid_in[1], -1)))

    assert await faults(database.worker) == []
