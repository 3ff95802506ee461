"""The start page as a visitor and as a reader of either language sees it, on a phone and on a desk."""

from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from builders_applications import an_application
from builders_pages import Served, a_page, a_server, needs_chromium, sign_in_as
from builders_parties import a_firm, a_lender
from conftest import Database
from playwright.async_api import Browser

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.clock import AnchoredClock, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.progress import PreparationState, Progress

pytestmark = needs_chromium


@pytest.fixture
async def firm(database: Database, noon: datetime) -> Viewer:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await a_lender(session, now=noon)
        return await a_firm(session, now=noon)


@pytest.fixture
async def served(database: Database, noon: datetime, firm: Viewer, tmp_path: Path) -> AsyncGenerator[Served]:
    async with a_server(database, now=noon, home=tmp_path) as running:
        yield running


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_first_pages_are_whole_and_accessible(browser: Browser, served: Served, language: str) -> None:
    found: dict[str, list[str]] = {}
    async with a_page(browser, served, language=language) as watched:
        for path in ("/", "/sign-in", "/nothing-here"):
            await watched.open(path)
            found[path] = await watched.faults()

    complaints = [one for one in watched.complaints if "404" not in one]
    assert found == {"/": [], "/sign-in": [], "/nothing-here": []}
    assert complaints == []


async def test_a_card_signs_in_with_one_click_and_without_scripts(
    browser: Browser, served: Served, firm: Viewer
) -> None:
    async with a_page(browser, served, scripts=False) as watched:
        await watched.open("/")
        await watched.page.locator("section", has_text="企业").locator("button").first.click()
        landed = watched.page.url
        badge = await watched.page.locator(".role").inner_text()

    assert landed == f"{served.url}/firm"
    assert badge == "企业"


async def test_an_amount_is_read_back_as_contracts_write_it(browser: Browser, served: Served) -> None:
    async with a_page(browser, served) as watched:
        await watched.open("/reading/amount?amount=50&amount_unit=wan")
        read = await watched.page.locator("body").inner_text()

    assert read == "¥500,000.00 · 伍拾万元整"


async def test_a_phone_page_stays_within_its_allowance_of_scripts(
    browser: Browser, served: Served, firm: Viewer
) -> None:
    sizes: dict[str, int] = {}
    async with a_page(browser, served) as watched:
        await sign_in_as(watched.page.context, served, str(firm.principal_id), str(firm.organisation_id))
        watched.page.on(
            "response", lambda answer: sizes.update({answer.url: int(answer.headers.get("content-length", 0))})
        )
        await watched.open("/firm")
        await watched.page.wait_for_load_state("networkidle")

    scripts = sum(size for url, size in sizes.items() if url.endswith(".js"))
    assert 0 < scripts <= 120_000


async def test_the_start_page_shows_how_far_the_seeding_is(database: Database, noon: datetime, tmp_path: Path) -> None:
    progress = Progress(tmp_path)
    progress.tell("300 firms registered", seconds=2.4)
    progress.count("consents given", done=30, of=169, seconds=3.1)
    settings = database.settings.model_copy(update={"sandbox": True, "xinyidai_home": tmp_path})
    app = an_application(settings, database.app, clock=AnchoredClock(wall_now(), noon, rate=0.0))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://platform") as visitor:
        under_way = (await visitor.get("/", headers={"Accept": "text/html"})).text
        progress.end(PreparationState.READY, seconds=9.0)
        ready = (await visitor.get("/", headers={"Accept": "text/html"})).text

    assert all(
        words in under_way for words in ("正在生成演示城市", "30 / 169", "300 firms registered", "consents given")
    )
    assert "正在生成演示城市" not in ready
