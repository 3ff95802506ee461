"""A wrong record on the pages: the firm points at it, the operator asks, everybody sees only what is theirs to see."""

from datetime import datetime, timedelta

import asyncpg
import httpx
import pytest
from builders_desks import TOKEN, Reader, a_full_desk, a_reader, id_in
from builders_documents import a_pdf
from builders_objections import SAID, a_repair, an_asked_objection, an_objection, in_tx
from builders_pages import both_languages, faults_of, needs_chromium
from conftest import Database
from playwright.async_api import Browser

from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.matching import queries as matching
from xinyidai.objections import queries, service
from xinyidai.objections.rules import FactKind, FactRef, ObjectionReason
from xinyidai.sources.queries import invoice_facts


async def send_with_files(
    reader: Reader, path: str, fields: dict[str, str], files: list[tuple[str, bytes]]
) -> httpx.Response:
    """Send a form with files, as a browser does: without any chosen, one part without a name."""
    token = TOKEN.search(await reader.read(path))
    assert token is not None
    parts = [("evidence", (name, content, "application/octet-stream")) for name, content in files or [("", b"")]]
    return await reader.client.post(path, data=fields | {"form_token": token.group(1)}, files=parts)


async def test_a_firm_disputes_an_invoice_and_the_operator_answers_for_the_source(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    told = await in_tx(database.worker, now=noon)
    ref = told.refs[0]
    path = f"/firm/objections/new/{ref.delivery_no}/{ref.line_no}"

    async with a_reader(database, told.firm, now=noon) as reader:
        listed = await reader.read("/firm/objections/new")
        found = await reader.read("/firm/objections/new?number=00000002")
        faulty = await send_with_files(reader, path, {"reason": "amount_wrong", "text": ""}, [])
        fields = {"reason": "amount_wrong", "text": SAID}
        refused = await send_with_files(reader, path, fields, [("合同.pdf", b"<script>")])
        filed = await send_with_files(reader, path, fields, [("合同.pdf", a_pdf("合同")), ("存根.pdf", a_pdf("存根"))])
        shown = await reader.read(filed.headers["location"])
        marked = await reader.read("/firm/objections/new")
    case = f"/operator/objections/{id_in(filed.headers['location'])}"
    async with a_reader(database, told.operator.maker, now=noon) as reader:
        queue = await reader.read("/operator/objections")
        home = await reader.read("/operator")
        await reader.send(f"{case}/accept", {}, shown_on=case)
        await reader.send(f"{case}/ask", {}, shown_on=case)
        unsaid = await reader.send(f"{case}/answer", {}, shown_on=case)
        answered = await reader.send(f"{case}/answer", {"answer": "void"}, shown_on=case)
    async with a_reader(database, told.firm, now=noon) as reader:
        after = await reader.read(filed.headers["location"])
        closed = await reader.send(f"{filed.headers['location']}/close", {}, shown_on=filed.headers["location"])

    assert (listed.count("这条不对"), found.count("这条不对")) == (3, 1)
    assert (faulty.status_code, "请说明哪里不对" in faulty.text) == (422, True)
    assert (refused.status_code, "只接受完整" in refused.text, SAID in refused.text) == (422, True, True)
    assert filed.status_code == 303
    assert SAID in shown
    assert "合同.pdf" in shown
    assert "存根.pdf" in shown
    assert (marked.count("这条不对"), marked.count("有异议")) == (2, 1)
    assert told.agency.id is not None
    assert "待受理" in queue
    assert '待答复的异议和修复申请</a> <span class="tag tag-wait">1</span>' in home
    assert (unsaid.status_code, answered.status_code, closed.status_code) == (422, 303, 303)
    assert "记录已作废" in after
    assert await admin.fetchval("SELECT count(*) FROM sources.supersession") == 1
    assert await admin.fetchval("SELECT count(*) FROM documents.document") == 2
    assert await admin.fetchval("SELECT count(*) FROM documents.opened_to WHERE closed_at IS NULL") == 0


async def test_the_operator_writes_down_a_correction_of_the_source(database: Database, noon: datetime) -> None:
    told = await in_tx(database.worker, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        asked = await an_asked_objection(session, told, now=noon)
    case = f"/operator/objections/{asked.id}"
    right: dict[str, str | list[str]] = {
        "answer": "correct",
        "issued_on": "2025-03-05",
        "counterparty": "重庆买方有限公司",
        "net": "1000",
        "net_unit": "yuan",
        "tax": "130",
        "tax_unit": "yuan",
        "gross": "1130",
        "gross_unit": "yuan",
    }

    async with a_reader(database, told.operator.maker, now=noon) as reader:
        empty = await reader.read(case)
        answered = await reader.send(f"{case}/answer", right, shown_on=case)
        shown = await reader.read(case)
    async with in_transaction(database.app) as session:
        await act_as(session, told.firm, now=noon)
        after = {one.invoice_no: one.gross_fen for one in await invoice_facts.own_invoices(session, told.firm)}

    assert 'value="113.00"' in empty
    assert answered.status_code == 303
    assert "记录已更正" in shown
    assert after == {"00000001": 113_000, "00000002": 11_300, "00000003": 11_300}


async def test_a_firm_asks_for_repair_and_two_people_decide(database: Database, noon: datetime) -> None:
    told = await in_tx(database.worker, now=noon)
    fields = {
        "kind": "penalty",
        "delivery_no": "1",
        "line_no": "2",
        "severity": "ordinary",
        "listed_on": "2025-01-10",
        "text": "罚款已缴清，问题已整改",
        "declared": "yes",
    }

    async with a_reader(database, told.firm, now=noon) as reader:
        early = await send_with_files(reader, "/firm/repairs/new", fields | {"listed_on": "2025-06-01"}, [])
        filed = await send_with_files(reader, "/firm/repairs/new", fields, [("缴款凭证.pdf", a_pdf())])
        listed = await reader.read("/firm/objections")
    case = f"/operator/repairs/{id_in(filed.headers['location'])}"
    async with a_reader(database, told.operator.maker, now=noon) as reader:
        unchecked = await reader.send(f"{case}/approve", {}, shown_on=case)
        await reader.send(f"{case}/approve", {"checked": "yes"}, shown_on=case)
        waits = await reader.read(case)
    async with a_reader(database, told.operator.checker, now=noon) as reader:
        await reader.send(f"{case}/approve", {"checked": "yes"}, shown_on=case)
        done = await reader.read(case)

    assert (early.status_code, "最短公示期未满" in early.text) == (422, True)
    assert filed.status_code == 303
    assert "待初审" in listed
    assert unchecked.status_code == 422
    assert "等另一位有复核权限的同事审核" in waits
    assert "已修复" in done


async def test_a_bank_sees_that_records_are_disputed_and_never_what_was_said(
    database: Database, noon: datetime
) -> None:
    desk = await a_full_desk(database, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        sent = {one.lender_id: one.id for one in await matching.dispatches_for(session, desk.demand.id)}
        await act_as(session, desk.firm, now=noon)
        (invoice, *_others) = await invoice_facts.own_invoices(session, desk.firm)
        ref = FactRef(FactKind.VAT_INVOICE, desk.firm.organisation_id, invoice.delivery_no, invoice.line_no)
        await service.file_objection(session, desk.firm, ref, reason=ObjectionReason.NOT_OURS, text=SAID, now=noon)
    bank = desk.banks[0]

    async with a_reader(database, bank.desk.maker, now=noon) as reader:
        shown = await reader.read(f"/bank/applications/{sent[bank.id]}")
    async with a_reader(database, desk.firm, now=noon) as reader:
        own = await reader.read("/firm/profile")

    assert "该企业对 1 条记录提出了异议" in shown
    assert SAID not in shown
    assert "您对 1 条记录提出的异议正在核实" in own


async def test_the_regulator_sees_who_is_late_without_firms_or_texts(database: Database, noon: datetime) -> None:
    told = await in_tx(database.worker, now=noon)
    after = noon + timedelta(days=8)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await an_asked_objection(session, told, now=noon)
        await service.note_overdue_objections(session, now=after)
        names = await queries.lateness(session, told.regulator.maker, now=after)

    async with a_reader(database, told.regulator.maker, now=after) as reader:
        shown = await reader.read("/regulator/objections")

    assert [one.party_id for one in names] == [told.agency.id]
    assert "有 1 件超期未答复" in shown
    assert SAID not in shown
    assert told.code not in shown


@pytest.mark.parametrize("path", ["/firm/objections", "/operator/objections", "/regulator/objections"])
async def test_nobody_comes_to_anothers_desk(database: Database, noon: datetime, path: str) -> None:
    told = await in_tx(database.worker, now=noon)
    people = {"/firm": told.firm, "/operator": told.operator.maker, "/regulator": told.regulator.maker}

    answers = {}
    for home, viewer in people.items():
        async with a_reader(database, viewer, now=noon) as reader:
            answers[home] = (await reader.client.get(path)).status_code

    assert answers == {home: 200 if path.startswith(home) else 403 for home in people}


@needs_chromium
@both_languages
async def test_every_page_is_whole_and_accessible(
    browser: Browser, database: Database, noon: datetime, language: str
) -> None:
    told = await in_tx(database.worker, now=noon)
    ref = told.refs[2]
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        filed = await an_objection(session, told, 0, now=noon)
        asked = await an_asked_objection(session, told, 1, now=noon)
        repair = await a_repair(session, told.firm, now=noon)
    pages = {
        told.firm: [
            "/firm/objections",
            "/firm/objections/new",
            f"/firm/objections/new/{ref.delivery_no}/{ref.line_no}",
            f"/firm/objections/{asked.id}",
            "/firm/repairs/new",
            f"/firm/repairs/{repair.id}",
        ],
        told.operator.maker: [
            "/operator/objections",
            f"/operator/objections/{filed.id}",
            f"/operator/objections/{asked.id}",
            f"/operator/repairs/{repair.id}",
        ],
        told.regulator.maker: ["/regulator/objections"],
    }

    found = {
        viewer.organisation_kind.value: await faults_of(browser, database, viewer, paths, now=noon, language=language)
        for viewer, paths in pages.items()
    }

    assert found == {"firm": {}, "operator": {}, "regulator": {}}
