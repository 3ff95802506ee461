"""A post-loan consent taken back while a loan runs: lender and fund are told, and what was lent on is held."""

from datetime import datetime, timedelta
from pathlib import Path

from builders_consents import a_consent
from builders_loans import Lent, a_loan
from builders_parties import a_credit_code, a_firm
from builders_sources import a_csv, an_agency, rows_of
from conftest import Database

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Purpose
from xinyidai.foundation import outbox
from xinyidai.foundation.database import in_transaction
from xinyidai.loans import queries
from xinyidai.sources import service as sources
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.rules.keeping import KeptFor
from xinyidai.worker import load_rooms

load_rooms()


async def told(database: Database, viewer: Viewer, *, now: datetime) -> list[tuple[str, str]]:
    """Return what a viewer is told, as loan and item."""
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=now)
        return [(str(one.loan_id), one.item_code) for one in await queries.ended_consents(session, viewer)]


async def test_lender_and_fund_are_told_once_and_nobody_else_is(database: Database, noon: datetime) -> None:
    later = noon + timedelta(days=2)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent, other = await a_loan(session, now=noon), await a_loan(session, now=noon)
        given = await a_consent(
            session, lent.firm, purpose=Purpose.POST_LOAN, item_codes=("vat_invoice", "electricity"), now=noon
        )
        before = await a_consent(session, lent.firm, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, lent.firm, now=later)
        await consents.revoke(session, lent.firm, before.id, now=later)
        await consents.withdraw_item(session, lent.firm, given.id, "electricity", now=later)
        await consents.revoke(session, lent.firm, given.id, now=later)

    await outbox.drain(database.worker, now=later)
    await outbox.drain(database.worker, now=later)

    expected = sorted([(str(lent.id), ""), (str(lent.id), "electricity")])
    assert sorted(await told(database, lent.line.lender.maker, now=later)) == expected
    assert sorted(await told(database, lent.line.fund.maker, now=later)) == expected
    assert await told(database, other.line.lender.maker, now=later) == []
    assert await told(database, other.line.fund.maker, now=later) == []


async def test_one_lenders_consent_is_told_to_that_lender_alone(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
        first, second = await a_loan(session, firm=firm, now=noon), await a_loan(session, firm=firm, now=noon)
        given = await a_consent(session, firm, purpose=Purpose.POST_LOAN, receiver_ids=[first.loan.lender_id], now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        await consents.revoke(session, firm, given.id, now=noon)

    await outbox.drain(database.worker, now=noon)

    assert await told(database, first.line.lender.maker, now=noon) == [(str(first.id), "")]
    assert await told(database, second.line.lender.maker, now=noon) == []


async def test_facts_that_a_running_loan_was_lent_on_outlive_their_data_life(
    database: Database, tmp_path: Path, noon: datetime
) -> None:
    code = a_credit_code()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        agency, firm = await an_agency(session, now=noon), await a_firm(session, credit_code=code, now=noon)
        await a_consent(session, firm, days=10, data_life_days=20, now=noon)
    path = a_csv(tmp_path, rows_of(code, 3))
    await sources.receive_file(database.worker, agency, path, kind=DeliveryKind.VAT_INVOICE, now=noon)
    lent = await _lent(database, firm, now=noon + timedelta(days=1))
    over = noon + timedelta(days=40)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=over)
        await sources.seal_facts(session, now=over)
        report = await sources.purge_due(session, now=over)

    assert (lent.loan.firm_id, report.facts, report.stays) == (firm.organisation_id, 0, {KeptFor.LOAN: 3})


async def _lent(database: Database, firm: Viewer, *, now: datetime) -> Lent:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        return await a_loan(session, firm=firm, now=now)
