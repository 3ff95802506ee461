"""The doors of partners, over HTTP, with keys and with sessions."""

from collections.abc import AsyncGenerator
from datetime import datetime

import httpx
import pytest
from builders_applications import an_application
from conftest import Database

from xinyidai.foundation.clock import AnchoredClock, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.parties import service as parties
from xinyidai.parties.rules import PLATFORM_ID

API = "/api/v1"
PASSWORD = "a long pass phrase"


@pytest.fixture
async def client(database: Database, noon: datetime) -> AsyncGenerator[httpx.AsyncClient]:
    """Return a client that an operator has signed in on."""
    app = an_application(database.settings, database.app, clock=AnchoredClock(wall_now(), noon, 0.0))
    async with in_transaction(database.worker) as session:
        await parties.create_operator(session, email="op@example.com", display_name="运营", password=PASSWORD, now=noon)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://platform.test") as opened:
        await opened.post(f"{API}/sign-in", json={"email": "op@example.com", "password": PASSWORD})
        yield opened


def a_key_body(**changed: object) -> dict[str, object]:
    return {"organisation_id": str(PLATFORM_ID), "name": "核心系统", "scopes": ["parties:read"]} | changed


async def test_a_key_is_minted_used_listed_and_revoked(client: httpx.AsyncClient) -> None:
    minted = (await client.post(f"{API}/api-clients", json=a_key_body())).json()
    bearer = {"Authorization": f"Bearer {minted['secret']}"}
    used = await client.get(f"{API}/me", headers=bearer)
    listed = await client.get(f"{API}/api-clients")
    revoked = await client.post(f"{API}/api-clients/{minted['client']['id']}/revoke")
    after = await client.get(f"{API}/me", headers=bearer)

    assert used.json()["principal_kind"] == "client"
    assert used.json()["scopes"] == ["parties:read"]
    assert minted["secret"] not in listed.text
    assert [one["id"] for one in listed.json()["clients"]] == [minted["client"]["id"]]
    assert (revoked.status_code, after.status_code) == (204, 401)


async def test_a_key_without_the_scope_and_people_only_doors_are_shut(client: httpx.AsyncClient) -> None:
    minted = (await client.post(f"{API}/api-clients", json=a_key_body(scopes=["offers:write"]))).json()
    bearer = {"Authorization": f"Bearer {minted['secret']}"}

    answers = [
        await client.get(f"{API}/me", headers=bearer),
        await client.post(f"{API}/api-clients", json=a_key_body(), headers=bearer),
        await client.get(f"{API}/members", headers=bearer),
    ]

    assert [answer.status_code for answer in answers] == [403] * 3


@pytest.mark.parametrize("header", ["Bearer", "Bearer x", "Basic abc", "Bearer xyd_live_" + "A" * 43])
async def test_a_wrong_key_is_refused_even_beside_a_session(client: httpx.AsyncClient, header: str) -> None:
    answer = await client.get(f"{API}/me", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer.json()["code"] == "sign_in_needed"


@pytest.mark.parametrize(
    "changed", [{"scopes": []}, {"scopes": ["everything"]}, {"name": ""}, {"name": "名\u202e"}, {"extra": 1}]
)
async def test_a_bad_key_is_not_minted(client: httpx.AsyncClient, changed: dict[str, object]) -> None:
    refused = await client.post(f"{API}/api-clients", json=a_key_body(**changed))
    listed = await client.get(f"{API}/api-clients")

    assert 400 <= refused.status_code < 500
    assert listed.json()["clients"] == []
