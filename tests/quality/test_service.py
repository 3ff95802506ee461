"""Judging deliveries: what is found, counted, corrected, and what of it a sender may see.

Months lie two years back: what is older than a year is history and never late.
"""

from datetime import datetime
from pathlib import Path

import asyncpg
import pytest
from builders_parties import a_credit_code
from builders_quality import Office, an_office, electricity
from builders_sources import a_row, an_agency
from conftest import Database
from sqlalchemy import text

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import queries as consent_queries
from xinyidai.consents import service as consents
from xinyidai.foundation.database import in_transaction
from xinyidai.quality import service
from xinyidai.quality.rules import QualityRuleRefused
from xinyidai.quality.service import judging


@pytest.fixture
async def office(database: Database, tmp_path: Path, noon: datetime) -> Office:
    return await an_office(database, tmp_path, noon=noon)


async def test_a_row_that_breaks_a_rule_is_found_and_counted_and_stays_a_fact(office: Office) -> None:
    report = await office.deliver(
        "electricity",
        [
            electricity("2023-04"),
            electricity("2023-05", charged_yuan="70000.00"),
            electricity("2023-03", owed_yuan="-1.00"),
            electricity("2023-02", credit_code=a_credit_code()),
        ],
    )

    found = await office.found()
    assert report.loaded == 3
    assert found == [(1, 2, "electricity.tariff", "open"), (1, 3, "electricity.owed_sign", "open")]
    assert await office.judged() == [(3, 2, 1, 1)]
    assert await office.counted("electricity.tariff") == [(1, 3, 1)]


async def test_a_notice_is_found_and_fails_no_row(office: Office) -> None:
    await office.deliver("electricity", [electricity("2023-05", is_cut_off="true")])

    assert await office.found() == [(1, 1, "electricity.cut_off", "open")]
    assert await office.judged() == [(1, 0, 0, 0)]


async def test_a_row_before_the_firm_was_there_is_found(office: Office) -> None:
    await office.deliver("electricity", [electricity("2018-02"), electricity("2018-03")])

    assert [(one.line_no, one.rule_code) for one in await office.findings()] == [(1, "electricity.before_firm")]


async def test_a_delivery_is_judged_once_however_often_its_event_comes(office: Office) -> None:
    report = await office.deliver("electricity", [electricity("2023-05", charged_yuan="70000.00")])
    async with in_transaction(office.database.worker) as session:
        await act_as_platform(session, now=office.noon)
        await service.judge_delivery(session, report.delivery_id, now=office.noon)

    assert len(await office.findings()) == 1
    assert await office.judged() == [(1, 1, 0, 0)]


async def test_a_correction_that_passes_closes_the_finding(office: Office) -> None:
    await office.deliver("electricity", [electricity("2023-04"), electricity("2023-05", charged_yuan="70000.00")])
    await office.deliver("electricity", [electricity("2023-05", charged_yuan="710.00")], after_hours=1)

    (one,) = await office.findings()
    assert (one.delivery_no, one.line_no, one.state.value) == (1, 2, "corrected")
    assert one.closed_at is not None
    assert one.closed_at > one.first_seen_at


async def test_a_correction_that_breaks_the_rule_again_keeps_the_finding_at_its_new_line(office: Office) -> None:
    await office.deliver("electricity", [electricity("2023-05", charged_yuan="70000.00")])
    await office.deliver(
        "electricity", [electricity("2023-04"), electricity("2023-05", charged_yuan="7.00")], after_hours=1
    )

    (one,) = await office.findings()
    assert (one.delivery_no, one.line_no, one.rule_code, one.state.value) == (2, 2, "electricity.tariff", "open")
    assert one.first_seen_at == office.noon


async def test_no_finding_closes_because_more_rows_fail_than_are_kept_one_by_one(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [electricity(f"2023-0{month}", charged_yuan="70000.00") for month in (3, 4, 5)]
    await office.deliver("electricity", wrong)
    monkeypatch.setattr(judging, "MAX_FINDINGS", 1)
    await office.deliver("electricity", [row | {"charged_yuan": "71000.00"} for row in wrong], after_hours=1)

    assert sorted(await office.found()) == [(2, line, "electricity.tariff", "open") for line in (1, 2, 3)]


async def test_what_was_superseded_before_it_was_judged_is_left_out(office: Office) -> None:
    early = await office.only_deliver("electricity", [electricity("2023-05", charged_yuan="70000.00")])
    await office.deliver("electricity", [electricity("2023-05")], after_hours=1)
    async with in_transaction(office.database.worker) as session:
        await act_as_platform(session, now=office.noon)
        await service.judge_delivery(session, early.delivery_id, now=office.noon)

    assert await office.found() == []
    assert await office.judged() == [(0, 0, 0, 0), (1, 0, 0, 0)]


async def test_rows_of_a_firm_that_took_its_consent_back_are_not_read(office: Office) -> None:
    report = await office.only_deliver("electricity", [electricity("2023-05", charged_yuan="70000.00")])
    async with in_transaction(office.database.app) as session:
        await act_as(session, office.firm, now=office.noon)
        (given,) = (await consent_queries.consents_of(session, office.firm, now=office.noon)).rows
        await consents.revoke(session, office.firm, given.id, now=office.noon)
    async with in_transaction(office.database.worker) as session:
        await act_as_platform(session, now=office.noon)
        await service.judge_delivery(session, report.delivery_id, now=office.noon)

    assert await office.found() == []
    assert await office.judged() == [(0, 0, 0, 0)]


async def test_invoices_are_judged_and_their_corrections_close_findings(office: Office) -> None:
    good = a_row(office.code, issued_on="2023-03-05")
    wrong = good | {"tax_yuan": "50.00", "gross_yuan": "150.00"}
    await office.deliver("vat_invoice", [good | {"invoice_no": "00000002"}, wrong])
    before = await office.found()
    await office.deliver("correction", [good], after_hours=1)

    assert before == [(1, 2, "vat_invoice.most_tax", "open"), (1, 2, "vat_invoice.rate", "open")]
    assert await office.found() == [(no, line, rule, "corrected") for no, line, rule, _ in before]


async def test_a_judged_delivery_leaves_an_audit_row_that_names_the_firm(
    office: Office, admin: asyncpg.Connection
) -> None:
    report = await office.deliver("electricity", [electricity("2023-05")])

    rows = await admin.fetch("SELECT subject_ids, object_id FROM audit.record WHERE action = 'quality.judged'")
    assert [tuple(row) for row in rows] == [([office.firm.organisation_id], str(report.delivery_id))]


async def test_nothing_is_judged_by_a_rule_that_cannot_be_read(office: Office, admin: asyncpg.Connection) -> None:
    await admin.execute("UPDATE quality.rule SET condition = 'nothing > 1' WHERE code = 'electricity.tariff'")

    with pytest.raises(QualityRuleRefused):
        await office.deliver("electricity", [electricity("2023-05")])

    assert await office.judged() == []


async def test_a_batch_far_from_the_senders_earlier_ones_is_found_as_a_whole(office: Office) -> None:
    for month in range(1, 4):
        await office.deliver("electricity", [electricity(f"2023-0{month}")], after_hours=month)
    await office.deliver(
        "electricity",
        [electricity("2023-04", used_kwh="100000", charged_yuan="70000.00")],
        after_hours=4,
    )

    assert await office.found() == [(4, None, "electricity.drift_mean", "open")]
    assert await office.counted("electricity.drift_mean") == [(4, 1, 1)]


async def test_a_sender_sees_its_own_findings_alone(office: Office) -> None:
    async with in_transaction(office.database.worker) as session:
        await act_as_platform(session, now=office.noon)
        other = await an_agency(session, now=office.noon)
    await office.deliver("electricity", [electricity("2023-05", charged_yuan="70000.00")])

    seen = [await _counts(office, viewer) for viewer in (office.agency, other, office.firm)]
    assert seen == [(1, 1, True, True), (0, 0, False, False), (0, 0, False, False)]


async def _counts(office: Office, viewer: Viewer) -> tuple[int, int, bool, bool]:
    async with in_transaction(office.database.app) as session:
        await act_as(session, viewer, now=office.noon)
        statement = text(
            "SELECT (SELECT count(*) FROM quality.finding) AS findings,"
            " (SELECT count(*) FROM quality.judged_delivery) AS judged,"
            " EXISTS (SELECT FROM quality.count) AS counts, EXISTS (SELECT FROM quality.batch_figure) AS figures"
        )
        return tuple((await session.execute(statement)).one())
