"""Tampering by a superuser who disables triggers: sealing names the row, the books name what no longer adds up."""

import asyncpg
import pytest
from builders_ledger import NOON, a_posting, an_account, faults, post_committed
from conftest import Database

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.sealing import Found, SealState, seal, verify
from xinyidai.ledger import service
from xinyidai.ledger.models import ENTRIES, JOURNALS
from xinyidai.ledger.rules import Book


@pytest.fixture
async def sealed(database: Database) -> list[int]:
    """Post twelve journals of four legs, in two books, and seal them."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        accounts = [await an_account(session, f"cash:{n}") for n in range(2)]
        accounts += [await an_account(session, f"memo:{n}", book=Book.MEMO) for n in range(2)]
    first, second, third, fourth = accounts
    posted = [
        await post_committed(
            database.app, a_posting(f"k{n}", (first, n), (second, -n), (third, 2 * n), (fourth, -2 * n))
        )
        for n in range(1, 13)
    ]
    await seal_all(database)
    return [one.journal_id for one in posted]


async def seal_all(database: Database) -> None:
    """Seal what has committed."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        await seal(session, JOURNALS, ENTRIES, now=NOON)


async def verify_all(database: Database) -> list[SealState]:
    """Verify both streams."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        return [await verify(session, stream) for stream in (JOURNALS, ENTRIES)]


async def found(database: Database) -> list[Found]:
    """Return what both streams' verification found."""
    return [one for state in await verify_all(database) for one in state.found]


async def tamper(admin: asyncpg.Connection, statement: str, *sent: object) -> None:
    """Change the books as a superuser who disables the triggers of the ledger's tables."""
    tables = ("account", "journal", "entry")
    async with admin.transaction():
        for table in tables:
            await admin.execute(f"ALTER TABLE ledger.{table} DISABLE TRIGGER ALL")
        await admin.execute(statement, *sent)
        for table in tables:
            await admin.execute(f"ALTER TABLE ledger.{table} ENABLE TRIGGER ALL")


async def test_untouched_books_verify(database: Database, sealed: list[int]) -> None:
    states = await verify_all(database)

    assert [(state.sealed, state.unsealed, state.found) for state in states] == [(12, 0, ()), (48, 0, ())]


async def test_one_edited_entry_is_named_and_nothing_else(
    database: Database, admin: asyncpg.Connection, sealed: list[int]
) -> None:
    await tamper(
        admin, "UPDATE ledger.entry SET amount_fen = amount_fen + 1 WHERE journal_id = $1 AND leg = 2", sealed[4]
    )

    assert await found(database) == [Found("ledger.entry", f"journal:{sealed[4]}/leg:2", "changed")]
    assert await faults(database.worker) == [
        f"I1 journal:{sealed[4]}",
        "I3 account:2",
        f"I3 journal:{sealed[4]}/leg:2",
    ]


async def test_edit_that_keeps_the_books_whole_is_still_named(
    database: Database, admin: asyncpg.Connection, sealed: list[int]
) -> None:
    await tamper(admin, 'UPDATE ledger.journal SET subject = \'{"loan_id": "loan-2"}\' WHERE id = $1', sealed[4])

    assert await faults(database.worker) == []
    assert await found(database) == [Found("ledger.journal", f"journal:{sealed[4]}", "changed")]


JOURNAL_EDITS = [
    "tenant = 'other'",
    "idem_key = 'another'",
    "req_hash = decode(repeat('11', 32), 'hex')",
    "kind = 'other'",
    "effective_on = effective_on + 1",
    "recorded_at = recorded_at + interval '1 microsecond'",
    "maker_id = gen_random_uuid()",
    "checker_id = NULL",
    "reversal_of = 1",
    "xid = '3'",
]
ENTRY_EDITS = ["account_id = 2, account_version = 99", "book = 'memo'", "amount_fen = 77", "balance_after_fen = 0"]


async def test_every_column_of_a_journal_is_sealed(
    database: Database, admin: asyncpg.Connection, sealed: list[int]
) -> None:
    edited = sealed[: len(JOURNAL_EDITS)]
    for journal_id, edit in zip(edited, JOURNAL_EDITS, strict=True):
        await tamper(admin, f"UPDATE ledger.journal SET {edit} WHERE id = $1", journal_id)

    assert {one.ref for one in await found(database)} == {f"journal:{journal_id}" for journal_id in edited}


async def test_every_column_of_an_entry_is_sealed(
    database: Database, admin: asyncpg.Connection, sealed: list[int]
) -> None:
    edited = sealed[: len(ENTRY_EDITS)]
    for journal_id, edit in zip(edited, ENTRY_EDITS, strict=True):
        await tamper(admin, f"UPDATE ledger.entry SET {edit} WHERE journal_id = $1 AND leg = 1", journal_id)

    assert {one.ref for one in await found(database)} == {f"journal:{journal_id}/leg:1" for journal_id in edited}


async def test_deleted_entry_is_named(database: Database, admin: asyncpg.Connection, sealed: list[int]) -> None:
    await tamper(admin, "DELETE FROM ledger.entry WHERE journal_id = $1 AND leg = 3", sealed[0])

    assert await found(database) == [Found("ledger.entry", f"journal:{sealed[0]}/leg:3", "missing")]


async def test_deleted_journal_is_named_alone(database: Database, admin: asyncpg.Connection, sealed: list[int]) -> None:
    await tamper(admin, "DELETE FROM ledger.journal WHERE id = $1", sealed[11])

    assert await found(database) == [Found("ledger.journal", f"journal:{sealed[11]}", "missing")]
    assert f"I1 journal:{sealed[11]}/leg:1" in await faults(database.worker)


async def test_journal_slipped_in_behind_the_seals_is_named(
    database: Database, admin: asyncpg.Connection, sealed: list[int]
) -> None:
    await tamper(
        admin,
        "INSERT INTO ledger.journal"
        " (tenant, idem_key, req_hash, kind, effective_on, recorded_at, maker_id, subject, xid)"
        " SELECT tenant, 'slipped in', req_hash, kind, effective_on, recorded_at, maker_id, subject, xid"
        " FROM ledger.journal WHERE id = $1",
        sealed[3],
    )

    (only,) = await found(database)
    assert (only.stream, only.finding) == ("ledger.journal", "inserted")


async def test_journal_written_by_hand_after_the_seals_is_a_fault_of_the_books(
    database: Database, admin: asyncpg.Connection, sealed: list[int]
) -> None:
    await tamper(admin, "INSERT INTO ledger.entry VALUES ($1, 5, 1, 'cash', 5, 105, 13)", sealed[3])

    assert {f"I1 journal:{sealed[3]}", "I3 account:1"} <= set(await faults(database.worker))


async def test_edited_balance_is_named(database: Database, admin: asyncpg.Connection, sealed: list[int]) -> None:
    await tamper(admin, "UPDATE ledger.account SET balance_fen = balance_fen + 100 WHERE id = 1")

    assert await faults(database.worker) == ["I2 book:cash", "I3 account:1"]


async def test_journal_in_flight_is_sealed_later_and_not_skipped(database: Database, sealed: list[int]) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        slow = [await an_account(session, f"slow:{n}") for n in range(2)]
        swift = [await an_account(session, f"swift:{n}") for n in range(2)]

    async with in_transaction(database.app) as session:
        await service.post(session, a_posting("slow", (slow[0], 1), (slow[1], -1)), now=NOON)
        await post_committed(database.app, a_posting("swift", (swift[0], 1), (swift[1], -1)))
        await seal_all(database)
    await seal_all(database)

    states = await verify_all(database)
    assert [(state.sealed, state.unsealed, state.found) for state in states] == [(14, 0, ()), (52, 0, ())]
