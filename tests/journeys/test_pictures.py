"""The pictures of the README, taken in a living city; only where `README_PICTURES` names a folder to write into."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from builders_living import Living, Walker, a_living_demo, ask_for_finance, choose_banks, skip_a_month, wanted_by
from builders_pages import a_page, needs_chromium
from playwright.async_api import Browser

FOLDER = os.environ.get("README_PICTURES", "")
MONTHS = 2
MOST_BYTES = 200_000

pytestmark = [
    needs_chromium,
    pytest.mark.long,
    pytest.mark.skipif(not FOLDER, reason="README_PICTURES names no folder"),
]


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Generator[Living]:
    """Return a city in which some months have passed."""
    with a_living_demo(tmp_path_factory.mktemp("pictured"), firms=200) as started:
        for _ in range(MONTHS):
            skip_a_month(started)
        yield started


async def take(walker: Walker, name: str) -> Path:
    """Picture what the window shows."""
    path = Path(FOLDER) / f"{name}.png"
    await walker.page.screenshot(path=path)
    return path


async def test_the_pictures_of_the_readme_are_taken(browser: Browser, living: Living) -> None:
    taken = []

    async with a_page(browser, living, size="phone", other_hosts=[living.city_host]) as watched:
        owner = Walker(watched)
        await owner.enter("企业", "模拟负责人")
        await ask_for_finance(owner, wanted_by=wanted_by(living.now()))
        await owner.press("提交需求")
        await owner.until("/firm", "家银行给出意向")
        await choose_banks(owner)
        await owner.until("/firm", "份报价等您选择")
        await owner.follow("比较报价")
        taken.append(await take(owner, "firm-offers"))
    for card, person, path, name in (
        ("银行", "模拟经办员", "/bank/applications", "bank-queue"),
        ("监管部门", "模拟经办员", "/regulator", "regulator"),
    ):
        async with a_page(browser, living, size="desk") as watched:
            walker = Walker(watched)
            await walker.enter(card, person)
            await watched.open(path)
            taken.append(await take(walker, name))
    async with a_page(browser, living, size="desk") as watched:
        await watched.open("/")
        taken.append(await take(Walker(watched), "start"))

    assert [path.name for path in taken if path.stat().st_size > MOST_BYTES] == []
