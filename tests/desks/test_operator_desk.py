"""The operator's desk in a browser: accessible at both widths in both languages, and usable without scripts."""

from datetime import datetime

from builders_databases import a_furnished_clone
from builders_operations import an_operators_desk
from builders_pages import a_page, a_server, both_languages, faults_of, needs_chromium, sign_in_as
from playwright.async_api import Browser

from xinyidai.foundation.embedded import PostgresServer

pytestmark = needs_chromium


@both_languages
async def test_every_page_is_whole_and_accessible(
    browser: Browser, cluster: PostgresServer, noon: datetime, language: str
) -> None:
    async with a_furnished_clone(cluster, an_operators_desk, now=noon) as (database, desk):
        found = await faults_of(browser, database, desk.maker, desk.pages, now=desk.at, language=language)

    assert found == {}


async def test_a_retry_works_without_scripts(browser: Browser, cluster: PostgresServer, noon: datetime) -> None:
    async with (
        a_furnished_clone(cluster, an_operators_desk, now=noon) as (database, desk),
        a_server(database, now=desk.at) as served,
        a_page(browser, served, scripts=False) as watched,
    ):
        await sign_in_as(watched.page.context, served, str(desk.maker.principal_id), str(desk.maker.organisation_id))
        await watched.open("/operator/deliveries?standing=given_up")
        await watched.page.get_by_role("link", name="重试 KettleBoiled").click()
        await watched.page.get_by_role("button", name="重试").click()
        faulty = await watched.page.get_by_role("alert").inner_text()
        await watched.page.get_by_label("故障原因已排除").check()
        await watched.page.get_by_role("button", name="重试").click()
        said = await watched.page.get_by_role("status").inner_text()

    assert "请选择重试的原因" in faulty
    assert said == "已重新投递。"
