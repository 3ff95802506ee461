"""What may be collected, on which day."""

from datetime import date, datetime, timedelta

import asyncpg
import pytest
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.catalogue import queries
from xinyidai.catalogue.rules import (
    OFFICIAL_CLASSES,
    AccessClass,
    Category,
    FieldKind,
    ItemForbidden,
    ItemNotListed,
    Topology,
    requires_usable,
)
from xinyidai.foundation.database import in_transaction

TODAY = date(2025, 6, 16)


async def test_invoices_are_held_here_on_consent_and_their_legal_basis_is_marked_unverified(
    session: AsyncSession,
) -> None:
    item = await queries.item(session, "vat_invoice", TODAY)

    assert (item.access_class, item.topology) == (AccessClass.ON_CONSENT, Topology.HELD_COPY)
    assert item.needs_consent
    assert not item.is_basis_verified


async def test_registration_is_open(session: AsyncSession) -> None:
    item = await queries.item(session, "registration", TODAY)

    assert not item.needs_consent


@pytest.mark.parametrize(
    ("code", "on"), [("bank_flow", TODAY), ("vat_invoice", date(2015, 12, 31)), ("VAT_INVOICE", TODAY)]
)
async def test_what_is_not_listed_that_day_is_refused(session: AsyncSession, code: str, on: date) -> None:
    with pytest.raises(ItemNotListed):
        await queries.item(session, code, on)


async def test_a_new_version_closes_the_one_before_at_midnight_in_shanghai(database: Database, noon: datetime) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    await admin.execute("UPDATE catalogue.item SET valid_to = $1 WHERE code = 'loan_outcome'", TODAY)
    await admin.execute(
        "INSERT INTO catalogue.item SELECT code, 2, name_zh, name_en, owner_zh, owner_en, 'forbidden', legal_basis,"
        " is_basis_verified, topology, retention_days, valid_to, NULL FROM catalogue.item WHERE code = 'loan_outcome'"
    )
    await admin.close()

    async with in_transaction(database.app) as session:
        await act_as_platform(session, now=noon)
        before = await queries.item(session, "loan_outcome", TODAY - timedelta(days=1))
        after = await queries.item(session, "loan_outcome", TODAY)

    assert (before.version, after.version) == (1, 2)
    assert after.access_class is AccessClass.FORBIDDEN


async def test_the_web_cannot_write_the_catalogue(database: Database) -> None:
    async def relax() -> None:
        async with in_transaction(database.app) as session:
            await session.execute(text("UPDATE catalogue.item SET access_class = 'open'"))

    with pytest.raises(ProgrammingError, match="permission denied"):
        await relax()


async def test_every_item_has_a_standard_and_what_may_be_read_has_fields(session: AsyncSession) -> None:
    listed = {one.code for one in await queries.items(session, TODAY)}
    standards = {one.item.code: one for one in await queries.standards(session, TODAY)}
    without_fields = {code for code, one in standards.items() if not one.fields}

    assert set(standards) == listed
    assert {one.category for one in standards.values()} == set(Category)
    assert {one.official_class for one in standards.values()} - {None} <= set(OFFICIAL_CLASSES)
    assert without_fields == {"person_belief_and_body"}


async def test_measured_fields_name_the_unit_that_they_are_counted_in(session: AsyncSession) -> None:
    fields = [field for one in await queries.standards(session, TODAY) for field in one.fields]
    ends = {field.code.rpartition("_")[2] for field in fields if field.kind is FieldKind.AMOUNT}

    assert ends == {"fen"}
    assert all(
        field.code.endswith(f"_{str(field.unit).lower()}") for field in fields if field.kind is FieldKind.QUANTITY
    )


async def test_no_field_is_more_open_than_the_item_unless_it_is_public(session: AsyncSession) -> None:
    strict = [AccessClass.OPEN, AccessClass.ON_CONSENT, AccessClass.SENSITIVE, AccessClass.FORBIDDEN]
    looser = {
        f"{one.item.code}.{field.code}"
        for one in await queries.standards(session, TODAY)
        for field in one.fields
        if strict.index(field.access_class) < strict.index(one.item.access_class)
    }

    assert looser == {
        "annual_report.staff",
        "annual_report.year",
        "import_export.customs_grade",
        "science_technology.recognition",
        "science_technology.valid_until_on",
    }


async def test_tax_filings_are_held_here_and_pass_through_elsewhere(session: AsyncSession) -> None:
    (filing,) = [one for one in await queries.standards(session, TODAY) if one.item.code == "tax_filing"]
    (water,) = [one for one in await queries.standards(session, TODAY) if one.item.code == "water"]

    assert [filing.topology_in(province) for province in ("50", "51")] == [Topology.HELD_COPY, Topology.PASS_THROUGH]
    assert water.topology_in("51") is Topology.HELD_COPY


async def test_what_nobody_may_collect_is_listed_and_refused(session: AsyncSession) -> None:
    item = await queries.item(session, "person_belief_and_body", TODAY)

    with pytest.raises(ItemForbidden):
        requires_usable(item)
