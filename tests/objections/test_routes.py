"""Objections and repairs over HTTP: by the people who may, once however often they are sent."""

from datetime import datetime

from builders_documents import a_pdf
from builders_doors import a_door
from builders_objections import SAID, in_tx
from conftest import Database

from xinyidai.documents.routes import router as documents_router
from xinyidai.objections.routes import router


async def test_an_objection_goes_from_the_firm_to_the_source_and_back(database: Database, noon: datetime) -> None:
    told = await in_tx(database.worker, now=noon)
    async with a_door(database, documents_router, told.firm, now=noon) as door:
        kept = (await door.post("/documents", files={"file": ("合同.pdf", a_pdf())})).json()["id"]
    ref = told.refs[0]
    body = {
        "fact": {"kind": ref.kind.value, "delivery_no": ref.delivery_no, "line_no": ref.line_no},
        "reason": "amount_wrong",
        "text": SAID,
        "document_ids": [kept],
    }

    async with a_door(database, router, told.firm, now=noon) as door:
        filed = [
            await door.post("/objections", json=body, headers={"Idempotency-Key": "file-1"}) for _number in range(2)
        ]
        without_key = await door.post("/objections", json=body)
    path = f"/objections/{filed[0].json()['id']}"
    async with a_door(database, router, told.operator.maker, now=noon) as door:
        steps = [await door.post(f"{path}/accept"), await door.post(f"{path}/ask"), await door.post(f"{path}/ask")]
    async with a_door(database, router, told.agency.maker, now=noon) as door:
        read = await door.get(path)
        listed = await door.get("/objections", params={"status": "asked"})
        upheld = [
            await door.post(f"{path}/uphold", json={"correction": None}, headers={"Idempotency-Key": "answer"})
            for _number in range(2)
        ]
    async with a_door(database, router, told.regulator.maker, now=noon) as door:
        overseen, late = await door.get(path), await door.get("/objections/lateness")
    async with a_door(database, router, told.firm, now=noon) as door:
        closed, hidden = await door.post(f"{path}/close"), await door.get("/objections/lateness")

    assert filed[0].status_code == 201
    assert filed[1].json() == filed[0].json()
    assert without_key.status_code == 400
    assert [one.status_code for one in steps] == [200, 200, 409]
    assert read.json()["told"]["text"] == SAID
    assert [one["id"] for one in listed.json()["objections"]] == [filed[0].json()["id"]]
    assert [one.json()["remedy"] for one in upheld] == ["voided", "voided"]
    assert overseen.json()["told"] is None
    assert (late.status_code, late.json()) == (200, [])
    assert (closed.json()["state"], hidden.status_code) == ("closed", 403)


async def test_a_repair_goes_through_two_reviews(database: Database, noon: datetime) -> None:
    told = await in_tx(database.worker, now=noon)
    body = {
        "record": {"kind": "penalty", "delivery_no": 1, "line_no": 1},
        "severity": "ordinary",
        "listed_on": "2025-01-10",
        "text": "罚款已缴清，问题已整改",
        "is_declared": True,
    }

    async with a_door(database, router, told.firm, now=noon) as door:
        filed = await door.post("/repairs", json=body, headers={"Idempotency-Key": "repair"})
        early = await door.post(
            "/repairs", json=body | {"listed_on": "2025-06-01"}, headers={"Idempotency-Key": "early"}
        )
    path = f"/repairs/{filed.json()['id']}"
    async with a_door(database, router, told.operator.maker, now=noon) as door:
        first = await door.post(f"{path}/approve")
    async with a_door(database, router, told.operator.checker, now=noon) as door:
        second = await door.post(f"{path}/approve")
        refused = await door.post(
            f"{path}/refuse", json={"code": "not_made_good"}, headers={"Idempotency-Key": "refuse"}
        )
        read = await door.get(path)

    assert [one.json()["state"] for one in (filed, first, second)] == ["filed", "second_review", "repaired"]
    assert (early.status_code, early.json()["code"]) == (409, "repair_too_early")
    assert (refused.status_code, refused.json()["code"]) == (409, "repair_step_refused")
    assert read.json()["told"] == {"text": body["text"], "fact": None}
