"""The pages of people in a browser: accessible at both widths in both languages, and a story told without scripts."""

from datetime import datetime
from urllib.parse import urlsplit

from builders_pages import Watched, a_page, a_server, both_languages, needs_chromium
from builders_people import PASSWORD, a_bank, a_person, code_of, joins
from conftest import Database
from playwright.async_api import Browser

from xinyidai.access.rules import Role

pytestmark = needs_chromium

CHIEF, LOST, NEW = "li@example.com", "wang@example.com", "another long pass phrase"
SECOND_FACTOR_FORM = 'form[action="/me/second-factor"] button'


async def sign_in(watched: Watched, email: str = CHIEF, password: str = PASSWORD) -> None:
    await watched.open("/sign-in")
    await watched.page.fill("#field-email", email)
    await watched.page.fill("#field-password", password)
    await watched.page.click('form[action="/sign-in"] button')
    await watched.page.wait_for_load_state()


async def press(watched: Watched, selector: str) -> None:
    """Press what leads to another page, and wait for it."""
    async with watched.page.expect_navigation():
        await watched.page.click(selector)


@both_languages
async def test_every_page_of_people_is_whole_and_accessible(
    browser: Browser, database: Database, noon: datetime, language: str
) -> None:
    bank, other = await a_bank(database, noon), await a_bank(database, noon)
    chief = await a_person(database, bank.id, CHIEF, Role.ADMIN, Role.OFFICER, now=noon)
    await a_person(database, bank.id, LOST, Role.OFFICER, now=noon)
    await joins(database, chief, other.id, Role.AUDITOR, now=noon)
    found: dict[str, list[str]] = {}

    async with a_server(database, now=noon) as served, a_page(browser, served, language=language) as watched:

        async def look(name: str) -> None:
            await watched.picture(name)
            found[name] = await watched.faults()

        for path in ("/sign-in?done=recovered", "/recover", "/sandbox/messages", "/account-recovery/a-token"):
            await watched.open(path)
            found[path] = await watched.faults()
        await sign_in(watched)
        for path in ("/me/proof?next=/people", "/me", "/people"):
            await watched.open(path)
            found[path] = await watched.faults()
        await watched.page.fill("#field-recovery_email", LOST)
        await press(watched, 'form[action="/people/recoveries"] button')
        await press(watched, 'form[action="/people/invitations"] button')
        await look("people-refused")
        await watched.page.fill("#field-email", "zhao@example.com")
        await watched.page.check("#field-roles")
        await press(watched, 'form[action="/people/invitations"] button')
        await look("people-link")
        link = urlsplit(await watched.page.input_value("#link")).path
        await watched.open("/people")
        await watched.page.click("details.more summary")
        await look("people-full")
        await watched.open("/me")
        await press(watched, SECOND_FACTOR_FORM)
        await look("me-enrolment")
        await watched.page.fill(
            "#field-code", code_of("".join(await watched.page.locator(".secret-part").all_inner_texts()))
        )
        await press(watched, 'form[action="/me/second-factor/confirm"] button')
        await look("me-codes")
        code = await watched.page.locator(".codes .code").first.inner_text()
        await watched.page.context.clear_cookies()
        await watched.open(link)
        await look("invitation")
        await sign_in(watched)
        await look("sign-in-code")
        await watched.page.fill("#field-code", code)
        await press(watched, 'form[action="/sign-in/code"] button')
        await watched.open("/me")
        await look("me-enrolled")

    assert {name: faults for name, faults in found.items() if faults} == {}
    # The refused form answers 422, which the browser notes.
    assert [one for one in watched.complaints if "422" not in one] == []


async def test_a_person_proves_and_invites_without_scripts(
    browser: Browser, database: Database, noon: datetime
) -> None:
    bank = await a_bank(database, noon)
    await a_person(database, bank.id, CHIEF, Role.ADMIN, Role.OFFICER, now=noon)

    async with a_server(database, now=noon) as served, a_page(browser, served, scripts=False) as watched:
        page = watched.page
        await sign_in(watched)
        await page.goto(f"{served.url}/people")
        await page.get_by_label("邮箱", exact=True).fill("zhao@example.com")
        await page.locator('form[action="/people/invitations"]').get_by_label("复核").check()
        await page.get_by_role("button", name="生成邀请链接").click()
        link = await page.get_by_label("链接").input_value()
        await page.context.clear_cookies()
        await page.goto(link)
        await page.get_by_label("姓名").fill("赵敏")
        await page.get_by_label("密码").fill(NEW)
        await page.get_by_role("button", name="加入").click()
        joined = await page.get_by_role("status").inner_text()
        await page.get_by_label("邮箱").fill("zhao@example.com")
        await page.get_by_label("密码").fill(NEW)
        await page.get_by_role("button", name="登录").click()
        name = await page.locator(".whoami .name").inner_text()

    assert "您已加入该机构" in joined
    assert name != ""
