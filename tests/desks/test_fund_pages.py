"""The desks of fund and guarantor without a browser: two people for everything that moves money, and every refusal."""

from collections.abc import AsyncGenerator
from datetime import datetime

import pytest
from builders_bank_desks import FundDesk, a_fund_desk
from builders_databases import Database, a_furnished_clone
from builders_desks import Reader, a_reader
from builders_parties import a_fund

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.embedded import PostgresServer
from xinyidai.risk_sharing import service as claiming


@pytest.fixture
async def furnished(cluster: PostgresServer, noon: datetime) -> AsyncGenerator[tuple[Database, FundDesk]]:
    async with a_furnished_clone(cluster, a_fund_desk, now=noon) as made:
        yield made


@pytest.fixture
def database(furnished: tuple[Database, FundDesk]) -> Database:
    return furnished[0]


@pytest.fixture
def desk(furnished: tuple[Database, FundDesk]) -> FundDesk:
    return furnished[1]


@pytest.fixture
async def claim(database: Database, desk: FundDesk) -> str:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=desk.at)
        filed = await claiming.file_claim(session, desk.lender.maker, desk.overdue.id, now=desk.at)
    return f"/fund/claims/{filed.id}"


@pytest.fixture
async def maker(database: Database, desk: FundDesk) -> AsyncGenerator[Reader]:
    async with a_reader(database, desk.fund.maker, now=desk.at) as reader:
        yield reader


@pytest.fixture
async def checker(database: Database, desk: FundDesk) -> AsyncGenerator[Reader]:
    async with a_reader(database, desk.fund.checker, now=desk.at) as reader:
        yield reader


async def test_home_says_what_waits_and_where_the_money_is(maker: Reader, claim: str) -> None:
    page = await maker.read("/fund")

    assert "有 1 件代偿申请待审核或付款" in page
    assert claim in page
    assert all(words in page for words in ("可用资金", "已预留", "已承担", "申请代偿中", "本月已代偿"))


async def test_a_claim_is_reviewed_by_two_people_and_paid(maker: Reader, checker: Reader, claim: str) -> None:
    page = await maker.read(claim)
    unread = await maker.send(f"{claim}/approve", {}, shown_on=claim)
    first = await maker.send(f"{claim}/approve", {"checked": "yes"}, shown_on=claim)
    own = await maker.read(claim)
    again = await maker.send(f"{claim}/approve", {"checked": "yes"}, shown_on=f"{claim}/deny")
    second = await checker.send(f"{claim}/approve", {"checked": "yes"}, shown_on=claim)
    paid = await maker.send(f"{claim}/pay", {"sure": "yes"}, shown_on=claim)
    after = await maker.read(claim)

    assert "36,000.00" in page
    assert "60,000.00" in page
    assert "24,000.00" in page
    assert unread.status_code == 422
    assert first.headers["location"] == claim
    assert "初审由您通过" in own
    assert again.status_code in (403, 422)
    assert second.headers["location"] == claim
    assert paid.headers["location"] == claim
    assert "已付款" in after
    assert "谁办理了什么" in after


async def test_a_claim_is_denied_with_a_reason(maker: Reader, claim: str) -> None:
    without = await maker.send(f"{claim}/deny", {})
    denied = await maker.send(f"{claim}/deny", {"code": "evidence_missing"})
    inbox = await maker.read("/fund/claims?status=denied")

    assert without.status_code == 422
    assert denied.headers["location"] == claim
    assert "证明材料不足" in await maker.read(claim)
    assert claim in inbox


async def test_a_line_is_watched_paused_and_reopened_by_two(maker: Reader, checker: Reader, desk: FundDesk) -> None:
    line = f"/fund/lines/{desk.line.id}"
    listed = await maker.read("/fund/lines")
    watched = await maker.send(f"{line}/watch", {}, shown_on=line)
    paused = await maker.send(f"{line}/pause", {}, shown_on=line)
    proposed = await maker.send(f"{line}/propose-reopening", {}, shown_on=line)
    own = await maker.read(line)
    refused = await maker.client.post(f"{line}/reopen", data={})
    reopened = await checker.send(f"{line}/reopen", {}, shown_on=line)

    assert line in listed
    assert [one.headers["location"] for one in (watched, paused, proposed, reopened)] == [line] * 4
    assert "恢复由您提议" in own
    assert refused.status_code == 403
    assert "受理中" in await maker.read(line)


async def test_a_line_is_proposed_by_one_and_opened_by_another(maker: Reader, checker: Reader, desk: FundDesk) -> None:
    fields: dict[str, str | list[str]] = {
        "name": "新协议",
        "lender": str(desk.lender.id),
        "guarantor": "none",
        "lender_share": "20",
        "fund_share": "80",
        "guarantor_share": "0",
        "capacity": "1000",
        "firm_cap": "100",
        "claim_days": "90",
        "max_rate": "6.00",
        "stop_loss": "5",
        "valid_from": f"{desk.at:%Y-%m-%d}",
        "valid_to": f"{desk.at.year + 1}-{desk.at:%m-%d}",
    }
    empty = await maker.send("/fund/lines/new", {"name": "新协议"})
    uneven = await maker.send("/fund/lines/new", fields | {"fund_share": "70"})
    proposed = await maker.send("/fund/lines/new", fields)
    line = proposed.headers["location"]
    own = await maker.read(line)
    opened = await checker.send(f"{line}/approve", {}, shown_on=line)

    assert empty.status_code == uneven.status_code == 422
    assert 'value="新协议"' in empty.text
    assert "三方比例合计须为 100%" in uneven.text
    assert "这份协议由您提议" in own
    assert opened.headers["location"] == line
    assert "受理中" in await maker.read(line)


async def test_money_is_declared_by_one_and_confirmed_by_another(
    maker: Reader, checker: Reader, desk: FundDesk
) -> None:
    fields: dict[str, str | list[str]] = {
        "amount": "12.5",
        "amount_unit": "wan",
        "paid_on": f"{desk.at:%Y-%m-%d}",
        "reference": "渝财拨-1",
    }
    empty = await maker.send("/fund/pay-ins/new", {"reference": "渝财拨-1"})
    declared = await maker.send("/fund/pay-ins/new", fields)
    otherwise = await maker.send("/fund/pay-ins/new", fields | {"amount": "13"})
    own = await maker.read("/fund/pay-ins")
    listed = await checker.read("/fund/pay-ins")
    confirm = listed.split('action="')[-1].split('"')[0]
    refused = await maker.client.post(confirm, data={})
    confirmed = await checker.send(confirm, {}, shown_on="/fund/pay-ins")
    after = await checker.read("/fund/pay-ins")

    assert empty.status_code == otherwise.status_code == 422
    assert 'value="渝财拨-1"' in empty.text
    assert declared.headers["location"] == "/fund/pay-ins"
    assert "由您登记" in own
    assert refused.status_code == 403
    assert confirmed.headers["location"] == "/fund/pay-ins"
    assert "125,000.00" in after
    assert "待确认" not in after


async def test_a_guarantor_follows_and_pays_in_but_reviews_nothing(
    database: Database, desk: FundDesk, claim: str
) -> None:
    assert desk.line.guarantor is not None
    async with a_reader(database, desk.line.guarantor.maker, now=desk.at) as guarantor:
        page = await guarantor.read(claim)
        home = await guarantor.read("/fund")
        money = await guarantor.read("/fund/pay-ins")
        refused = [
            (await guarantor.client.post(path, data={})).status_code
            for path in (f"{claim}/approve", f"{claim}/pay", f"/fund/lines/{desk.line.id}/pause")
        ]

    assert "审核和付款由风险补偿资金办理" in page
    assert "正在办理" in home
    assert "登记拨款" in money
    assert refused == [403, 403, 403]


async def test_another_funds_things_are_not_found_and_its_own_lists_are_empty(
    database: Database, desk: FundDesk, claim: str
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=desk.at)
        other = await a_fund(session, now=desk.at)
    async with a_reader(database, other.maker, now=desk.at) as reader:
        foreign = [(await reader.client.get(path)).status_code for path in (claim, f"/fund/lines/{desk.line.id}")]
        empty = [await reader.read(path) for path in ("/fund/claims", "/fund/lines", "/fund/pay-ins", "/fund")]
    async with a_reader(database, desk.lender.maker, now=desk.at) as bank:
        outside = (await bank.client.get("/fund")).status_code

    assert foreign == [404, 404]
    assert ["还没有" in page for page in empty] == [True, True, True, False]
    assert outside == 403
