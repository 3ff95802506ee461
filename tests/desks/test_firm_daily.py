"""The daily files of social insurance and housing fund on the page of the firm's data: on the list, off it, and why."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
from builders_applications import an_application
from builders_consents import a_consent
from builders_desks import Reader, a_reader
from builders_pages import a_page, a_server, both_languages, needs_chromium, sign_in_as
from builders_parties import a_firm
from conftest import Database
from playwright.async_api import Browser

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.desks.pages import firm_data
from xinyidai.desks.pages.firm_data import Daily
from xinyidai.foundation.clock import AnchoredClock, business_date, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.pages.forms import Form
from xinyidai.foundation.pages.rendering import environment
from xinyidai.foundation.pages.words import Language
from xinyidai.foundation.settings import settings
from xinyidai.sources.queries import day_files
from xinyidai.sources.rules.subscriptions import ITEMS, SubscriptionEnd, SubscriptionState, SubscriptionView
from xinyidai.sources.service import subscribing

OFFICE = {
    "city_url": "http://127.0.0.1:8010",
    "benefits_client_id": "xinyidai",
    "benefits_public_key": "AAAA",
    "sandbox": True,
}
NUMBER = "SBGJJ4402139981170255"


@pytest.fixture
async def firm(database: Database, noon: datetime) -> Viewer:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        return await a_firm(session, now=noon)


@pytest.fixture
async def consent_id(database: Database, noon: datetime, firm: Viewer) -> UUID:
    """Let the firm consent to both items, and return the consent's id."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        return (await a_consent(session, firm, item_codes=ITEMS, now=noon)).id


@pytest.fixture
async def reader(
    database: Database, noon: datetime, firm: Viewer, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Reader]:
    """Yield the firm's owner, on a platform that is connected to the office."""
    async with connected(database, firm, noon, monkeypatch) as one:
        yield one


@asynccontextmanager
async def connected(
    database: Database, firm: Viewer, noon: datetime, monkeypatch: pytest.MonkeyPatch, language: str = "zh-CN"
) -> AsyncGenerator[Reader]:
    known = settings().model_copy(update=OFFICE)
    monkeypatch.setattr(subscribing, "settings", lambda: known)
    here = database.settings.model_copy(update=OFFICE)
    app = an_application(here, database.app, clock=AnchoredClock(wall_now(), noon, rate=0.0))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://platform.example",
        headers={"Accept": "text/html", "Accept-Language": language},
    ) as client:
        person = {"user_id": str(firm.principal_id), "party_id": str(firm.organisation_id)}
        assert (await client.post("/sandbox/sign-in", data=person)).status_code == 303
        yield Reader(client)


async def places(database: Database, firm: Viewer, noon: datetime) -> list[SubscriptionView]:
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        return await day_files.subscriptions(session, firm)


async def leave(reader: Reader) -> dict[str, str]:
    answer = await reader.client.get("/firm/data/authorise/benefits")
    address = urlsplit(answer.headers["location"])
    assert (address.netloc, address.path) == ("127.0.0.1:8010", "/benefits/authorize")
    return {name: values[0] for name, values in parse_qs(address.query).items()}


async def test_a_firm_goes_to_the_office_comes_back_with_its_number_and_is_noted_once(
    reader: Reader, database: Database, noon: datetime, firm: Viewer, consent_id: UUID
) -> None:
    before = await reader.read("/firm/data")
    asked = await leave(reader)
    back = {"reference": NUMBER, "state": asked["state"]}

    first = await reader.client.get("/firm/data/return/benefits", params=back)
    again = await reader.client.get("/firm/data/return/benefits", params=back)
    after = await reader.read("/firm/data")

    assert "还没有订阅" in before
    assert (asked["scope"], asked["redirect_uri"]) == (
        "social_insurance housing_fund",
        "http://platform.example/firm/data/return/benefits",
    )
    assert first.headers["location"] == again.headers["location"] == "/firm/data"
    assert "已登记，将随下一份名单报送" in after
    assert NUMBER not in after
    assert [one.state for one in await places(database, firm, noon)] == [SubscriptionState.ASKED]


async def test_a_number_from_the_counter_is_typed_and_pressed_twice_is_one_place(
    reader: Reader, database: Database, noon: datetime, firm: Viewer, consent_id: UUID
) -> None:
    empty = await reader.send("/firm/data/subscription", {"reference": " "}, shown_on="/firm/data")
    odd = await reader.send("/firm/data/subscription", {"reference": "授权号"}, shown_on="/firm/data")
    stale = await reader.client.post("/firm/data/subscription", data={"reference": NUMBER})
    fields = {"reference": NUMBER, "form_token": str(uuid4())}
    pressed = [await reader.client.post("/firm/data/subscription", data=fields) for _ in range(2)]

    assert (empty.status_code, "请输入对方给您的授权号" in empty.text) == (422, True)
    assert (odd.status_code, 'href="#field-reference"' in odd.text) == (422, True)
    assert (stale.status_code, "页面已过期" in stale.text) == (422, True)
    assert [one.headers["location"] for one in pressed] == ["/firm/data"] * 2
    assert len(await places(database, firm, noon)) == 1


async def test_a_firm_stops_it_and_may_begin_again(
    reader: Reader, database: Database, noon: datetime, firm: Viewer, consent_id: UUID
) -> None:
    await reader.send("/firm/data/subscription", {"reference": NUMBER}, shown_on="/firm/data")

    ended = await reader.send("/firm/data/subscription/end", {}, shown_on="/firm/data")
    page = await reader.read("/firm/data")
    twice = await reader.client.post("/firm/data/subscription/end", data={"form_token": str(uuid4())})
    await reader.send("/firm/data/subscription", {"reference": NUMBER}, shown_on="/firm/data")

    assert ended.headers["location"] == "/firm/data"
    assert "企业已停止订阅，已从名单移除" in page
    assert "前往社保和公积金中心授权" in page
    assert twice.status_code == 422
    states = [one.state for one in await places(database, firm, noon)]
    assert states == [SubscriptionState.ASKED, SubscriptionState.ENDED]


@pytest.mark.parametrize(("language", "said"), [("zh-CN", "缺少有效授权"), ("en", "No valid consent")])
async def test_without_a_consent_it_is_refused_in_both_languages_and_the_page_asks_for_that_first(
    database: Database, noon: datetime, firm: Viewer, monkeypatch: pytest.MonkeyPatch, language: str, said: str
) -> None:
    async with connected(database, firm, noon, monkeypatch, language) as reader:
        page = await reader.read("/firm/data")
        fields = {"reference": NUMBER, "form_token": str(uuid4())}
        refused = await reader.client.post("/firm/data/subscription", data=fields)
        offered = await reader.read("/firm/authorise?fill=benefits")

    assert 'href="/firm/authorise?fill=benefits"' in page
    assert "/firm/data/subscription" not in page
    assert (refused.status_code, said in refused.text) == (422, True)
    assert NUMBER not in page
    assert offered.count("checked") == 6


async def test_another_sessions_way_back_and_the_offices_no_subscribe_nobody(
    reader: Reader, database: Database, noon: datetime, firm: Viewer, consent_id: UUID
) -> None:
    state = (await leave(reader))["state"]

    strange = await reader.client.get("/firm/data/return/benefits", params={"reference": NUMBER, "state": "1.x"})
    denied = await reader.client.get("/firm/data/return/benefits", params={"error": "access_denied", "state": state})

    assert (strange.status_code, "不是由您当前的登录发起" in strange.text) == (422, True)
    assert (denied.status_code, "您选择了拒绝" in denied.text) == (422, True)
    assert await places(database, firm, noon) == []


async def test_a_consent_that_is_taken_back_is_said_at_once(
    reader: Reader, database: Database, noon: datetime, firm: Viewer, consent_id: UUID
) -> None:
    await reader.send("/firm/data/subscription", {"reference": NUMBER}, shown_on="/firm/data")
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        await consents.revoke(session, firm, consent_id, now=noon)

    page = await reader.read("/firm/data")

    assert "下一份名单不再包含贵企业，也不再接收数据" in page
    assert "停止订阅" in page


async def test_whoever_only_looks_presses_nothing_and_without_an_office_there_is_no_card(
    reader: Reader, database: Database, noon: datetime, firm: Viewer, consent_id: UUID
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        stranger = await a_firm(session, now=noon)

    async with a_reader(database, stranger, now=noon) as plain:
        page = await plain.read("/firm/data")
        left = await plain.client.get("/firm/data/authorise/benefits")
    ready = Daily(ITEMS, None)
    template = environment(Language.ZH).get_template("desks/daily.html")
    looked = template.render(daily=ready, may_authorise=False, form=Form(), today=noon.date())

    assert "office-benefits" not in page
    assert left.headers["location"] == "/firm/data"
    assert "请由负责人或经办人员前往社保和公积金中心授权" in looked
    assert "<form" not in looked


@pytest.mark.parametrize("language", Language)
def test_every_state_of_a_place_has_its_words(noon: datetime, language: Language) -> None:
    today = business_date(noon)
    place = SubscriptionView(uuid4(), uuid4(), SubscriptionState.ASKED, None, noon, None, None, None)
    listed = replace(place, state=SubscriptionState.LISTED, listed_from=today)
    ended = replace(place, state=SubscriptionState.ENDED, ended_at=noon)
    refused = replace(ended, state=SubscriptionState.REFUSED, reason=SubscriptionEnd.OFFICE_REFUSED)
    rests = replace(listed, rests_on=today + timedelta(days=1))
    rested = replace(listed, rests_on=today - timedelta(days=1))
    over = [replace(ended, reason=reason) for reason in SubscriptionEnd if reason is not SubscriptionEnd.OFFICE_REFUSED]
    template = environment(language).get_template("desks/daily.html")

    said = [
        template.render(daily=Daily(ITEMS, one), may_authorise=True, form=Form(), today=today, language=language)
        for one in (None, place, listed, rests, refused, *over)
    ]
    after = template.render(daily=Daily(ITEMS, rested), may_authorise=True, form=Form(), today=today, language=language)

    words = [one.split("<form")[0] for one in said]
    assert len(set(words)) == len(words)
    assert after.split("<form")[0] == words[2]
    assert ["subscription/end" in one for one in said] == [False, True, True, True, False, False, False, False]
    assert today.isoformat() in said[2]


@needs_chromium
@both_languages
async def test_the_card_is_whole_and_accessible_in_each_state(
    browser: Browser,
    database: Database,
    noon: datetime,
    reader: Reader,
    firm: Viewer,
    consent_id: UUID,
    language: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = firm_data.benefits_connection(settings().model_copy(update=OFFICE))
    monkeypatch.setattr(firm_data, "benefits_connection", lambda _settings: connection)
    found: list[list[str]] = []

    async with a_server(database, now=noon) as served, a_page(browser, served, language=language) as watched:
        await sign_in_as(watched.page.context, served, str(firm.principal_id), str(firm.organisation_id))
        await watched.open("/firm/data")
        await watched.page.locator("#office-benefits ~ details summary").click()
        found.append(await watched.faults())
        await watched.page.locator("#field-reference").fill(NUMBER)
        await watched.page.locator("#office-benefits ~ details button").click()
        await watched.page.locator("form[action$='/end']").wait_for()
        found.append(await watched.faults())

    assert found == [[], []]
    assert watched.complaints == []
    assert [one.state for one in await places(database, firm, noon)] == [SubscriptionState.ASKED]
