"""Whole ways through a living city in a browser: a firm's loan, a firm's hand on its data, a bank's two people.

Long: a city of its own and its browsers take about 95 s of CPU. Continuous integration runs the phone's all the same.
"""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager

import pytest
from builders_living import (
    STEP_SECONDS,
    Living,
    Walker,
    a_living_demo,
    accept_an_offer,
    act_for_another_firm,
    answer_for_the_source,
    ask_for_finance,
    choose_banks,
    consent_to,
    dispute_an_invoice,
    hurry,
    read_again,
    revoke_consent,
)
from builders_pages import a_page, needs_chromium
from playwright.async_api import Browser

pytestmark = [needs_chromium, pytest.mark.long]

WANTED_BY = "2025-02-20"
BANK = "模拟三峡城市银行股份有限公司"


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Generator[Living]:
    """Return one living city for the module; its firms for persons are each walked once."""
    with a_living_demo(tmp_path_factory.mktemp("living")) as started:
        yield started


@asynccontextmanager
async def a_walker(browser: Browser, living: Living, *, size: str) -> AsyncGenerator[Walker]:
    async with a_page(browser, living, size=size, other_hosts=[living.city_host]) as watched:
        yield Walker(watched)


async def test_a_firm_gets_a_loan_on_a_phone_and_the_regulator_sees_it(browser: Browser, living: Living) -> None:
    async with a_walker(browser, living, size="phone") as owner:
        await owner.enter("企业", "模拟负责人")
        await ask_for_finance(owner, wanted_by=WANTED_BY)
        await owner.press("提交需求")
        await owner.until("/firm", "家银行给出意向")
        await owner.look_over("home-with-indications")
        await choose_banks(owner)
        await owner.until("/firm", "份报价等您选择")
        await owner.look_over("home-with-offers")
        await accept_an_offer(owner)
        await hurry(owner)
        await owner.until("/firm", "剩余本金 ¥")
        await owner.look_over("home-with-a-loan")

    async with a_walker(browser, living, size="desk") as regulator:
        await regulator.enter("监管部门", "模拟经办员")
        await regulator.follow("放款统计")
        shown = await regulator.page.locator("tbody").first.inner_text()
        await regulator.look_over("lending")
        files = {}
        for kind in ("CSV", "XLSX"):
            async with regulator.page.expect_download() as saving:
                await regulator.page.get_by_role("link", name=kind).first.click()
            saved = await saving.value
            files[kind] = (saved.suggested_filename, (await saved.path()).read_bytes())

    assert owner.faults() == regulator.faults() == {}
    assert "2025-01" in shown
    assert files["CSV"][0].endswith(".csv")
    assert "2025-01" in files["CSV"][1].decode("utf-8-sig")
    assert files["XLSX"][1].startswith(b"PK")


async def test_a_firm_watches_rights_and_takes_back_its_data_on_a_phone(browser: Browser, living: Living) -> None:
    async with (
        a_walker(browser, living, size="phone") as owner,
        a_walker(browser, living, size="desk") as officer,
    ):
        await owner.enter("企业", "模拟负责人")
        await act_for_another_firm(owner)
        for office in ("税务部门", "水电气公司"):
            await consent_to(owner, office)
            await owner.page.get_by_role("heading", name=f"{office} · 数据已获取").wait_for(timeout=STEP_SECONDS * 1000)
            await owner.look_over(f"data-{office}")
        await consent_to(owner, "社保和公积金中心")
        await hurry(owner)
        await owner.until("/firm/data", "起每日接收：社会保险费 · 住房公积金")
        await owner.look_over("data-daily")

        number, objection = await dispute_an_invoice(owner, "销方开错了金额，合同上是一百元。")
        await officer.enter("平台运营", "模拟经办员")
        await answer_for_the_source(officer, {"不含税金额": "100", "税额": "13", "价税合计": "113"})
        await owner.until(objection, "已更正")
        await owner.look_over("objection-upheld")
        await owner.watched.open(f"/firm/objections/new?number={number}")
        corrected = await owner.page.locator("ul.tasks").inner_text()

        await revoke_consent(owner, "用电、用气、用水")
        await owner.watched.open("/firm/data")
        stopped = await owner.page.locator("section", has_text="水电气公司").last.inner_text()
        await owner.look_over("data-stopped")
        refused = await read_again(owner, "utilities")
        await revoke_consent(owner, "社会保险费缴纳")
        await owner.until("/firm/data", "对平台的授权已结束，已从名单移除")
        await owner.look_over("data-off-the-list")

    assert owner.faults() == officer.faults() == {}
    assert "¥113.00" in corrected
    assert "平台已停止读取水电气公司的数据" in stopped
    assert "前往水电气公司授权" not in stopped
    assert (refused[0], "缺少有效授权" in refused[1]) == (422, True)


async def test_two_people_of_a_bank_answer_a_firm_and_pay_out(browser: Browser, living: Living) -> None:
    async with (
        a_walker(browser, living, size="phone") as owner,
        a_walker(browser, living, size="desk") as maker,
        a_walker(browser, living, size="desk") as checker,
    ):
        await owner.enter("个体工商户", "模拟负责人")
        await ask_for_finance(owner, only_bank=BANK, wanted_by=WANTED_BY)
        # Bots answer a person at once: the time stands and the person leaves, so that this bank's people come first.
        await owner.page.context.request.post(f"{living.url}/sandbox/clock", form={"word": "pause", "back": "/"})
        await owner.press("提交需求")
        await owner.page.context.request.post(f"{living.url}/sign-out")

        await maker.enter("银行", "模拟经办员")
        await maker.open_row("/bank/applications", "新申请")
        await maker.press("受理")
        await maker.look_over("application")
        await maker.follow("给出意向")
        for label, value in (
            ("金额下限", "15"),
            ("金额上限", "20"),
            ("年化（单利）下限", "5"),
            ("年化（单利）上限", "6"),
        ):
            await maker.page.get_by_label(label).first.fill(value)
        await maker.page.get_by_label("期限下限").fill("12")
        await maker.page.get_by_label("期限上限").fill("12")
        await maker.page.get_by_label("等额本息").check()
        await maker.look_over("indicate")
        await maker.press("发出意向")

        await owner.enter("个体工商户", "模拟负责人")
        await owner.until("/firm", "家银行给出意向")
        await choose_banks(owner, most=1)

        await maker.open_row("/bank/applications", "待正式报价")
        await maker.follow("正式报价")
        await maker.page.get_by_label("金额").first.fill("18")
        await maker.page.get_by_label("年化（单利）").fill("5.5")
        await maker.press("下一步：核对")
        await maker.look_over("offer-check")
        await maker.press("提交复核")
        own = await maker.page.locator("main").inner_text()

        await checker.enter("银行", "模拟复核员")
        await checker.open_row("/bank/offers", "待复核")
        await checker.look_over("approve")
        await checker.press("批准并发出")

        await owner.until("/firm", "份报价等您选择")
        await accept_an_offer(owner)
        accepted = await owner.page.locator("main").inner_text()

    assert owner.faults() == maker.faults() == checker.faults() == {}
    assert "须由另一位有复核权限的同事批准" in own
    assert "您已接受报价" in accepted
