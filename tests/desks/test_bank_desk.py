"""The desks of lender and fund in a browser: accessible at both widths in both languages."""

from datetime import datetime

import pytest
from builders_bank_desks import a_bank_desk, a_fund_desk
from builders_databases import Database, a_furnished_clone
from builders_pages import a_page, a_server, needs_chromium, sign_in_as
from playwright.async_api import Browser

from xinyidai.access.rules import Viewer
from xinyidai.foundation.embedded import PostgresServer

pytestmark = needs_chromium


async def faults_of(
    browser: Browser, database: Database, viewer: Viewer, paths: list[str], *, now: datetime, language: str
) -> dict[str, list[str]]:
    """Open every page and return what is wrong, by path; complaints of the browser stand under the empty path."""
    found: dict[str, list[str]] = {}
    async with a_server(database, now=now) as served, a_page(browser, served, language=language) as watched:
        await sign_in_as(watched.page.context, served, str(viewer.principal_id), str(viewer.organisation_id))
        for path in paths:
            await watched.open(path)
            found[path] = await watched.faults()
    found[""] = watched.complaints
    return {path: faults for path, faults in found.items() if faults}


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_page_of_the_banks_desk_is_whole_and_accessible(
    browser: Browser, cluster: PostgresServer, noon: datetime, language: str
) -> None:
    async with a_furnished_clone(cluster, a_bank_desk, now=noon) as (database, desk):
        new, chosen = f"/bank/applications/{desk.new.id}", f"/bank/applications/{desk.chosen.id}"
        paths = [
            "/bank",
            "/bank/applications",
            "/bank/applications?queue=review",
            new,
            f"{new}/indicate",
            f"{new}/decline",
            f"{chosen}/offer",
            "/bank/offers",
            f"/bank/offers/{desk.accepted.id}",
            f"/bank/offers/{desk.accepted.id}/disburse",
            "/bank/loans",
            f"/bank/loans/{desk.loan_id}",
            f"/bank/loans/{desk.loan_id}/repay",
            "/bank/claims",
            "/bank/products",
        ]

        found = await faults_of(browser, database, desk.bank.desk.maker, paths, now=noon, language=language)

    assert found == {}


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_page_of_the_funds_desk_is_whole_and_accessible(
    browser: Browser, cluster: PostgresServer, noon: datetime, language: str
) -> None:
    async with a_furnished_clone(cluster, a_fund_desk, now=noon) as (database, desk):
        claim, line = f"/fund/claims/{desk.paid_claim_id}", f"/fund/lines/{desk.line.id}"
        paths = [
            "/fund",
            "/fund/claims",
            claim,
            "/fund/lines",
            line,
            "/fund/lines/new",
            "/fund/pay-ins",
            "/fund/pay-ins/new",
        ]

        found = await faults_of(browser, database, desk.fund.maker, paths, now=desk.at, language=language)
        of_bank = await faults_of(
            browser,
            database,
            desk.lender.maker,
            [
                f"/bank/loans/{desk.overdue.id}",
                f"/bank/claims/{desk.paid_claim_id}",
                f"/bank/claims/{desk.paid_claim_id}/recover",
            ],
            now=desk.at,
            language=language,
        )

    assert found == {}
    assert of_bank == {}
