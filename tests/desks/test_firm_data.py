"""The firm's way to the tax bureau and back: the link, every answer of the bureau, and how the fetching is told."""

import re
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
from builders_applications import an_application
from builders_demands import a_consent_to
from builders_desks import Reader, a_reader
from builders_pages import a_page, a_server, both_languages, needs_chromium, sign_in_as
from builders_parties import a_firm
from conftest import Database
from playwright.async_api import Browser

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.desks.pages import firm_data
from xinyidai.foundation.clock import AnchoredClock, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.pages.rendering import environment
from xinyidai.foundation.pages.words import Language
from xinyidai.foundation.settings import settings
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources.rules.pull_parts import PullReason
from xinyidai.sources.rules.pulls import PullId, PullSource, PullState, PullView
from xinyidai.sources.service import pulling

CITY = {"city_url": "http://127.0.0.1:8010", "tax_client_id": "xinyidai", "sandbox": True}
NASTY = "\"'><script>alert(1)</script>"


@pytest.fixture
async def firm(database: Database, noon: datetime) -> Viewer:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        return await a_firm(session, now=noon)


@pytest.fixture
async def reader(
    database: Database, noon: datetime, firm: Viewer, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Reader]:
    """Yield the firm's owner, on a platform that is connected to a tax bureau."""
    known = settings().model_copy(update=CITY)
    monkeypatch.setattr(pulling, "settings", lambda: known)
    connected = database.settings.model_copy(update=CITY)
    app = an_application(connected, database.app, clock=AnchoredClock(wall_now(), noon, rate=0.0))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://platform.example",
        headers={"Accept": "text/html", "Accept-Language": "zh-CN"},
    ) as client:
        person = {"user_id": str(firm.principal_id), "party_id": str(firm.organisation_id)}
        assert (await client.post("/sandbox/sign-in", data=person)).status_code == 303
        yield Reader(client)


@pytest.fixture
async def consenting(database: Database, noon: datetime, firm: Viewer) -> Viewer:
    """Return the firm, which lets the platform use its invoices."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await a_consent_to(session, firm, PLATFORM_ID, now=noon)
    return firm


async def state_of_the_link(reader: Reader) -> str:
    answer = await reader.client.get("/firm/data/authorise")
    return parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]


async def come_back(reader: Reader, **query: str) -> httpx.Response:
    return await reader.client.get("/firm/data/return", params=query)


async def test_the_link_leads_to_the_bureau_with_what_it_needs(reader: Reader, consenting: Viewer) -> None:
    page = await reader.read("/firm/data")
    left = await reader.client.get("/firm/data/authorise")
    address = urlsplit(left.headers["location"])
    query = {name: values[0] for name, values in parse_qs(address.query).items()}

    assert 'href="/firm/data/authorise"' in page
    assert (left.status_code, address.netloc, address.path) == (303, "127.0.0.1:8010", "/tax/authorize")
    assert query["redirect_uri"] == "http://platform.example/firm/data/return"
    assert (query["client_id"], query["scope"], len(query["credit_code"])) == (
        "xinyidai",
        "vat_invoices tax_filing tax_grade tax_arrears",
        18,
    )


async def test_without_a_consent_here_the_page_asks_for_that_first(reader: Reader) -> None:
    page = await reader.read("/firm/data")
    refused = await come_back(reader, code="a code", state=await state_of_the_link(reader))

    assert "/firm/authorise?fill=needed" in page
    assert "/firm/data/authorise" not in page
    assert refused.status_code == 422


async def test_without_a_bureau_data_is_waited_for(database: Database, noon: datetime, firm: Viewer) -> None:
    async with a_reader(database, firm, now=noon) as plain:
        page = await plain.read("/firm/data")
        left = await plain.client.get("/firm/data/authorise")

    assert "等待数据部门投递" in page
    assert left.headers["location"] == "/firm/data"


async def test_a_consent_there_begins_the_fetching_once_and_the_page_shows_it(
    reader: Reader, consenting: Viewer, database: Database
) -> None:
    state = await state_of_the_link(reader)

    first = await come_back(reader, code="a code", state=state)
    again = await come_back(reader, code="a code", state=state)
    other = await come_back(reader, code="another", state=state)
    page = await reader.read("/firm/data")
    part = await reader.read("/firm/data/pull")

    assert (first.headers["location"], again.headers["location"]) == ("/firm/data", "/firm/data")
    assert (other.status_code, "正在获取该企业的数据" in other.text) == (422, True)
    assert 'sse-connect="/firm/data/pull/stream"' in page
    assert "已排队" in part
    assert "<progress" in part
    assert "/firm/data/authorise" not in page


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"error": "access_denied"}, "您选择了拒绝"),
        ({"error": NASTY}, "对方没有完成授权"),
        ({"code": ""}, "consent_code"),
    ],
)
async def test_the_bureaus_no_is_told_plainly(
    reader: Reader, consenting: Viewer, query: dict[str, str], sentence: str
) -> None:
    answer = await come_back(reader, **query, state=await state_of_the_link(reader))

    assert answer.status_code == 422
    assert sentence in answer.text
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("state", ["", "x", NASTY, "9999999999.00", "1.é"])
async def test_a_state_that_is_not_this_sessions_asks_for_nothing(
    reader: Reader, consenting: Viewer, state: str
) -> None:
    answer = await come_back(reader, code="a code", state=state)
    page = await reader.read("/firm/data")

    assert answer.status_code == 422
    assert "不是由您当前的登录发起" in answer.text
    assert "正在获取" not in page


async def test_a_state_of_another_session_or_an_old_one_is_refused(
    reader: Reader, consenting: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firm_data, "STATE_LASTS", timedelta(seconds=-1))
    old = await come_back(reader, code="a code", state=await state_of_the_link(reader))
    monkeypatch.undo()
    state = await state_of_the_link(reader)
    person = {"user_id": str(consenting.principal_id), "party_id": str(consenting.organisation_id)}
    await reader.client.post("/sandbox/sign-in", data=person)
    others = await come_back(reader, code="a code", state=state)

    assert "超过 15 分钟" in old.text
    assert "不是由您当前的登录发起" in others.text


def a_pull(state: PullState, noon: datetime, *, reason: PullReason | None = None, pages: int | None = None) -> PullView:
    return PullView(
        id=PullId(uuid4()),
        firm_id=uuid4(),
        source=PullSource.TAX,
        state=state,
        reason=reason,
        asked_at=noon,
        months_from=noon.date().replace(day=1),
        months_to=noon.date().replace(day=1),
        pages_done=3,
        pages=pages,
        covers_from=None,
        covers_to=None,
        attempts=2,
        retries_at=noon if reason is PullReason.QUOTA else None,
        received=1200,
        loaded=1100,
        delivery_id=None,
        ended_at=None,
    )


@pytest.mark.parametrize("language", Language)
def test_every_state_and_reason_of_a_pull_has_its_words(noon: datetime, language: Language) -> None:
    template = environment(language).get_template("desks/pull.html")

    said = {
        (state, reason): template.render(pulls=[a_pull(state, noon, reason=reason, pages=12)], today=noon.date())
        for state in PullState
        for reason in (*PullReason, None)
    }

    waiting = said[PullState.PENDING, PullReason.QUOTA]
    assert re.search(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}", waiting)
    assert re.search(r"3 / 12|3 of 12", said[PullState.RUNNING, None])
    asks_again = {state: 'href="/firm/data"' in said[state, None] for state in PullState}
    assert [state for state, does in asks_again.items() if does] == [PullState.PENDING, PullState.RUNNING]
    assert len({said[state, None].split("</h2>")[0] for state in PullState}) == 4
    assert "1,200" in said[PullState.READY, None]
    assert len({said[PullState.DENIED, reason] for reason in PullReason}) == len(PullReason)


@needs_chromium
@both_languages
async def test_the_data_page_is_whole_and_accessible_before_and_while_fetching(
    browser: Browser,
    database: Database,
    noon: datetime,
    reader: Reader,
    consenting: Viewer,
    language: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(firm_data, "connected_sources", lambda _settings: list(PullSource))
    found: list[list[str]] = []

    async with a_server(database, now=noon) as served, a_page(browser, served, language=language) as watched:
        await sign_in_as(watched.page.context, served, str(consenting.principal_id), str(consenting.organisation_id))
        await watched.open("/firm/data")
        found.append(await watched.faults())
        await come_back(reader, code="a code", state=await state_of_the_link(reader))
        await watched.open("/firm/data")
        await watched.page.wait_for_selector("progress")
        await watched.picture("firm-data-fetching")
        found.append(await watched.faults())

    assert found == [[], []]
    assert watched.complaints == []
