"""The doors as a whole: who may call, what errors look like, what the API description promises."""

import json
import re
from collections.abc import AsyncGenerator
from datetime import datetime

import httpx
import pytest
from builders_applications import an_application
from builders_parties import a_firm, a_lender, the_operator
from conftest import Database
from litestar import Litestar
from sqlalchemy import text

from xinyidai.access.guards import FRESH
from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.app.describing import Document, describe
from xinyidai.foundation.clock import AnchoredClock, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.partners import service as partners
from xinyidai.partners.rules import Scope

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def app(database: Database, noon: datetime) -> Litestar:
    settings = database.settings.model_copy(update={"sandbox": True, "requests_per_minute": 100_000})
    return an_application(settings, database.app, clock=AnchoredClock(wall_now(), noon))


@pytest.fixture
async def visitor(app: Litestar) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://platform.example") as client:
        yield client


def document_of(app: Litestar) -> Document:
    return describe(app)


def operations(app: Litestar) -> list[tuple[str, str, dict[str, object]]]:
    return [
        (method, path, item[method])
        for path, item in document_of(app)["paths"].items()
        for method in METHODS
        if method in item
    ]


async def a_key(database: Database, viewer: Viewer, scopes: list[str], now: datetime) -> dict[str, str]:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        minted = await partners.mint_key(
            session, viewer, organisation_id=viewer.organisation_id, name="tests", scopes=scopes, now=now
        )
    return {"Authorization": f"Bearer {minted.secret}"}


async def test_the_process_is_alive_and_ready(visitor: httpx.AsyncClient) -> None:
    live, ready = await visitor.get("/health/live"), await visitor.get("/health/ready")

    assert (live.status_code, ready.status_code) == (200, 200)
    assert ready.json()["parts"] == {"database": "ok", "revision": "ok"}


async def test_every_operation_has_a_name_a_summary_and_an_example(app: Litestar) -> None:
    document = document_of(app)
    schemas = document["components"]["schemas"]
    without: list[str] = []
    for method, path, operation in operations(app):
        named = bool(operation.get("operationId")) and bool(operation.get("summary"))
        body = json.dumps(operation.get("requestBody", {}))
        answers = json.dumps(operation["responses"])
        shown = [has_example(one, schemas) for one in (body, answers) if "$ref" in one]
        without += [] if named and all(shown) else [f"{method} {path}"]

    assert len(operations(app)) > 40
    assert without == []


OPEN_TO_ALL = {
    "sign-in",
    "sign-in/second-factor",
    "sign-in/enrolment",
    "sign-in/enrolment/confirm",
    "sign-out",
    "invitations/show",
    "invitations/accept",
    "account-recovery/complete",
    "account-recovery/code",
    "account-recovery/alone",
    "firms",
    "regions",
    "industries",
}

PROVED_FRESHLY = {
    "AcceptOffer",
    "AdmitPerson",
    "ApproveAgreement",
    "ApproveClaim",
    "ApproveCodeException",
    "ApproveModelRelease",
    "ApproveOffer",
    "ApproveProviderKey",
    "ApproveRepair",
    "AskAccountRecovery",
    "AskRight",
    "BeginEnrolment",
    "ChangeRoles",
    "ConfirmAccountRecovery",
    "ConfirmEnrolment",
    "ConfirmPayIn",
    "DisableSecondFactor",
    "DisburseLoan",
    "EndMembership",
    "GiveMembership",
    "Invite",
    "LeaveOrganisation",
    "MintKey",
    "PayClaim",
    "ProposeCodeException",
    "ProposeProviderKey",
    "RecordRecovery",
    "RenewRecoveryCodes",
    "ReopenLine",
    "RepayLoan",
    "RetireProviderKey",
    "RetryDelivery",
    "RetryGivenUpDeliveries",
    "RetryJob",
}

MOVES_MONEY = {
    "AcceptOffer",
    "ApproveAgreement",
    "ChooseLenders",
    "ConfirmPayIn",
    "DeclarePayIn",
    "DenyClaim",
    "DisburseLoan",
    "FileClaim",
    "FileObjection",
    "FileRepair",
    "PayClaim",
    "RecordRecovery",
    "RefuseObjection",
    "RefuseRepair",
    "RepayLoan",
    "UpholdObjection",
    "WithdrawClaim",
}


async def test_every_call_that_moves_money_says_that_it_needs_a_key(app: Litestar) -> None:
    saying = {
        str(operation["operationId"])
        for _, _, operation in operations(app)
        if "Idempotency-Key" in str(operation.get("description"))
    }
    taking = {
        str(operation["operationId"]): operation
        for _, _, operation in operations(app)
        if "Idempotency-Key" in [parameter["name"] for parameter in operation.get("parameters", [])]  # type: ignore[attr-defined]
    }
    told = {name: json.dumps(operation["responses"]) for name, operation in taking.items()}
    codes = ("idempotency_key_missing", "idempotency_key_refused", "idempotency_key_reused", "twin_in_flight")

    assert saying == MOVES_MONEY
    assert set(taking) == MOVES_MONEY
    assert [name for name, text in told.items() if not all(f"`{code}`" in text for code in codes)] == []


async def test_what_moves_money_or_rights_demands_a_fresh_proof_of_people(app: Litestar) -> None:
    demanding = {
        handler.operation_id
        for route in app.routes
        for handler in getattr(route, "route_handlers", [])
        for layer in handler.ownership_layers
        for guard in layer.guards or []
        if getattr(guard, FRESH, False) and route.path.startswith("/api/")
    }

    assert demanding == PROVED_FRESHLY


def has_example(described: str, schemas: dict[str, dict[str, dict[str, object]]]) -> bool:
    names = {part.split('"')[0] for part in described.split("#/components/schemas/")[1:]} - {"Problem"}
    return "example" in described or all(set(schemas[name]) & {"example", "examples"} for name in names)


async def test_without_a_sign_in_every_guarded_route_says_so(app: Litestar, visitor: httpx.AsyncClient) -> None:
    open_paths = {f"/api/v1/{path}" for path in OPEN_TO_ALL}
    guarded = [
        (method, path)
        for method, path, _ in operations(app)
        if path.startswith("/api/v1") and path not in open_paths and not path.startswith("/api/v1/catalogue")
    ]

    answers = {
        (method, path): (await visitor.request(method, fill(path), json={})).status_code for method, path in guarded
    }

    assert {one: status for one, status in answers.items() if status != 401} == {}


def fill(path: str) -> str:
    numbered = path.replace("{account_id}", "1")
    return re.sub(r"\{[^}]+\}", "00000000-0000-7000-8000-000000000000", numbered)


@pytest.mark.parametrize(
    "header", ["Bearer ", "Bearer xyd_live_nonsense", "Basic YTpi", "xyd_live_nonsense", "Bearer " + "x" * 5000]
)
async def test_a_wrong_key_is_refused_at_once(visitor: httpx.AsyncClient, header: str) -> None:
    answer = await visitor.get("/api/v1/me", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["code"] == "sign_in_needed"


async def test_an_error_is_a_problem_document_in_both_languages(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/api/v1/nowhere")

    problem = answer.json()
    assert answer.status_code == 404
    assert (problem["code"], problem["status"]) == ("not_found", 404)
    assert problem["title"]
    assert problem["title_zh"]
    assert len(problem["reference"]) == 16


async def test_a_browser_on_another_site_cannot_use_a_sign_in(
    visitor: httpx.AsyncClient, database: Database, noon: datetime
) -> None:
    owner = {
        "kind": "firm",
        "name": "重庆测试小面有限公司",
        "credit_code": "91350100M000100Y43",
        "region_code": "500103",
        "owner": {"email": "owner@example.com", "display_name": "业主", "password": "a long enough password"},
    }
    registered = await visitor.post("/api/v1/firms", json=owner)
    signed_in = await visitor.post(
        "/api/v1/sign-in", json={"email": "owner@example.com", "password": "a long enough password"}
    )

    own = await visitor.get("/api/v1/me")
    foreign = await visitor.post("/api/v1/sign-out", headers={"Origin": "https://elsewhere.example"})
    by_fetch = await visitor.post("/api/v1/sign-out", headers={"Sec-Fetch-Site": "cross-site"})

    assert (registered.status_code, signed_in.status_code, own.status_code) == (201, 200, 200)
    assert (foreign.status_code, foreign.json()["code"]) == (403, "cross_origin_refused")
    assert by_fetch.json()["code"] == "cross_origin_refused"


async def test_a_key_reaches_only_what_its_scopes_name(
    visitor: httpx.AsyncClient, database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lender = await a_lender(session, now=noon)
    key = await a_key(database, lender.maker, ["demands:read"], noon)

    listed = await visitor.get("/api/v1/dispatches", headers=key)
    minting = await visitor.post("/api/v1/api-clients", headers=key, json={"name": "x", "scopes": ["demands:read"]})

    assert listed.status_code in {200, 403}
    assert minting.status_code == 403


async def test_an_account_has_an_allowance_a_minute(database: Database, noon: datetime) -> None:
    settings = database.settings.model_copy(update={"requests_per_minute": 3, "sandbox": True})
    app = an_application(settings, database.app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://platform.example") as client:
        answers = [await client.get("/api/v1/me", headers={"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(5)]
        health = await client.get("/health/live")

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert answers[-1].json()["code"] == "too_many_requests"
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
    assert health.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b'{"amount_fen": NaN}',
        b'{"amount_fen": 1e400}',
        b'{"amount_fen": 9223372036854775808}',
        '{"amount_fen": "１００"}'.encode(),
        b'{"amount_fen": 0.5}',
        b"[" * 20_000,
        b'{"amount_fen": 1, "surprise": true}',
    ],
    ids=[
        "empty",
        "cut",
        "list",
        "null",
        "not utf-8",
        "NaN",
        "1e400",
        "2^63",
        "full-width",
        "fraction",
        "deep",
        "unknown",
    ],
)
async def test_a_malformed_demand_is_refused_and_nothing_is_written(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, body: bytes
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
    key = await a_key(database, firm, ["demands:write"], noon)

    answer = await visitor.post("/api/v1/demands", headers=key | {"Content-Type": "application/json"}, content=body)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        written = (await session.execute(text("SELECT count(*) FROM demands.demand"))).scalar_one()
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"]
    assert written == 0


NOT_UTF_8 = b'{"email": "\xff\xfe", "password": "x"}'


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (rb'{"email": "a\u0000@example.com", "password": "x"}', 422, "input_refused"),
        (rb'{"email": "a@example.com", "password": "\u0000"}', 422, "input_refused"),
        (rb'{"email": "a@example.com", "password": "x", "\u0000": 1}', 422, "input_refused"),
        (rb'{"email": "\ud800", "password": "x"}', 400, "request_refused"),
        (NOT_UTF_8, 400, "request_refused"),
    ],
    ids=["NUL in email", "NUL in password", "NUL in a name", "half a surrogate", "not utf-8"],
)
async def test_text_that_no_database_can_hold_is_refused_before_a_sign_in(
    visitor: httpx.AsyncClient, body: bytes, status: int, code: str
) -> None:
    answer = await visitor.post("/api/v1/sign-in", headers={"Content-Type": "application/json"}, content=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_no_json_door_answers_that_it_failed_to_nul_or_to_what_is_not_utf_8(
    app: Litestar, visitor: httpx.AsyncClient, database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, lender, operator = (
            await a_firm(session, now=noon),
            (await a_lender(session, now=noon)).maker,
            (await the_operator(session, now=noon)).maker,
        )
    every_scope = [scope.value for scope in Scope]
    keys = [await a_key(database, one, every_scope, noon) for one in (firm, lender, operator)]
    document = document_of(app)
    doors = [(method, path, one) for method, path, one in operations(app) if "requestBody" in one]
    bodies = [NOT_UTF_8, *(nul_everywhere(one, document) for _method, _path, one in doors)]

    answers = {
        (method, path, body): (
            await visitor.request(method, fill(path), headers=key | {"Content-Type": "application/json"}, content=body)
        ).status_code
        for (method, path, _one), nul in zip(doors, bodies[1:], strict=True)
        for body in (NOT_UTF_8, nul)
        for key in keys
    }

    assert len(doors) > 20
    assert {one: status for one, status in answers.items() if not 400 <= status < 500 or status == 429} == {}


def nul_everywhere(operation: dict[str, object], document: Document) -> bytes:
    """Return a door's example with NUL at the end of every text."""
    name = json.dumps(operation["requestBody"]).split("#/components/schemas/")[-1].split('"')[0]
    schema = document["components"]["schemas"].get(name, {})
    return re.sub(r'(": "[^"]*)"', r'\1\\u0000"', json.dumps(schema.get("examples", [{}])[0])).encode()  # type: ignore[index]


async def test_nul_in_a_path_or_a_query_is_refused_too(
    visitor: httpx.AsyncClient, database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        operator = (await the_operator(session, now=noon)).maker
    key = await a_key(database, operator, [scope.value for scope in Scope], noon)

    answers = [
        await visitor.get(f"/api/v1/{path}", headers=key)
        for path in (
            "ledger/accounts?prefix=%00",
            "sources/deliveries?cursor=%00",
            "products/%00",
            "audit/records?cursor=%00",
        )
    ]

    assert [answer.status_code for answer in answers if answer.status_code >= 500] == []


async def test_a_body_over_a_megabyte_is_refused(
    visitor: httpx.AsyncClient, database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        operator = await the_operator(session, now=noon)
    key = await a_key(database, operator.maker, ["demands:write"], noon)

    answer = await visitor.post("/api/v1/demands", headers=key, content=b" " * (1 << 20) + b"{}")

    assert 400 <= answer.status_code < 500


async def test_the_reference_page_needs_no_other_host(visitor: httpx.AsyncClient) -> None:
    page = await visitor.get("/api")
    document = await visitor.get("/api/openapi.json")
    start = await visitor.get("/")

    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http://" not in page.text
    assert "https://" not in page.text.replace("https://json-schema.org", "")
    assert document.json()["openapi"].startswith("3.")
    assert "信易贷" in start.text
