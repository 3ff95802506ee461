"""A claim goes through the hands of two people of the fund, in two browsers, and is paid.

In a living city a first claim comes months after the first loan, so it is brought about by the services here.
"""

from datetime import datetime

from builders_bank_desks import a_fund_desk
from builders_living import Walker
from builders_pages import a_page, a_server, needs_chromium, sign_in_as
from conftest import Database
from playwright.async_api import Browser

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.risk_sharing import service as claiming

pytestmark = needs_chromium


async def test_two_people_of_the_fund_review_a_claim_and_it_is_paid(
    browser: Browser, database: Database, noon: datetime
) -> None:
    desk = await a_fund_desk(database, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=desk.at)
        claim = await claiming.file_claim(session, desk.lender.maker, desk.overdue.id, now=desk.at)
    path = f"/fund/claims/{claim.id}"

    async with (
        a_server(database, now=desk.at) as served,
        a_page(browser, served, size="desk") as one,
        a_page(browser, served, size="desk") as two,
    ):
        maker, checker = Walker(one), Walker(two)
        for walker, viewer in ((maker, desk.fund.maker), (checker, desk.fund.checker)):
            person = (str(viewer.principal_id), str(viewer.organisation_id))
            await sign_in_as(walker.page.context, served, *person)
        await maker.watched.open("/fund")
        await maker.look_over("fund-home")
        await maker.watched.open(path)
        await maker.look_over("claim")
        await maker.page.get_by_label("我已核对贷款").check()
        await maker.press("通过初审")
        await maker.watched.open(path)
        own = await maker.page.locator("main").inner_text()
        again = await maker.page.get_by_role("button", name="通过复审").count()
        await checker.watched.open(path)
        await checker.page.get_by_label("我已核对贷款").check()
        await checker.press("通过复审")
        await checker.watched.open(path)
        await checker.look_over("claim-approved")
        await maker.watched.open(path)
        await maker.page.get_by_label("我确认付款").check()
        await maker.press("付款")
        await maker.watched.open(path)
        await maker.look_over("claim-paid")
        paid = await maker.page.locator("main").inner_text()

    assert maker.faults() == checker.faults() == {}
    assert "复审须由另一位有复核权限的同事进行" in own
    assert again == 0
    assert "已付款" in paid
