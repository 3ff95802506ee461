"""What may be collected, on which day."""

from datetime import date, datetime, timedelta

import asyncpg
import pytest
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.catalogue import queries
from xinyidai.catalogue.rules import AccessClass, ItemNotListed, Topology
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


async def test_a_new_version_closes_the_one_before_at_midnight_in_shanghai(
    session: AsyncSession, database: Database, noon: datetime
) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    await admin.execute("UPDATE catalogue.item SET valid_to = $1 WHERE code = 'loan_outcome'", TODAY)
    await admin.execute(
        "INSERT INTO catalogue.item SELECT code, 2, name_zh, name_en, owner_zh, owner_en, 'forbidden', legal_basis,"
        " is_basis_verified, topology, retention_days, valid_to, NULL FROM catalogue.item WHERE code = 'loan_outcome'"
    )
    await admin.close()

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
