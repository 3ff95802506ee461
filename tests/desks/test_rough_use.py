"""What people do to pages that nobody planned: two clicks, an old tab, no network, two at once."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime

import pytest
from builders_databases import Database, a_furnished_clone
from builders_desks import FullDesk, a_full_desk
from builders_pages import Watched, a_page, a_server, needs_chromium, sign_in_as
from playwright.async_api import Browser
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation.embedded import PostgresServer

pytestmark = needs_chromium


@pytest.fixture
async def furnished(cluster: PostgresServer, noon: datetime) -> AsyncGenerator[tuple[Database, FullDesk]]:
    async with a_furnished_clone(cluster, a_full_desk, now=noon) as made:
        yield made


@pytest.fixture
def database(furnished: tuple[Database, FullDesk]) -> Database:
    return furnished[0]


@pytest.fixture
def desk(furnished: tuple[Database, FullDesk]) -> FullDesk:
    return furnished[1]


async def count(session: AsyncSession, statement: str) -> int:
    return int((await session.execute(text(statement))).scalar_one())


async def fill_in(watched: Watched) -> None:
    """Answer the four questions, to where they are checked."""
    page = watched.page
    await watched.open("/firm/demands/new")
    await page.get_by_label("日常周转").check()
    await page.get_by_label("2. 需要多少？").fill("20")
    await page.get_by_label("3. 用多久？").fill("6")
    await page.get_by_label("先息后本").check()
    await page.get_by_label("4. 最迟哪天要用？").fill("2025-07-10")
    await page.get_by_label("我声明资金用途合法合规").check()


async def enter(watched: Watched, served: object, desk: FullDesk) -> None:
    person = (str(desk.firm.principal_id), str(desk.firm.organisation_id))
    await sign_in_as(watched.page.context, served, *person)  # type: ignore[arg-type]


async def test_two_clicks_post_one_demand(
    browser: Browser, database: Database, noon: datetime, desk: FullDesk, session: AsyncSession
) -> None:
    before = await count(session, "SELECT count(*) FROM demands.demand")

    async with a_server(database, now=noon) as served, a_page(browser, served) as watched:
        page = watched.page
        await enter(watched, served, desk)
        await fill_in(watched)
        await page.get_by_role("button", name="下一步：核对").click()
        await page.get_by_role("button", name="提交需求").dblclick()
        await page.wait_for_url("**/posted")
        heading = await page.locator("h1").inner_text()

    after = await count(session, "SELECT count(*) FROM demands.demand")
    assert (heading, after) == ("需求已提交", before + 1)


async def test_an_old_tab_is_told_what_became_of_its_offer(
    browser: Browser, database: Database, noon: datetime, desk: FullDesk, session: AsyncSession
) -> None:
    path = f"/firm/offers/{desk.offers[0].id}"

    async with a_server(database, now=noon) as served, a_page(browser, served) as watched:
        await enter(watched, served, desk)
        await watched.open(path)
        old = await watched.page.context.new_page()
        await old.goto(served.url + path)
        await watched.page.get_by_label("我已阅读金额").check()
        await watched.page.get_by_role("button", name="接受报价").click()
        await watched.page.wait_for_url("**/firm/demands/**")
        await old.locator("summary", has_text="婉拒这份报价").click()
        await old.get_by_role("button", name="婉拒报价").click()
        told = await old.locator("#error-summary").inner_text()
        is_still_offered = await old.get_by_role("button", name="接受报价").count()

    assert "accepted" in told or "已接受" in told
    assert is_still_offered == 0
    states = "SELECT count(*) FROM matching.offer_standing WHERE state = 'accepted'"
    assert await count(session, states) == 1


async def test_an_offer_is_accepted_without_scripts(
    browser: Browser, database: Database, noon: datetime, desk: FullDesk
) -> None:
    async with a_server(database, now=noon) as served, a_page(browser, served, scripts=False) as watched:
        await enter(watched, served, desk)
        await watched.open(f"/firm/offers/{desk.offers[0].id}")
        await watched.page.keyboard.press("Tab")
        skips_to = await watched.page.locator(":focus").get_attribute("href")
        await watched.page.get_by_label("我已阅读金额").check()
        await watched.page.get_by_role("button", name="接受报价").click()
        said = await watched.page.locator("main").inner_text()

    assert skips_to == "#main"
    assert "您已接受报价" in said


async def test_without_a_network_nothing_typed_is_lost(
    browser: Browser, database: Database, noon: datetime, desk: FullDesk
) -> None:
    async with a_server(database, now=noon) as served, a_page(browser, served) as watched:
        page = watched.page
        await enter(watched, served, desk)
        await fill_in(watched)
        await page.context.set_offline(True)
        await page.get_by_role("button", name="下一步：核对").click()
        said = await page.locator("#offline").inner_text()
        kept = await page.get_by_label("2. 需要多少？").input_value()
        await page.context.set_offline(False)
        await page.locator("#offline").wait_for(state="hidden")
        await page.get_by_role("button", name="下一步：核对").click()
        heading = await page.locator("h1").inner_text()

    assert "没有提交" in said
    assert kept == "20"
    assert heading == "核对您的回答"


async def test_two_browsers_accept_the_same_offer_and_one_has_it(
    browser: Browser, database: Database, noon: datetime, desk: FullDesk, session: AsyncSession
) -> None:
    path = f"/firm/offers/{desk.offers[0].id}"

    async with (
        a_server(database, now=noon) as served,
        a_page(browser, served) as one,
        a_page(browser, served) as other,
    ):
        for watched in (one, other):
            await enter(watched, served, desk)
            await watched.open(path)
            await watched.page.get_by_label("我已阅读金额").check()

        async def accept(watched: Watched) -> str:
            async with watched.page.expect_navigation():
                await watched.page.get_by_role("button", name="接受报价").click()
            return await watched.page.locator("main").inner_text()

        told = await asyncio.gather(accept(one), accept(other))

    assert sorted("您已接受报价" in each for each in told) == [False, True]
    states = "SELECT count(*) FROM matching.offer_standing WHERE state = 'accepted'"
    assert await count(session, states) == 1
    assert await count(session, "SELECT count(*) FROM agreements.reservation") == 1
