"""Judging firms over their rows and sources, and senders by their silence."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from builders_consents import a_consent
from builders_parties import a_credit_code, a_firm
from builders_quality import Office, Row, an_office, electricity
from builders_sources import a_row
from conftest import Database

from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import queries as consent_queries
from xinyidai.consents import service as consents
from xinyidai.foundation import outbox
from xinyidai.foundation.database import in_transaction
from xinyidai.quality import service
from xinyidai.quality.service import linking
from xinyidai.worker import load_rooms

load_rooms()


@pytest.fixture
async def office(database: Database, tmp_path: Path, noon: datetime) -> Office:
    return await an_office(database, tmp_path, noon=noon)


def filing(month: str, sales_yuan: str) -> Row:
    return {
        "month": month,
        "tax_kind": "vat",
        "declared_sales_yuan": sales_yuan,
        "paid_yuan": "3000.00",
        "filed_on": f"{month[:5]}{int(month[5:]) + 1:02d}-10",
    }


def invoice(office: Office, net_yuan: str) -> Row:
    gross = f"{float(net_yuan) * 1.13:.2f}"
    tax = f"{float(net_yuan) * 0.13:.2f}"
    return a_row(
        office.code, issued_on="2023-03-05", net_yuan=net_yuan, tax_yuan=tax, gross_yuan=gross, status="有效发票"
    )


async def test_declared_sales_under_the_invoices_are_found_whichever_comes_first(office: Office) -> None:
    await office.deliver("tax_filing", [filing("2023-03", "30000.00"), filing("2023-04", "30000.00")])
    await office.link()
    before = await office.found()
    await office.deliver("vat_invoice", [invoice(office, "100000.00")])
    linked = await office.link()

    assert (before, linked) == ([], 1)
    assert await office.found() == [(1, 1, "tax_filing.sales_against_invoices", "open")]


async def test_a_nil_return_is_found_where_sales_were_invoiced_and_nowhere_else(office: Office) -> None:
    nil = filing("2023-03", "0.00") | {"paid_yuan": "0.00"}
    await office.deliver("tax_filing", [nil, nil | {"month": "2023-02", "filed_on": "2023-03-10"}])
    await office.link()
    before = await office.found()
    await office.deliver("vat_invoice", [invoice(office, "6000.00")])
    await office.link()

    assert before == []
    assert await office.found() == [(1, 1, "tax_filing.nil_return", "open")]


async def test_void_invoices_count_in_no_month(office: Office) -> None:
    await office.deliver("tax_filing", [filing("2023-03", "30000.00")])
    await office.deliver("vat_invoice", [invoice(office, "100000.00") | {"status": "作废发票"}])
    await office.link()

    assert await office.found() == []


async def test_a_finding_between_sources_closes_when_either_is_corrected(office: Office) -> None:
    await office.deliver("tax_filing", [filing("2023-03", "30000.00")])
    await office.deliver("vat_invoice", [invoice(office, "100000.00")])
    await office.link()
    await office.deliver("correction", [invoice(office, "30000.00")], after_hours=1)
    await office.link(after_hours=1)

    assert await office.found() == [(1, 1, "tax_filing.sales_against_invoices", "corrected")]


async def test_a_finding_whose_fact_was_replaced_closes_and_the_new_fact_is_judged_anew(office: Office) -> None:
    await office.deliver("tax_filing", [filing("2023-03", "30000.00")])
    await office.deliver("vat_invoice", [invoice(office, "100000.00")])
    await office.link()
    await office.deliver("tax_filing", [filing("2023-03", "40000.00")], after_hours=1)
    await office.link(after_hours=1)

    assert await office.found() == [
        (1, 1, "tax_filing.sales_against_invoices", "corrected"),
        (3, 1, "tax_filing.sales_against_invoices", "open"),
    ]


async def test_a_finding_stays_while_a_source_may_not_be_read(office: Office) -> None:
    await office.deliver("tax_filing", [filing("2023-03", "30000.00")])
    await office.deliver("vat_invoice", [invoice(office, "100000.00")])
    await office.link()
    async with in_transaction(office.database.app) as session:
        await act_as(session, office.firm, now=office.noon)
        (given,) = (await consent_queries.consents_of(session, office.firm, now=office.noon)).rows
        await consents.revoke(session, office.firm, given.id, now=office.noon)
        await a_consent(session, office.firm, item_codes=["tax_filing"], now=office.noon)
    await office.deliver("tax_filing", [filing("2023-05", "30000.00")], after_hours=1)
    await office.link(after_hours=1)

    assert await office.found() == [(1, 1, "tax_filing.sales_against_invoices", "open")]


async def test_a_month_far_off_the_usual_is_found_with_its_count(office: Office) -> None:
    months = [electricity(f"2022-{month:02d}") for month in range(1, 9)]
    await office.deliver("electricity", [*months, electricity("2022-09", used_kwh="20000", charged_yuan="14000.00")])
    await office.link()

    found = {(line, rule) for _, line, rule, _ in await office.found()}
    names = ("usual", "usual_charge", "unusual_use", "unusual_charge")
    assert found == {(9, f"electricity.{name}") for name in names}
    assert await office.counted("electricity.usual") == [(1, 9, 1)]


async def test_one_document_number_of_two_firms_is_found_at_both(office: Office) -> None:
    other = a_credit_code()
    async with in_transaction(office.database.worker) as session:
        await act_as_platform(session, now=office.noon)
        await a_firm(session, credit_code=other, now=office.noon)
    permit: Row = {"document_no": "渝许准字〔2023〕12号", "what": "食品经营许可", "decided_on": "2023-03-01"}
    await office.deliver("permit", [permit, permit | {"credit_code": other}])
    await office.link()

    assert [(line, rule) for _, line, rule, _ in await office.found()] == [
        (1, "permit.document_once"),
        (2, "permit.document_once"),
    ]


async def test_firms_are_linked_once_a_delivery(office: Office) -> None:
    await office.deliver("electricity", [electricity("2023-03")])

    assert [await office.link(), await office.link()] == [1, 0]


async def test_an_event_wakes_the_next_run_where_more_deliveries_wait(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking, "DELIVERIES_AT_ONCE", 2)
    for month in ("2023-02", "2023-03", "2023-04", "2023-05", "2023-06"):
        await office.deliver("electricity", [electricity(month)])

    first = await office.link()
    await outbox.drain(office.database.worker, now=office.noon)

    assert (first, await office.link()) == (2, 0)


async def test_a_silent_source_is_found_until_it_delivers_again(office: Office) -> None:
    await office.deliver("electricity", [electricity("2025-05")])
    later = office.noon + timedelta(days=60)

    silent = [await _silent(office, office.noon), await _silent(office, later), await _silent(office, later)]
    found = await office.found()
    await office.deliver("electricity", [electricity("2025-07")], after_hours=60 * 24)
    after = await _silent(office, later)

    assert (silent, after) == ([0, 1, 1], 0)
    assert found == [(1, None, "electricity.silent", "open")]
    assert await office.found() == [(1, None, "electricity.silent", "corrected")]


async def _silent(office: Office, now: datetime) -> int:
    async with in_transaction(office.database.worker) as session:
        await act_as_platform(session, now=now)
        return await service.note_silence(session, now=now)
