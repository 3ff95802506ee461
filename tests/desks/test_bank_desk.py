"""The desks of lender and fund in a browser: accessible at both widths in both languages."""

from datetime import datetime

from builders_bank_desks import a_bank_desk, a_fund_desk
from builders_databases import a_furnished_clone
from builders_pages import both_languages, faults_of, needs_chromium
from playwright.async_api import Browser

from xinyidai.foundation.embedded import PostgresServer

pytestmark = needs_chromium


@both_languages
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


@both_languages
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
