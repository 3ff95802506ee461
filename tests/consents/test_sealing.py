"""What was agreed to is sealed: an altered consent, a revocation undone and a withdrawal removed are each named."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from builders_consents import a_consent
from builders_parties import a_firm
from conftest import Database

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.cli.checking import seal_everything, verify_everything
from xinyidai.consents import service
from xinyidai.consents.models import ACTS
from xinyidai.foundation.database import in_transaction, make_engine, make_sessions
from xinyidai.foundation.migrating import migrate
from xinyidai.foundation.sealing import SealState, verify
from xinyidai.foundation.settings import DatabaseRole


@dataclass(frozen=True)
class Sealed:
    """Three consents of a firm, sealed: one untouched, one revoked, one of which an item was taken back."""

    firm: Viewer
    untouched: UUID
    revoked: UUID
    narrowed: UUID


@pytest.fixture
async def sealed(database: Database, noon: datetime) -> Sealed:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
        given = [
            await a_consent(session, firm, item_codes=["electricity", "gas", "vat_invoice"], now=noon)
            for _number in range(3)
        ]
    found = Sealed(firm, *(view.id for view in given))
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await service.revoke(session, firm, found.revoked, now=noon + timedelta(hours=1))
        await service.withdraw_item(session, firm, found.narrowed, "gas", now=noon + timedelta(hours=1))
    await seal_everything(database.worker, now=noon)
    return found


async def state_of(database: Database, noon: datetime) -> SealState:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        return await verify(session, ACTS)


async def found_by_verify(database: Database) -> list[tuple[str, str, str]]:
    """Return what the command finds anywhere, with the auditor's rights."""
    engine = make_engine(database.settings.dsn(DatabaseRole.AUDITOR))
    verified = await verify_everything(make_sessions(engine))
    await engine.dispose()
    return [(one.stream, one.ref, one.finding.value) for one in verified.found]


async def tamper(admin: asyncpg.Connection, statement: str, *sent: object) -> None:
    """Do as a superuser who switches the guards off and on again."""
    async with admin.transaction():
        for table in ("consent", "item_withdrawal"):
            await admin.execute(f"ALTER TABLE consents.{table} DISABLE TRIGGER ALL")
        await admin.execute(statement, *sent)


async def test_what_nobody_touched_is_as_it_was_sealed(database: Database, sealed: Sealed, noon: datetime) -> None:
    state = await state_of(database, noon)

    assert (state.sealed, state.unsealed, state.found) == (5, 0, ())
    assert await found_by_verify(database) == []


ALTERED = [
    "subject_id = granted_by",
    "subject_kind = 'sole_trader'",
    "purpose = 'evaluation'",
    "item_codes = ARRAY['cash_flow']",
    "receiver_ids = ARRAY[granted_by]",
    "granted_by = subject_id",
    "granted_at = granted_at - interval '1 year'",
    "expires_at = expires_at + interval '1 year'",
    "data_life_days = 3660",
    "text_version = '2024-01'",
    "text_digest = sha256(text_digest)",
]


@pytest.mark.parametrize("change", ALTERED)
async def test_an_altered_consent_is_named_and_nothing_else(
    database: Database, admin: asyncpg.Connection, sealed: Sealed, change: str
) -> None:
    await tamper(admin, f"UPDATE consents.consent SET {change} WHERE id = $1", sealed.untouched)

    assert await found_by_verify(database) == [("consents.act", f"consent:{sealed.untouched}", "changed")]


TAMPERINGS = [
    (
        "UPDATE consents.consent SET state = 'active', revoked_at = NULL, revoked_by = NULL WHERE state = 'revoked'",
        "revocation:{revoked}",
        "missing",
    ),
    (
        "UPDATE consents.consent SET revoked_at = revoked_at + interval '1 day' WHERE state = 'revoked'",
        "revocation:{revoked}",
        "changed",
    ),
    (
        "UPDATE consents.consent SET state = 'revoked', revoked_at = granted_at WHERE id = '{untouched}'",
        "revocation:{untouched}",
        "inserted",
    ),
    ("DELETE FROM consents.item_withdrawal", "withdrawal:{narrowed}/gas", "missing"),
    (
        "INSERT INTO consents.item_withdrawal SELECT consent_id, 'electricity', withdrawn_at, withdrawn_by, '1'"
        " FROM consents.item_withdrawal",
        "withdrawal:{narrowed}/electricity",
        "inserted",
    ),
    ("DELETE FROM consents.consent WHERE id = '{untouched}'", "consent:{untouched}", "missing"),
]


@pytest.mark.parametrize(("statement", "ref", "finding"), TAMPERINGS)
async def test_a_revocation_or_withdrawal_undone_or_slipped_in_is_named(
    database: Database, admin: asyncpg.Connection, sealed: Sealed, statement: str, ref: str, finding: str
) -> None:
    ids = {"untouched": sealed.untouched, "revoked": sealed.revoked, "narrowed": sealed.narrowed}

    await tamper(admin, statement.format(**ids))

    assert await found_by_verify(database) == [("consents.act", ref.format(**ids), finding)]


async def test_which_transaction_acted_is_the_databases_word(
    database: Database, admin: asyncpg.Connection, sealed: Sealed
) -> None:
    await admin.execute(
        "INSERT INTO consents.consent SELECT gen_random_uuid(), subject_id, subject_kind, purpose, item_codes,"
        " receiver_ids, granted_by, granted_at, expires_at, text_version, text_digest, 'active', NULL, NULL, NULL, '7',"
        " '7' FROM consents.consent WHERE id = $1",
        sealed.untouched,
    )
    with pytest.raises(asyncpg.RestrictViolationError):
        await admin.execute(
            "UPDATE consents.consent SET state = 'revoked', revoked_at = granted_at, revoked_xid = '7' WHERE id = $1",
            sealed.untouched,
        )

    written = await admin.fetch("SELECT xid::text, revoked_xid::text FROM consents.consent WHERE state = 'active'")
    assert all(int(row["xid"]) > 7 and row["revoked_xid"] is None for row in written)


async def test_acts_from_before_the_seal_are_sealed_from_then_on(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
        given = [await a_consent(session, firm, now=noon) for _number in range(2)]
        await service.revoke(session, firm, given[0].id, now=noon)
    await migrate(database.settings.dsn(DatabaseRole.MIGRATE), to="0103")
    await migrate(database.settings.dsn(DatabaseRole.MIGRATE))

    await seal_everything(database.worker, now=noon)
    before = await found_by_verify(database)
    await tamper(admin, "UPDATE consents.consent SET purpose = 'evaluation' WHERE id = $1", given[0].id)

    assert before == []
    assert await found_by_verify(database) == [("consents.act", f"consent:{given[0].id}", "changed")]
