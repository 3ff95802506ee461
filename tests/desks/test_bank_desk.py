"""The desks of lender and fund in a browser: accessible at both widths in both languages."""

from datetime import datetime

import pytest
from builders_bank_desks import a_bank_desk, a_fund_desk
from builders_pages import faults_of, needs_chromium
from conftest import Database
from playwright.async_api import Browser

pytestmark = needs_chromium


@pytest.mark.parametrize("size", ["phone", "desk"])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_page_of_the_banks_desk_is_whole_and_accessible(
    browser: Browser, database: Database, noon: datetime, size: str, language: str
) -> None:
    desk = await a_bank_desk(database, now=noon)
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

    found = await faults_of(browser, database, desk.bank.desk.maker, paths, now=noon, size=size, language=language)

    assert found == {}


@pytest.mark.parametrize("size", ["phone", "desk"])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_page_of_the_funds_desk_is_whole_and_accessible(
    browser: Browser, database: Database, noon: datetime, size: str, language: str
) -> None:
    desk = await a_fund_desk(database, now=noon)
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

    found = await faults_of(browser, database, desk.fund.maker, paths, now=desk.at, size=size, language=language)
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
        size=size,
        language=language,
    )

    assert found == {}
    assert of_bank == {}
