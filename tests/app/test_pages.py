"""The pages' doors: errors as pages, signing in and back, other sites refused, a sandbox's doors only in a sandbox."""

import re
from collections.abc import AsyncGenerator
from datetime import datetime

import httpx
import pytest
from builders_applications import an_application
from builders_parties import a_firm
from conftest import Database
from litestar import Litestar

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.clock import AnchoredClock, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.pages.rendering import CONTENT_SECURITY_POLICY
from xinyidai.parties import service as parties

PAGE = {"Accept": "text/html", "Accept-Language": "zh-CN"}
PASSWORD = "a long enough password"


def an_app(database: Database, now: datetime, *, sandbox: bool) -> Litestar:
    settings = database.settings.model_copy(update={"sandbox": sandbox})
    return an_application(settings, database.app, clock=AnchoredClock(wall_now(), now))


@pytest.fixture
async def firm(database: Database, noon: datetime) -> Viewer:
    """Return the owner of a firm, who signs in as owner@example.com."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        viewer = await a_firm(session, now=noon)
        user_id = await parties.create_user(
            session, email="owner@example.com", display_name="业主", password=PASSWORD, now=noon
        )
        await parties.add_membership(session, user_id, viewer.organisation_id, list(viewer.roles), now=noon)  # type: ignore[arg-type]
        return viewer


@pytest.fixture
async def visitor(database: Database, noon: datetime, firm: Viewer) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(an_app(database, noon, sandbox=True))
    async with httpx.AsyncClient(transport=transport, base_url="http://platform.example", headers=PAGE) as client:
        yield client


async def sign_in(client: httpx.AsyncClient, **more: str) -> httpx.Response:
    return await client.post("/sign-in", data={"email": "owner@example.com", "password": PASSWORD, **more})


async def test_a_page_carries_its_headers_and_no_foreign_address(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/")

    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-encoding"] == "gzip"
    assert re.findall(r'(?:src|href|action)="(?:https?:)?//', answer.text) == []
    assert '<html lang="zh-CN">' in answer.text


async def test_a_static_file_is_named_by_its_content(visitor: httpx.AsyncClient) -> None:
    page = await visitor.get("/")
    address = re.search(r'href="(/static/\w+/tabler\.css)"', page.text)
    assert address is not None

    kept = await visitor.get(address.group(1))
    stale = await visitor.get("/static/0000000000000000/tabler.css")
    outside = await visitor.get("/static/0000000000000000/package.json")

    assert (kept.status_code, kept.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    assert (kept.headers["content-type"], kept.headers["content-encoding"]) == ("text/css; charset=utf-8", "gzip")
    assert (stale.status_code, outside.status_code) == (404, 404)


async def test_errors_are_pages_for_browsers_and_json_under_the_api(visitor: httpx.AsyncClient) -> None:
    page, document = await visitor.get("/nowhere"), await visitor.get("/api/v1/nowhere")
    plain = await visitor.get("/nowhere", headers={"Accept": "*/*"})

    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "参考号" in page.text
    assert 'href="/"' in page.text
    assert document.headers["content-type"].startswith("application/problem+json")
    assert plain.headers["content-type"].startswith("application/problem+json")


async def test_the_language_is_the_readers_or_the_chosen_one(visitor: httpx.AsyncClient) -> None:
    english = await visitor.get("/", headers={"Accept-Language": "fr, en;q=0.8"})
    chosen = await visitor.get("/language/en?back=/sign-in")
    after = await visitor.get("/sign-in")
    abroad = await visitor.get("/language/en?back=//evil.example")

    assert "Ask once" in english.text
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/sign-in")
    assert '<html lang="en">' in after.text
    assert abroad.headers["location"] == "/"


async def test_a_guarded_page_leads_to_the_sign_in_and_back(visitor: httpx.AsyncClient) -> None:
    asked = await visitor.get("/organisations?x=1")
    form = await visitor.get(asked.headers["location"])
    target = re.search(r'name="next" value="([^"]*)"', form.text)
    assert target is not None
    back = await sign_in(visitor, next=target.group(1))

    assert asked.status_code == 303
    assert (back.status_code, back.headers["location"]) == (303, "/organisations?x=1")


async def test_a_wrong_password_keeps_the_email_and_says_so_on_top(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.post("/sign-in", data={"email": "owner@example.com", "password": "not-the-one"})

    assert answer.status_code == 422
    assert "<title>错误：" in answer.text
    assert 'value="owner@example.com"' in answer.text
    assert 'href="#field-email"' in answer.text
    assert "not-the-one" not in answer.text


async def test_an_expired_session_keeps_what_was_typed_and_offers_it_again(visitor: httpx.AsyncClient) -> None:
    asked = await visitor.post("/organisations", data={"party_id": "x", "note": "写了很久的话"})
    packed = re.search(r'name="resume" value="([^"]*)"', asked.text)
    assert packed is not None
    resumed = await sign_in(visitor, resume=packed.group(1).replace("&#34;", '"'))

    assert asked.status_code == 401
    assert "www-authenticate" not in asked.headers
    assert "写了很久的话" in resumed.text
    assert 'action="/organisations"' in resumed.text


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/organisations", "/sandbox/sign-in", "/api/v1/sign-in"])
@pytest.mark.parametrize(
    "header", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
async def test_another_site_posts_nothing(visitor: httpx.AsyncClient, path: str, header: dict[str, str]) -> None:
    visiting = await visitor.post(path, data={"email": "a"}, headers=header)
    await sign_in(visitor)
    signed_in = await visitor.post(path, data={"email": "a"}, headers=header)

    assert (visiting.status_code, signed_in.status_code) == (403, 403)


async def test_one_click_signs_in_a_simulated_person_only(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, firm: Viewer
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        real = await parties.register_party(
            session, kind=OrganisationKind.LENDER, name="真实银行", credit_code=None, region_code="500103", now=noon
        )
        person = await parties.create_user(
            session, email="real@example.com", display_name="真人", password=None, now=noon
        )
        await parties.add_membership(session, person, real, list(firm.roles), now=noon)

    simulated = await visitor.post(
        "/sandbox/sign-in", data={"user_id": str(firm.principal_id), "party_id": str(firm.organisation_id)}
    )
    refused = await visitor.post("/sandbox/sign-in", data={"user_id": str(person), "party_id": str(real)})

    assert (simulated.status_code, simulated.headers["location"]) == (303, "/desk")
    assert refused.status_code == 404


async def test_a_sandboxs_doors_are_not_there_elsewhere(database: Database, noon: datetime, firm: Viewer) -> None:
    app = an_app(database, noon, sandbox=False)
    paths = {route.path for route in app.routes}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://platform.example", headers=PAGE
    ) as client:
        page = await client.get("/")
        answer = await client.post("/sandbox/sign-in", data={"user_id": str(firm.principal_id)})

    assert [path for path in paths if path.startswith(("/sandbox", "/live"))] == []
    assert answer.status_code in {404, 405}
    assert "演示数据" not in page.text


async def test_signing_out_ends_the_session(visitor: httpx.AsyncClient) -> None:
    await sign_in(visitor)
    inside = await visitor.get("/organisations")
    await visitor.post("/sign-out")
    outside = await visitor.get("/organisations")

    assert (inside.status_code, outside.status_code) == (200, 303)
