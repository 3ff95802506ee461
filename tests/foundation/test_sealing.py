"""Sealing: what was sealed and is changed, removed or slipped in is named."""

from datetime import datetime

import asyncpg
import pytest
from conftest import Database
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.sealing import Finding, SealState, Stream, chained_root, merkle_root, seal, verify

STREAM = Stream("tests.pebble", "public.sealable_pebble")
TABLE = """
CREATE TABLE public.pebble (id int PRIMARY KEY, colour text, xid xid8 NOT NULL DEFAULT pg_current_xact_id());
CREATE VIEW public.sealable_pebble AS
    SELECT 'pebble:' || id AS ref, xid, sha256(convert_to(id || '|' || colour, 'UTF8')) AS leaf FROM public.pebble;
GRANT SELECT ON public.sealable_pebble TO xinyidai_worker, xinyidai_auditor;
GRANT USAGE ON SCHEMA public TO xinyidai_worker, xinyidai_auditor;
"""


async def lay(admin: asyncpg.Connection, first: int, last: int) -> None:
    await admin.execute(f"INSERT INTO public.pebble SELECT n, 'grey' FROM generate_series({first}, {last}) n")


async def seal_all(database: Database, now: datetime) -> int:
    async with in_transaction(database.worker) as session:
        return (await seal(session, STREAM, now=now)).total()


async def look(database: Database) -> SealState:
    async with in_transaction(database.worker) as session:
        return await verify(session, STREAM)


@pytest.fixture
async def pebbles(database: Database, admin: asyncpg.Connection, noon: datetime) -> asyncpg.Connection:
    await admin.execute(TABLE)
    await lay(admin, 1, 2500)
    await seal_all(database, noon)
    return admin


async def test_untouched_rows_verify(database: Database, pebbles: asyncpg.Connection, noon: datetime) -> None:
    await lay(pebbles, 2501, 2503)

    before = await look(database)
    sealed = await seal_all(database, noon)
    after = await look(database)

    assert (before.sealed, before.unsealed, before.found) == (2500, 3, ())
    assert sealed == 3
    assert (after.sealed, after.unsealed, after.found) == (2503, 0, ())


@pytest.mark.parametrize(
    ("tampering", "ref", "finding"),
    [
        ("UPDATE public.pebble SET colour = 'red' WHERE id = 1234", "pebble:1234", Finding.CHANGED),
        ("DELETE FROM public.pebble WHERE id = 77", "pebble:77", Finding.MISSING),
        (
            "INSERT INTO public.pebble SELECT 0, 'grey', (min(xid::text::bigint) - 1)::text::xid8 FROM public.pebble",
            "pebble:0",
            Finding.INSERTED,
        ),
    ],
)
async def test_a_tampered_row_is_named(
    database: Database, pebbles: asyncpg.Connection, tampering: str, ref: str, finding: Finding
) -> None:
    await pebbles.execute(tampering)

    state = await look(database)

    assert [(one.ref, one.finding) for one in state.found] == [(ref, finding)]


async def test_a_rewritten_block_is_named(database: Database, pebbles: asyncpg.Connection) -> None:
    await pebbles.execute("ALTER TABLE foundation.sealed_block DISABLE TRIGGER ALL")
    await pebbles.execute("UPDATE foundation.sealed_block SET leaves[1] = sha256('forged') WHERE seq = 2")

    state = await look(database)

    assert Finding.BLOCK_ALTERED in {one.finding for one in state.found if one.ref == "block:2"}


async def test_a_removed_block_breaks_the_chain(database: Database, pebbles: asyncpg.Connection) -> None:
    await pebbles.execute("ALTER TABLE foundation.sealed_block DISABLE TRIGGER ALL")
    await pebbles.execute("DELETE FROM foundation.sealed_block WHERE seq = 2")

    state = await look(database)

    assert ("block:3", Finding.CHAIN_BROKEN) in {(one.ref, one.finding) for one in state.found}


async def test_a_row_of_a_transaction_still_open_is_sealed_after_its_commit(
    database: Database, pebbles: asyncpg.Connection, noon: datetime
) -> None:
    late = await asyncpg.connect(database.admin_dsn)
    transaction = late.transaction()
    await transaction.start()
    await lay(late, 5000, 5000)
    await lay(pebbles, 6000, 6000)

    sealed_before = await seal_all(database, noon)
    await transaction.commit()
    sealed_after = await seal_all(database, noon)
    await late.close()

    assert (sealed_before, sealed_after) == (0, 2)
    assert (await look(database)).found == ()


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40), st.data())
def test_any_changed_leaf_changes_the_root(leaves: list[bytes], drawn: st.DataObject) -> None:
    place = drawn.draw(st.integers(0, len(leaves) - 1))
    changed = [*leaves[:place], bytes(byte ^ 1 for byte in leaves[place]), *leaves[place + 1 :]]

    assert merkle_root(leaves) != merkle_root(changed)
    assert chained_root(leaves, b"a" * 32) != chained_root(leaves, b"b" * 32)
