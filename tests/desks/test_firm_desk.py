"""The firm's desk in a browser: accessible at both widths in both languages, and a story told without scripts."""

from collections.abc import AsyncGenerator
from datetime import datetime

import pytest
from builders_consents import a_consent
from builders_databases import Database, a_furnished_clone
from builders_desks import FullDesk, a_full_desk
from builders_pages import a_page, a_server, both_languages, needs_chromium, sign_in_as
from playwright.async_api import Browser

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
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


@both_languages
async def test_every_page_of_the_desk_is_whole_and_accessible(
    browser: Browser, database: Database, noon: datetime, desk: FullDesk, language: str
) -> None:
    demand = f"/firm/demands/{desk.demand.id}"
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        given = await a_consent(session, desk.firm, item_codes=["vat_invoice", "loan_outcome"], now=noon)
    consent = f"/firm/consents/{given.id}"
    paths = [
        "/firm",
        "/firm/authorise",
        "/firm/consents",
        consent,
        f"{consent}/items/vat_invoice",
        "/firm/looks",
        "/firm/data",
        "/firm/profile",
        "/firm/profile/indicators/sales_12m_fen",
        "/firm/profile/indicators/supplier_new_share",
        f"/firm/profile/fact?name=invoice_fact:{desk.firm.organisation_id}/1.2",
        "/firm/demands",
        "/firm/demands/new",
        demand,
        f"{demand}/indications",
        f"{demand}/offers",
        f"/firm/offers/{desk.offers[0].id}",
        "/firm/loans",
        f"/firm/loans/{desk.loan_id}",
    ]
    found: dict[str, list[str]] = {}

    async with a_server(database, now=noon) as served, a_page(browser, served, language=language) as watched:
        person, firm = str(desk.firm.principal_id), str(desk.firm.organisation_id)
        await sign_in_as(watched.page.context, served, person, firm)
        for path in paths:
            await watched.open(path)
            found[path] = await watched.faults()

    assert {path: faults for path, faults in found.items() if faults} == {}
    assert watched.complaints == []


async def test_pages_fit_the_narrowest_window_in_the_dark_too(
    browser: Browser, database: Database, noon: datetime, desk: FullDesk
) -> None:
    demand = f"/firm/demands/{desk.demand.id}"
    lineage = "/firm/profile/indicators/sales_12m_fen"
    paths = [
        "/",
        "/firm",
        "/firm/profile",
        lineage,
        "/firm/demands/new",
        demand,
        f"{demand}/indications",
        f"{demand}/offers",
    ]
    found: dict[str, list[str]] = {}

    async with a_server(database, now=noon) as served, a_page(browser, served, size="narrow", is_dark=True) as watched:
        await sign_in_as(watched.page.context, served, str(desk.firm.principal_id), str(desk.firm.organisation_id))
        for path in paths:
            await watched.open(path)
            found[path] = await watched.faults()
        theme = await watched.page.evaluate("document.documentElement.dataset.bsTheme")

    assert theme == "dark"
    assert {path: faults for path, faults in found.items() if faults} == {}


async def test_a_firm_asks_for_finance_on_a_phone_without_scripts(
    browser: Browser, database: Database, noon: datetime, desk: FullDesk
) -> None:
    async with a_server(database, now=noon) as served, a_page(browser, served, scripts=False) as watched:
        page = watched.page
        person, firm = str(desk.firm.principal_id), str(desk.firm.organisation_id)
        await sign_in_as(page.context, served, person, firm)
        await watched.open("/firm/demands/new")
        await page.get_by_label("日常周转").check()
        await page.get_by_label("2. 需要多少？").fill("20")
        await page.get_by_label("3. 用多久？").fill("6")
        await page.get_by_label("先息后本").check()
        await page.get_by_label("4. 最迟哪天要用？").fill("2025-07-10")
        await page.get_by_label("我声明资金用途合法合规").check()
        await page.get_by_role("button", name="下一步：核对").click()
        checked = await page.locator(".summary").inner_text()
        await page.get_by_role("button", name="提交需求").click()
        heading = await page.locator("h1").inner_text()

    assert "贰拾万元整" in checked
    assert heading == "需求已提交"


async def test_a_fault_takes_the_focus_and_its_link_leads_into_the_field(
    browser: Browser, database: Database, noon: datetime, desk: FullDesk
) -> None:
    async with a_server(database, now=noon) as served, a_page(browser, served) as watched:
        page = watched.page
        person, firm = str(desk.firm.principal_id), str(desk.firm.organisation_id)
        await sign_in_as(page.context, served, person, firm)
        await watched.open("/firm/demands/new")
        await page.get_by_label("2. 需要多少？").press_sequentially("20")
        await page.locator("#reading-amount", has_text="贰拾万元整").wait_for()
        await page.get_by_role("button", name="下一步：核对").click()
        focused = await page.evaluate("document.activeElement.id")
        await page.locator('#error-summary a[href="#field-term_months"]').click()
        entered = await page.evaluate("document.activeElement.id")
        faults = await watched.violations()

    assert focused == "error-summary"
    assert entered == "field-term_months"
    assert faults == []
