"""The doors of products: what goes over the wire, and what is refused at it."""

from datetime import datetime

import httpx
import pytest
from builders_doors import a_door
from builders_parties import Desk, a_firm, a_lender
from builders_products import a_product, a_proposal
from conftest import Database

from xinyidai.access.rules import OrganisationKind, PrincipalKind, Role, Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.products.routes import router
from xinyidai.products.schemas import ProductIn

TERMS = ProductIn.model_config["json_schema_extra"]["example"]  # type: ignore[index,call-overload]


async def two_lenders(database: Database, now: datetime) -> tuple[Desk, Desk]:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        return await a_lender(session, now=now), await a_lender(session, now=now)


async def test_a_product_goes_from_proposal_to_shelf_and_off_it(database: Database, noon: datetime) -> None:
    lender, other = await two_lenders(database, noon)

    async with a_door(database, router, lender.maker, now=noon) as maker:
        proposed = await maker.post("/products", json={**TERMS, "valid_from": None})
    path = f"/products/{proposed.json()['id']}"
    async with a_door(database, router, other.maker, now=noon) as stranger:
        hidden = await stranger.get(path)
    async with a_door(database, router, lender.checker, now=noon) as checker:
        published = await checker.post(f"{path}/publish")
    async with a_door(database, router, other.maker, now=noon) as stranger:
        shown, listed = await stranger.get(path), await stranger.get("/products")
    async with a_door(database, router, lender.maker, now=noon) as maker:
        closed = await maker.post(f"{path}/close")
        left, mine = await maker.get("/products"), await maker.get("/products", params={"shown": "mine"})

    assert (proposed.status_code, proposed.json()["state"], hidden.status_code) == (201, "proposed", 404)
    assert (published.status_code, published.json()["state"]) == (200, "published")
    assert {key: shown.json()[key] for key in TERMS} == {**TERMS, "valid_from": "2025-06-16"}
    assert [product["id"] for product in listed.json()["products"]] == [proposed.json()["id"]]
    assert (closed.json()["state"], left.json()["products"]) == ("closed", [])
    assert [product["state"] for product in mine.json()["products"]] == ["closed"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"max_rate_bp": 2_401}, "product_beyond_policy"),
        ({"max_amount_fen": 10**18}, "product_beyond_policy"),
        ({"min_term_months": 13}, "product_bounds_reversed"),
        ({"region_codes": ["999999"]}, "product_region_unknown"),
        ({"clauses": [{"field": "moon", "operator": "eq", "value": 1, "code": "c"}]}, "clause_field_unknown"),
        ({"clauses": [{"field": "use", "operator": "gt", "value": "wages", "code": "c"}]}, "clause_operator_refused"),
        ({"clauses": [{"field": "staff", "operator": "lt", "value": "5", "code": "c"}]}, "clause_value_refused"),
        ({"clauses": [{"field": "staff", "operator": "lt", "value": 0, "code": "c"}]}, "clause_never_met"),
        (
            {
                "clauses": [
                    {"field": "staff", "operator": "gt", "value": 5, "code": "large"},
                    {"field": "staff", "operator": "lt", "value": 3, "code": "small"},
                ]
            },
            "clauses_contradict",
        ),
    ],
)
async def test_terms_that_cannot_be_are_refused_by_a_stable_code(
    database: Database, noon: datetime, changed: dict[str, object], code: str
) -> None:
    lender, _ = await two_lenders(database, noon)

    async with a_door(database, router, lender.maker, now=noon) as maker:
        answer = await maker.post("/products", json={**TERMS, **changed})
        left = await maker.get("/products", params={"shown": "mine"})

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert left.json()["products"] == []


@pytest.mark.parametrize("number", ["1e400", "NaN", "9223372036854775808", "300000000.5", "null"])
async def test_numbers_that_are_none_are_refused(database: Database, noon: datetime, number: str) -> None:
    lender, _ = await two_lenders(database, noon)
    amount = httpx.Request("POST", "http://x", json=TERMS).content.decode().replace("300000000", number)
    value = httpx.Request("POST", "http://x", json=TERMS).content.decode().replace('"value":24', f'"value":{number}')

    async with a_door(database, router, lender.maker, now=noon) as maker:
        written = {"content-type": "application/json"}
        answers = [await maker.post("/products", content=body, headers=written) for body in (amount, value)]

    assert {answer.status_code // 100 for answer in answers} == {4}
    assert {answer.json()["code"] for answer in answers} <= {"request_refused", "input_refused", "clause_value_refused"}


async def test_who_has_no_right_to_it_does_not_get_to_propose(database: Database, noon: datetime) -> None:
    lender, _ = await two_lenders(database, noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
        await a_product(session, lender, now=noon)
        proposed = await a_proposal(session, lender.maker, now=noon)
    key = Viewer(
        lender.id, PrincipalKind.CLIENT, lender.id, OrganisationKind.LENDER, frozenset({Role.OFFICER}), frozenset()
    )

    statuses = []
    for viewer in (firm, key, lender.checker, None):
        async with a_door(database, router, viewer, now=noon) as client:
            statuses.append((await client.post("/products", json=TERMS)).status_code)
    async with a_door(database, router, firm, now=noon) as client:
        listed = await client.get("/products")
        published = await client.post(f"/products/{proposed.id}/publish")

    assert statuses == [403, 403, 403, 401]
    assert (len(listed.json()["products"]), published.status_code) == (1, 403)
