"""Showing profiles on a real database: to the firm itself, and to whom its consent names."""

import json
from datetime import datetime, timedelta

import asyncpg
import pytest
from builders_consents import a_consent
from builders_parties import a_firm, a_lender, a_regulator
from builders_scoring import Town, a_permission, a_town
from conftest import Database
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing
from xinyidai.decisions import service as decisions
from xinyidai.foundation.clock import business_date, start_of_day
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, ValueRefused
from xinyidai.profiles import service
from xinyidai.profiles.models import Profile
from xinyidai.sources import service as sources


@pytest.fixture
async def town(database: Database, noon: datetime) -> Town:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        return await a_town(session, firms=3, now=noon)


async def test_a_firm_sees_every_indicator_with_the_period_and_rows_behind_it(
    database: Database, town: Town, admin: asyncpg.Connection, noon: datetime
) -> None:
    firm = town.firms[0]

    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        shown = await service.own_profile(session, firm, now=noon)

    facts = await admin.fetchrow(
        "SELECT count(*) AS rows, min(issued_on) AS first, max(issued_on) AS last FROM sources.invoice_fact"
        " WHERE firm_id = $1 AND issued_on < $2",
        firm.organisation_id,
        business_date(noon),
    )
    assert (shown.lineage.rows, shown.lineage.first_issued_on, shown.lineage.last_issued_on) == tuple(facts)
    assert shown.as_of == start_of_day(business_date(noon))
    assert len(shown.readings) >= 20
    assert any(reading.value is not None for reading in shown.readings)


async def test_a_firm_without_invoices_has_no_data_and_not_zeros(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)

    async with session.begin_nested():
        await act_as(session, firm, now=noon)
        shown = await service.own_profile(session, firm, now=noon)

    assert {reading.value for reading in shown.readings} == {None}
    assert shown.lineage.rows == 0
    assert shown.lineage.first_issued_on is None


async def test_a_lender_sees_the_profile_only_while_a_consent_names_it(
    database: Database, town: Town, noon: datetime
) -> None:
    firm = town.firms[0]
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        named, stranger = await a_lender(session, now=noon), await a_lender(session, now=noon)
        given = await a_consent(session, firm, receiver_ids=[named.id], now=noon)

    async with in_transaction(database.app) as session:
        await act_as(session, named.maker, now=noon)
        shown = await service.profile_of(session, named.maker, firm.organisation_id, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, stranger.maker, now=noon)
        with pytest.raises(ConsentMissing):
            await service.profile_of(session, stranger.maker, firm.organisation_id, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        await consents.revoke(session, firm, given.id, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, named.maker, now=noon)
        with pytest.raises(ConsentMissing):
            await service.profile_of(session, named.maker, firm.organisation_id, now=noon)

    assert shown.firm_id == firm.organisation_id
    assert shown.lineage.rows > 0


async def test_every_look_leaves_one_audit_row_and_what_was_shown(
    database: Database, town: Town, admin: asyncpg.Connection, noon: datetime
) -> None:
    firm = town.firms[0]
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_lender(session, now=noon)
        given = await a_consent(session, firm, receiver_ids=[bank.id], now=noon)

    for _look in range(2):
        async with in_transaction(database.app) as session:
            await act_as(session, bank.maker, now=noon)
            shown = await service.profile_of(session, bank.maker, firm.organisation_id, now=noon)

    looks = await admin.fetch("SELECT * FROM audit.record WHERE action = 'profiles.shown'")
    assert [(row["subject_ids"], row["organisation_id"], row["consent_ids"]) for row in looks] == [
        ([firm.organisation_id], bank.id, [given.id])
    ] * 2
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        kept = (await session.execute(select(Profile).where(Profile.id == shown.id))).scalar_one()
        values = await service.kept_values(session, kept)
        await decisions.destroy_key(session, None, firm.organisation_id, now=noon)
        gone = await service.kept_values(session, kept)
    assert values is not None
    assert sum(value is not None for value in values.values()) == sum(
        reading.value is not None for reading in shown.readings
    )
    assert gone is None


async def test_kept_values_are_not_in_the_row_in_plain_text(
    database: Database, town: Town, admin: asyncpg.Connection, noon: datetime
) -> None:
    firm = town.firms[0]
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        await service.own_profile(session, firm, now=noon)

    row = json.loads(await admin.fetchval("SELECT row_to_json(p) FROM profiles.profile p"))

    assert b"void_rate" not in bytes.fromhex(row["values_sealed"].removeprefix("\\x"))


async def test_by_raw_sql_only_firm_and_receiver_see_what_was_shown(
    database: Database, town: Town, noon: datetime
) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, town.firms[0], now=noon)
        await service.own_profile(session, town.firms[0], now=noon)

    seen = []
    for viewer in town.firms[:2]:
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            seen.append((await session.execute(text("SELECT count(*) FROM profiles.profile"))).scalar_one())

    assert seen == [1, 0]


async def test_who_is_neither_lender_nor_guarantor_has_no_door_to_a_firms_profile(
    session: AsyncSession, town: Town, noon: datetime
) -> None:
    regulator = await a_regulator(session, now=noon)

    for viewer in (regulator.maker, town.firms[1]):
        with pytest.raises(NotAllowed):
            await service.profile_of(session, viewer, town.firms[0].organisation_id, now=noon)


async def test_nobody_sees_a_profile_as_of_tomorrow(session: AsyncSession, town: Town, noon: datetime) -> None:
    bank = await a_lender(session, now=noon)

    with pytest.raises(ValueRefused, match="as_of"):
        await service.profile_of(
            session, bank.maker, town.firms[0].organisation_id, as_of=noon + timedelta(days=1), now=noon
        )


async def test_what_arrived_later_was_not_known_then(database: Database, town: Town, noon: datetime) -> None:
    later = noon + timedelta(days=1)
    row = f"{town.codes[0]},99999999,out,2025-06-02,P1,100000.00,13000.00,113000.00,valid\n"
    header = "credit_code,invoice_no,direction,issued_on,counterparty,net_yuan,tax_yuan,gross_yuan,status\n"
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=later)
        await sources.receive_csv(session, town.agency.maker, (header + row).encode(), now=later)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=later)
        permission = await a_permission(session, [town.firms[0].organisation_id], now=later)
        then = await service.draw(session, permission, as_of=noon, known_at=noon)
        now_known = await service.draw(session, permission, as_of=noon, known_at=later)

    firm_id = town.firms[0].organisation_id
    assert now_known.lineage_of(firm_id).rows == then.lineage_of(firm_id).rows + 1
    sales = "sales_12m_fen"
    assert now_known.frame.loc[str(firm_id), sales] - then.frame.loc[str(firm_id), sales] == 10_000_000


async def test_indicators_of_many_firms_are_those_of_each_alone(
    session: AsyncSession, town: Town, noon: datetime
) -> None:
    everybody = await service.indicators_as_of(
        session, await a_permission(session, town.firm_ids, now=noon), as_of=noon, known_at=noon
    )

    for firm_id in town.firm_ids:
        alone = await service.indicators_as_of(
            session, await a_permission(session, [firm_id], now=noon), as_of=noon, known_at=noon
        )
        assert alone.equals(everybody.loc[[str(firm_id)]])
