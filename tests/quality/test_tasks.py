"""What wakes the room: a delivery's event, once however often it comes, and the hours and days."""

from datetime import datetime, timedelta
from pathlib import Path

from builders_operations import a_colleague
from builders_quality import an_office, electricity
from builders_sources import a_row
from conftest import Database
from sqlalchemy import text

from xinyidai.access.rules import Role
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation import outbox
from xinyidai.foundation.clock import StandingClock
from xinyidai.foundation.database import in_transaction
from xinyidai.quality import service, tasks
from xinyidai.quality.rules import WaiverState


async def test_a_delivery_wakes_the_rules_and_hours_and_days_the_rest(
    database: Database, tmp_path: Path, noon: datetime
) -> None:
    office = await an_office(database, tmp_path, noon=noon)
    await office.only_deliver("electricity", [electricity("2023-05", charged_yuan="70000.00")])
    statement = text("SELECT id FROM foundation.outbox_delivery WHERE consumer = 'quality.judge_delivery'")
    async with in_transaction(database.worker) as session:
        (delivery_id,) = (await session.execute(statement)).scalars()

    await outbox.deliver(database.worker, delivery_id, clock=StandingClock(noon))
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await tasks.link_firms(session, noon)
        await tasks.note_silence(session, noon)

    assert await office.found() == [
        (1, 1, "electricity.tariff", "open"),
        (1, None, "electricity.silent", "open"),
    ]


async def test_findings_of_a_rule_are_withdrawn_with_the_version_that_found_them(
    database: Database, tmp_path: Path, noon: datetime
) -> None:
    new_year = datetime(2025, 1, 1, 4, tzinfo=noon.tzinfo)
    office = await an_office(database, tmp_path, noon=new_year - timedelta(days=1))
    nil = {"tax_kind": "vat", "declared_sales_yuan": "0.00", "paid_yuan": "0.00"}
    rows = [nil | {"month": f"2024-0{month}", "filed_on": f"2024-0{month + 1}-10"} for month in (3, 4)]
    await office.deliver("tax_filing", rows)
    before = await office.found()

    for now in (office.noon, new_year):
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=now)
            await tasks.withdraw_findings(session, now)
    office.noon = new_year
    after = await office.found()
    invoiced = a_row(office.code, issued_on="2024-03-05", net_yuan="6000.00", tax_yuan="60.00", gross_yuan="6060.00")
    await office.deliver("vat_invoice", [invoiced])
    await office.link()

    late = [(1, line, "tax_filing.late", "open") for line in (1, 2)]
    nil_returns = [(1, line, "tax_filing.nil_return") for line in (1, 2)]
    assert [one for one in before if one not in late] == [(*one, "open") for one in nil_returns]
    assert [one for one in after if one not in late] == [(*one, "withdrawn") for one in nil_returns]
    found_again = [one for one in await office.findings() if one.rule_version == 2]
    assert [(one.line_no, one.rule_code, one.state.value) for one in found_again] == [
        (1, "tax_filing.nil_return", "open")
    ]


async def test_a_waiver_ends_on_its_day_and_with_its_fact(database: Database, tmp_path: Path, noon: datetime) -> None:
    office = await an_office(database, tmp_path, noon=noon)
    wrong = [electricity("2023-03", charged_yuan="70000.00"), electricity("2023-04", charged_yuan="70000.00")]
    await office.deliver("electricity", wrong)
    kept, replaced = await office.findings()
    ends_on = (noon + timedelta(days=10)).date()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        operator = await a_colleague(session, "decider", Role.OFFICER, now=noon)
        for one in (kept, replaced):
            await act_as(session, office.agency, now=noon)
            await service.ask_waiver(session, office.agency, one.id, "合同电价", now=noon)
            await act_as(session, operator, now=noon)
            await service.decide_waiver(session, operator, one.id, is_granted=True, until_on=ends_on, now=noon)
    await office.deliver("electricity", [electricity("2023-04")], after_hours=1)

    states = []
    for days in (9, 10):
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=noon)
            await tasks.end_waivers(session, noon + timedelta(days=days))
        states.append([(one.state.value, one.waiver_state) for one in await office.findings()])

    assert states == [
        [("waived", WaiverState.GRANTED), ("corrected", None)],
        [("open", WaiverState.EXPIRED), ("corrected", None)],
    ]
