"""The agencies' desk in a browser: accessible at both widths in both languages; a file goes in without scripts."""

from datetime import datetime
from pathlib import Path

from builders_agencies import an_agencys_desk
from builders_databases import a_furnished_clone
from builders_pages import a_page, a_server, both_languages, faults_of, needs_chromium, sign_in_as
from playwright.async_api import Browser

from xinyidai.foundation.embedded import PostgresServer

pytestmark = needs_chromium


@both_languages
async def test_every_page_is_whole_and_accessible(
    browser: Browser, cluster: PostgresServer, tmp_path: Path, noon: datetime, language: str
) -> None:
    async with a_furnished_clone(cluster, an_agencys_desk(tmp_path), now=noon) as (database, desk):
        agency = await faults_of(browser, database, desk.office.agency, desk.pages, now=noon, language=language)
        operator = await faults_of(browser, database, desk.operator, desk.operators_pages, now=noon, language=language)

    assert (agency, operator) == ({}, {})


async def test_a_file_goes_in_without_scripts(
    browser: Browser, cluster: PostgresServer, tmp_path: Path, noon: datetime
) -> None:
    async with (
        a_furnished_clone(cluster, an_agencys_desk(tmp_path), now=noon) as (database, desk),
        a_server(database, now=noon) as served,
        a_page(browser, served, scripts=False) as watched,
    ):
        agency = desk.office.agency
        await sign_in_as(watched.page.context, served, str(agency.principal_id), str(agency.organisation_id))
        corrected = tmp_path / "corrected.csv"
        corrected.write_text(
            "credit_code,month,used_kwh,charged_yuan,owed_yuan,is_cut_off\n"
            f"{desk.office.code},2023-05,1000,712.00,0.00,false\n"
        )
        await watched.open("/agency/deliveries/new")
        await watched.page.get_by_label("信息项", exact=True).select_option("electricity")
        await watched.page.get_by_label("文件", exact=True).set_input_files(corrected)
        await watched.page.get_by_role("button", name="报送", exact=True).click()
        said = await watched.page.get_by_role("status").inner_text()

    assert said == "收到 1 行，入库 1 行，隔离 0 行。"
