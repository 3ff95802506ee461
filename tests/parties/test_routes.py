"""The doors of parties, over HTTP."""

from base64 import b64encode
from collections.abc import AsyncGenerator
from datetime import datetime

import httpx
import pytest
from builders_applications import an_application
from builders_parties import a_credit_code, a_viewer
from conftest import Database
from litestar.middleware.session.client_side import AAD

from xinyidai.access.rules import OrganisationKind, Role
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.clock import AnchoredClock, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.parties import service
from xinyidai.parties.rules import PLATFORM_ID

PASSWORD = "a long pass phrase"
API = "/api/v1"


@pytest.fixture
async def client(database: Database, noon: datetime) -> AsyncGenerator[httpx.AsyncClient]:
    """Return a client of the application."""
    app = an_application(database.settings, database.app, clock=AnchoredClock(wall_now(), noon, 0.0))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://platform.test") as opened:
        yield opened


@pytest.fixture
async def operator(database: Database, noon: datetime) -> dict[str, str]:
    """Return what an operator signs in with."""
    async with in_transaction(database.worker) as session:
        await service.create_operator(session, email="op@example.com", display_name="运营", password=PASSWORD, now=noon)
    return {"email": "op@example.com", "password": PASSWORD}


def a_firm_body(**changed: object) -> dict[str, object]:
    body: dict[str, object] = {
        "kind": "firm",
        "name": "重庆小面食品有限公司",
        "credit_code": a_credit_code(),
        "region_code": "500103",
        "industry_code": "F52",
        "staff": 12,
        "revenue_fen": 150_000_000,
        "owner": {"email": "owner@example.com", "display_name": "王小明", "password": PASSWORD},
    }
    return body | changed


async def test_a_firm_registers_signs_in_and_reads_itself(client: httpx.AsyncClient) -> None:
    registered = await client.post(f"{API}/firms", json=a_firm_body())
    signed_in = await client.post(f"{API}/sign-in", json={"email": "Owner@example.com", "password": PASSWORD})
    me = await client.get(f"{API}/me")
    party = await client.get(f"{API}/parties/{registered.json()['party_id']}")
    size = await client.get(f"{API}/size")

    assert (registered.status_code, signed_in.status_code) == (201, 200)
    assert me.json()["organisation_id"] == registered.json()["party_id"]
    assert me.json()["roles"] == ["owner"]
    assert party.json()["staff"] == 12
    assert size.json() == {
        "size": "small",
        "size_industry": "retail",
        "missing": [],
        "in_force_since": "2011-06-18",
        "is_verified": False,
    }


async def test_a_code_registered_twice_is_refused_by_a_stable_code(client: httpx.AsyncClient) -> None:
    body = a_firm_body()
    await client.post(f"{API}/firms", json=body)

    again = await client.post(f"{API}/firms", json=body)

    assert again.status_code == 409
    assert again.json()["code"] == "duplicate_party"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"credit_code": "91500103000000001A"}, "credit_code_check_digit_wrong"),
        ({"credit_code": "12345"}, "credit_code_malformed"),
        ({"credit_code": a_credit_code(OrganisationKind.SOLE_TRADER)}, "credit_code_class_unfit"),
        ({"region_code": "500999"}, "region_unknown"),
        ({"industry_code": "C99"}, "industry_unknown"),
        ({"name": "名\u202e称"}, "value_refused"),
        ({"kind": "lender"}, "value_refused"),
        ({"owner": None}, "value_refused"),
        ({"staff": -1}, "input_refused"),
        ({"staff": "12"}, "input_refused"),
        ({"revenue_fen": 2**63}, "input_refused"),
        ({"revenue_fen": 1.5}, "input_refused"),
        ({"established_on": "2025-06-17"}, "value_refused"),
        ({"secret": True}, "input_refused"),
    ],
)
async def test_a_bad_registration_is_refused_and_nothing_is_kept(
    client: httpx.AsyncClient, changed: dict[str, object], code: str
) -> None:
    refused = await client.post(f"{API}/firms", json=a_firm_body(**changed))
    registered = await client.post(f"{API}/firms", json=a_firm_body())

    assert 400 <= refused.status_code < 500
    assert refused.json()["code"] == code
    assert registered.status_code == 201


@pytest.mark.parametrize("number", ["1e400", "NaN", "-Infinity", "1" * 400])
async def test_numbers_that_are_none_are_refused(client: httpx.AsyncClient, number: str) -> None:
    body = '{"kind":"firm","name":"x","credit_code":"x","region_code":"x","revenue_fen":' + number + "}"

    refused = await client.post(f"{API}/firms", content=body, headers={"Content-Type": "application/json"})

    assert 400 <= refused.status_code < 500


async def test_a_wrong_password_and_an_unknown_email_answer_alike(client: httpx.AsyncClient) -> None:
    await client.post(f"{API}/firms", json=a_firm_body())

    answers = [
        (await client.post(f"{API}/sign-in", json={"email": email, "password": "wrong pass phrase"})).json()
        for email in ("owner@example.com", "nobody@example.com")
    ]

    assert [answer.pop("reference") is not None for answer in answers] == [True, True]
    assert answers[0] == answers[1]
    assert answers[0]["code"] == "sign_in_refused"


async def test_failures_are_counted_although_they_are_refused(client: httpx.AsyncClient) -> None:
    await client.post(f"{API}/firms", json=a_firm_body())
    for _ in range(5):
        await client.post(f"{API}/sign-in", json={"email": "owner@example.com", "password": "wrong pass phrase"})

    locked = await client.post(f"{API}/sign-in", json={"email": "owner@example.com", "password": PASSWORD})

    assert locked.status_code == 401


async def test_a_session_planted_before_the_sign_in_is_not_taken_over(client: httpx.AsyncClient) -> None:
    await client.post(f"{API}/firms", json=a_firm_body())
    planted = {"Cookie": "xinyidai_session=0123456789abcdef"}
    body = {"email": "owner@example.com", "password": PASSWORD}

    signed_in = await client.post(f"{API}/sign-in", json=body, headers=planted)
    owner = await client.get(f"{API}/me")
    client.cookies.clear()
    attacker = await client.get(f"{API}/me", headers=planted)

    assert (signed_in.status_code, owner.status_code) == (200, 200)
    assert attacker.status_code == 401


@pytest.mark.parametrize(
    "cookie", ["", "null", "A", "a b", "中", b64encode(b"x" * 40).decode(), b64encode(b"x" * 20 + AAD + b"[").decode()]
)
async def test_a_cookie_of_anybodys_making_is_nobodys(client: httpx.AsyncClient, cookie: str) -> None:
    answer = await client.get(f"{API}/me", headers={"Cookie": f"xinyidai_session={cookie}".encode()})

    assert answer.status_code == 401


async def test_a_session_outlives_the_process_that_began_it(
    client: httpx.AsyncClient, database: Database, noon: datetime
) -> None:
    await client.post(f"{API}/firms", json=a_firm_body())
    await client.post(f"{API}/sign-in", json={"email": "owner@example.com", "password": PASSWORD})

    restarted = an_application(database.settings, database.app, clock=AnchoredClock(wall_now(), noon, 0.0))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(restarted), base_url="https://platform.test", cookies=client.cookies
    ) as again:
        still_in = await again.get(f"{API}/me")
        await again.post(f"{API}/sign-out")
    out = await client.get(f"{API}/me")

    assert (still_in.status_code, out.status_code) == (200, 401)


async def test_a_visitor_gets_no_session(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{API}/regions")

    assert "set-cookie" not in answer.headers


async def test_signing_out_ends_the_session(client: httpx.AsyncClient) -> None:
    await client.post(f"{API}/firms", json=a_firm_body())
    signed_in = await client.post(f"{API}/sign-in", json={"email": "owner@example.com", "password": PASSWORD})
    cookie = {"Cookie": signed_in.headers["set-cookie"].split(";")[0]}

    await client.post(f"{API}/sign-out")
    client.cookies.clear()
    after = await client.get(f"{API}/me", headers=cookie)

    assert after.status_code == 401


async def test_somebody_signed_in_registers_a_second_firm_and_then_chooses(client: httpx.AsyncClient) -> None:
    await client.post(f"{API}/firms", json=a_firm_body())
    credentials = {"email": "owner@example.com", "password": PASSWORD}
    await client.post(f"{API}/sign-in", json=credentials)

    second = await client.post(f"{API}/firms", json=a_firm_body(owner=None, name="第二家"))
    undecided = await client.post(f"{API}/sign-in", json=credentials)
    decided = await client.post(f"{API}/sign-in", json=credentials | {"organisation_id": second.json()["party_id"]})

    assert second.status_code == 201
    assert undecided.json()["code"] == "organisation_to_choose"
    assert second.json()["party_id"] in undecided.json()["facts"]["organisation_ids"]
    assert len(decided.json()["me"]["organisations"]) == 2


async def test_the_operator_makes_a_bank_and_its_desk(client: httpx.AsyncClient, operator: dict[str, str]) -> None:
    await client.post(f"{API}/sign-in", json=operator)
    bank = (
        await client.post(f"{API}/parties", json={"kind": "lender", "name": "示例银行", "region_code": "500103"})
    ).json()["party_id"]
    for email, roles in (("maker@bank.example", ["officer", "admin"]), ("checker@bank.example", ["approver"])):
        person = {
            "organisation_id": bank,
            "email": email,
            "display_name": "职员",
            "password": PASSWORD,
            "roles": roles,
        }
        admitted = await client.post(f"{API}/users", json=person)
        assert admitted.status_code == 201

    await client.post(f"{API}/sign-in", json={"email": "maker@bank.example", "password": PASSWORD})
    members = (await client.get(f"{API}/members")).json()
    listed = (await client.get(f"{API}/parties", params={"kind": "lender"})).json()

    assert members["is_desk_complete"] is True
    assert {member["email"] for member in members["members"]} == {"maker@bank.example", "checker@bank.example"}
    assert [party["id"] for party in listed["parties"]] == [bank]


async def test_an_ended_membership_ends_the_session_with_the_next_request(
    client: httpx.AsyncClient, operator: dict[str, str], database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await a_viewer(session, PLATFORM_ID, Role.ADMIN, now=noon)
    await client.post(f"{API}/sign-in", json=operator)
    members = (await client.get(f"{API}/members")).json()["members"]
    (own,) = [member["id"] for member in members if member["email"] == operator["email"]]

    ended = await client.post(f"{API}/memberships/{own}/end")
    after = await client.get(f"{API}/me")

    assert (ended.status_code, after.status_code) == (204, 401)


async def test_doors_are_shut_to_those_who_may_not(client: httpx.AsyncClient) -> None:
    without = [
        await client.get(f"{API}/me"),
        await client.post(f"{API}/parties", json={"kind": "lender", "name": "x"}),
        await client.get(f"{API}/members"),
    ]
    await client.post(f"{API}/firms", json=a_firm_body())
    await client.post(f"{API}/sign-in", json={"email": "owner@example.com", "password": PASSWORD})
    as_firm = [
        await client.post(f"{API}/parties", json={"kind": "lender", "name": "x"}),
        await client.post(f"{API}/credit-code-exceptions", json={"credit_code": "x", "reason": "a reason long enough"}),
    ]

    assert [answer.status_code for answer in without] == [401] * 3
    assert [answer.status_code for answer in as_firm] == [403] * 2


async def test_customers_are_not_listed(client: httpx.AsyncClient, operator: dict[str, str]) -> None:
    await client.post(f"{API}/sign-in", json=operator)

    refused = await client.get(f"{API}/parties", params={"kind": "firm"})

    assert refused.json()["code"] == "value_refused"


async def test_regions_and_industries_are_open_to_all(client: httpx.AsyncClient) -> None:
    before = (await client.get(f"{API}/regions", params={"on": "2025-11-05"})).json()
    after = (await client.get(f"{API}/regions", params={"on": "2025-11-06"})).json()
    today = (await client.get(f"{API}/regions")).json()
    industries = (await client.get(f"{API}/industries")).json()

    assert [len(answer["regions"]) for answer in (before, after, today)] == [38, 37, 38]
    assert today["on"] == "2025-06-16"
    assert {one["share_ppm"] for one in after["successors"]} == {None, 1_000_000}
    assert len(industries) == 20


async def test_a_region_gets_its_official_code_from_the_operator(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    await client.post(f"{API}/sign-in", json=operator)

    recorded = await client.post(f"{API}/regions/CQ-GX/official-code", json={"gb_code": "500198"})
    unknown = await client.post(f"{API}/regions/CQ-XX/official-code", json={"gb_code": "500198"})

    assert recorded.json()["gb_code"] == "500198"
    assert unknown.json()["code"] == "region_unknown"
