"""Whole ways through a living city in a browser: a firm's loan as the regulator then sees it, a bank's two people.

Long: a city of its own and its browsers take about 95 s of CPU. Continuous integration runs the first all the same.
"""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager

import pytest
from builders_living import Living, Walker, a_living_demo, accept_an_offer, ask_for_finance, choose_banks, hurry
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
