"""What the database itself lets anybody see of a firm's invoices."""

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from builders_consents import a_consent
from builders_parties import a_credit_code, a_firm, a_lender
from builders_sources import a_csv, an_agency, rows_of
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform, platform_scope
from xinyidai.consents import queries as consent_queries
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentId, ConsentMissing, Permission, Purpose
from xinyidai.foundation.database import in_transaction
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources import queries, service

COUNT = text("SELECT count(*) FROM sources.invoice_fact")


class Setting:
    """Two firms with three invoices each, and a bank that the first one named."""

    firm: Viewer
    rival: Viewer
    bank: Viewer
    consent_id: ConsentId


@pytest.fixture
async def setting(database: Database, tmp_path: Path, noon: datetime) -> Setting:
    found = Setting()
    codes = [a_credit_code(), a_credit_code()]
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        agency = await an_agency(session, now=noon)
        found.bank = (await a_lender(session, now=noon)).maker
        found.firm, found.rival = [await a_firm(session, credit_code=code, now=noon) for code in codes]
        await a_consent(session, found.firm, now=noon)
        await a_consent(session, found.rival, now=noon)
        view = await a_consent(session, found.firm, receiver_ids=[found.bank.organisation_id], now=noon)
        found.consent_id = view.id
    path = a_csv(tmp_path, [row for code in codes for row in rows_of(code, 3)])
    await service.receive_file(database.worker, agency, path, now=noon)
    return found


async def ask(session: AsyncSession, receiver_id: UUID, *subjects: Viewer, now: datetime) -> Permission:
    return await consents.require(
        session,
        receiver_id=receiver_id,
        subject_ids=[subject.organisation_id for subject in subjects],
        purpose=Purpose.PRE_LOAN,
        item_codes=["vat_invoice"],
        now=now,
    )


async def test_each_firm_sees_its_own_and_everybody_else_sees_nothing_unasked(
    database: Database, setting: Setting, noon: datetime
) -> None:
    counts = []
    for viewer in (setting.firm, setting.rival, setting.bank):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            counts.append((await session.execute(COUNT)).scalar_one())

    assert counts == [3, 3, 0]


async def test_platform_scope_alone_opens_no_fact(database: Database, setting: Setting, noon: datetime) -> None:
    counts = []
    for sessions in (database.app, database.worker):
        async with in_transaction(sessions) as session:
            counts.append((await session.execute(COUNT)).scalar_one())
            await act_as_platform(session, now=noon)
            counts.append((await session.execute(COUNT)).scalar_one())

    assert counts == [0, 0, 0, 0]


async def test_a_permission_opens_its_subjects_and_no_more(
    database: Database, setting: Setting, noon: datetime
) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, setting.bank, now=noon)
        permission = await ask(session, setting.bank.organisation_id, setting.firm, now=noon)
        read = await queries.invoices(session, permission, before=noon, known_at=noon)
        counted = (await session.execute(COUNT)).scalar_one()

    assert len(read) == counted == 3
    assert read.firms == [str(setting.firm.organisation_id)]


async def test_one_subject_too_many_reads_nothing(database: Database, setting: Setting, noon: datetime) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, setting.bank, now=noon)
        with pytest.raises(ConsentMissing):
            await ask(session, setting.bank.organisation_id, setting.firm, setting.rival, now=noon)
        counted = (await session.execute(COUNT)).scalar_one()

    assert counted == 0


async def test_code_that_forges_a_permission_still_reads_nothing(
    database: Database, setting: Setting, noon: datetime
) -> None:
    forged = Permission(
        frozenset({setting.rival.organisation_id}),
        (setting.consent_id,),
        Purpose.PRE_LOAN,
        setting.bank.organisation_id,
        ("vat_invoice",),
        noon,
    )
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await consent_queries.present(session, forged)
        counted = (await session.execute(COUNT)).scalar_one()
        with pytest.raises(ConsentMissing):
            await queries.invoices(session, forged, before=noon, known_at=noon)

    assert counted == 0


async def test_a_permission_for_another_item_opens_no_invoice(
    database: Database, setting: Setting, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        permission = await consents.require(
            session,
            receiver_id=PLATFORM_ID,
            subject_ids=[setting.firm.organisation_id],
            purpose=Purpose.PRE_LOAN,
            item_codes=["registration"],
            now=noon,
        )
        with pytest.raises(ConsentMissing):
            await queries.invoices(session, permission, before=noon, known_at=noon)
        with pytest.raises(ConsentMissing):
            await queries.has_newer(session, permission, known_at=noon)


async def test_after_revocation_the_very_next_read_is_refused_even_with_a_permission_in_hand(
    database: Database, setting: Setting, noon: datetime
) -> None:
    async with in_transaction(database.app) as reading:
        await act_as(reading, setting.bank, now=noon)
        permission = await ask(reading, setting.bank.organisation_id, setting.firm, now=noon)
        before = await queries.invoices(reading, permission, before=noon, known_at=noon)
        async with in_transaction(database.app) as revoking:
            await act_as(revoking, setting.firm, now=noon)
            await consents.revoke(revoking, setting.firm, setting.consent_id, now=noon)
        after = (await reading.execute(COUNT)).scalar_one()
        with pytest.raises(ConsentMissing):
            await queries.invoices(reading, permission, before=noon, known_at=noon)
        with pytest.raises(ConsentMissing):
            await queries.has_newer(reading, permission, known_at=noon)

    assert (len(before), after) == (3, 0)


async def test_after_an_item_was_taken_back_the_very_next_read_of_it_is_refused(
    database: Database, setting: Setting, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await consents.revoke(session, setting.firm, setting.consent_id, now=noon)
        wide = await a_consent(
            session,
            setting.firm,
            item_codes=["vat_invoice", "electricity"],
            receiver_ids=[setting.bank.organisation_id],
            now=noon,
        )

    async with in_transaction(database.app) as reading:
        await act_as(reading, setting.bank, now=noon)
        permission = await ask(reading, setting.bank.organisation_id, setting.firm, now=noon)
        before = await queries.invoices(reading, permission, before=noon, known_at=noon)
        async with in_transaction(database.app) as withdrawing:
            await act_as(withdrawing, setting.firm, now=noon)
            await consents.withdraw_item(withdrawing, setting.firm, wide.id, "vat_invoice", now=noon)
        after = (await reading.execute(COUNT)).scalar_one()
        with pytest.raises(ConsentMissing):
            await queries.invoices(reading, permission, before=noon, known_at=noon)

    assert (len(before), after) == (3, 0)


async def test_a_consent_that_ended_opens_nothing(database: Database, setting: Setting, noon: datetime) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, setting.bank, now=noon)
        permission = await ask(session, setting.bank.organisation_id, setting.firm, now=noon)
        await act_as(session, setting.bank, now=noon + timedelta(days=90))
        with pytest.raises(ConsentMissing):
            await queries.invoices(session, permission, before=noon, known_at=noon)


async def test_nobody_but_the_platform_writes_a_fact(database: Database, setting: Setting, noon: datetime) -> None:
    async def slip_in() -> None:
        async with in_transaction(database.app) as session:
            await act_as(session, setting.firm, now=noon)
            await session.execute(
                text(
                    "INSERT INTO sources.invoice_fact SELECT firm_id, delivery_no, 99, issued_on, net_fen, tax_fen,"
                    " gross_fen, recorded_at, superseded_at, direction, flags, is_void, invoice_no, counterparty"
                    " FROM sources.invoice_fact LIMIT 1"
                )
            )

    with pytest.raises(DBAPIError, match="row-level security"):
        await slip_in()


async def test_a_firm_cannot_close_its_own_fact(database: Database, setting: Setting, noon: datetime) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, setting.firm, now=noon)
        closed = await session.execute(text("UPDATE sources.invoice_fact SET superseded_at = recorded_at"))

    assert closed.rowcount == 0


FORBIDDEN_TO_ROLES = [
    "UPDATE sources.invoice_fact SET net_fen = net_fen + 1",
    "UPDATE sources.invoice_fact SET superseded_at = recorded_at, net_fen = 1",
    "DELETE FROM sources.invoice_fact",
    "DELETE FROM sources.delivery",
    "UPDATE sources.rejected_row SET content = ''",
]


async def test_the_roles_of_web_and_worker_may_not_rewrite_history(
    database: Database, setting: Setting, noon: datetime
) -> None:
    async def rewrite(change: str) -> None:
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=noon)
            await session.execute(text(change))

    for change in FORBIDDEN_TO_ROLES:
        with pytest.raises(DBAPIError, match="permission denied"):
            await rewrite(change)


STOPPED_BY_TRIGGERS = [
    "UPDATE sources.invoice_fact SET net_fen = net_fen + 1",
    "UPDATE sources.invoice_fact SET superseded_at = recorded_at, net_fen = 1",
    "DELETE FROM sources.invoice_fact",
    "DELETE FROM sources.fact_seal",
    "TRUNCATE sources.invoice_fact CASCADE",
]


async def test_triggers_stop_even_a_superuser_until_they_are_taken_off(
    database: Database, setting: Setting, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await service.seal_facts(session, now=noon)
    await admin.execute("SET session_replication_role = replica")

    for change in STOPPED_BY_TRIGGERS:
        with pytest.raises(asyncpg.RestrictViolationError):
            await admin.execute(change)


async def test_platform_scope_within_a_viewers_act_opens_no_foreign_fact(
    database: Database, setting: Setting, noon: datetime
) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, setting.bank, now=noon)
        async with platform_scope(session):
            counted = (await session.execute(COUNT)).scalar_one()

    assert counted == 0
