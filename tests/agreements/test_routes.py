"""Lines and money over HTTP: two people, keys, and nothing for strangers."""

from datetime import datetime
from uuid import UUID

from builders_agreements import a_line
from builders_doors import a_door
from builders_parties import Desk, a_firm, a_fund, a_guarantor, a_lender, a_regulator
from conftest import Database

from xinyidai.access.service import act_as_platform
from xinyidai.agreements.routes import router
from xinyidai.agreements.schemas import AgreementIn
from xinyidai.foundation.database import in_transaction


async def three_desks(database: Database, now: datetime) -> tuple[Desk, Desk, Desk]:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        return await a_fund(session, now=now), await a_lender(session, now=now), await a_guarantor(session, now=now)


def a_proposal(fund: Desk, lender: Desk, guarantor: Desk) -> dict[str, object]:
    example = AgreementIn.model_config["json_schema_extra"]["example"]  # type: ignore[index, call-overload]
    ids = {"fund_id": str(fund.id), "lender_id": str(lender.id), "guarantor_id": str(guarantor.id)}
    return dict(example) | ids  # type: ignore[call-overload]


async def test_a_line_is_proposed_by_one_and_opened_by_another(database: Database, noon: datetime) -> None:
    fund, lender, guarantor = await three_desks(database, noon)
    proposal = a_proposal(fund, lender, guarantor)

    async with a_door(database, router, fund.checker, now=noon) as door:
        proposed = await door.post("/agreements", json=proposal)
        alone = await door.post(f"/agreements/{proposed.json()['id']}/approve", headers={"Idempotency-Key": "e1"})
    async with a_door(database, router, fund.maker, now=noon) as door:
        second = (await door.post("/agreements", json=proposal)).json()
    async with a_door(database, router, fund.checker, now=noon) as door:
        opened = await door.post(f"/agreements/{second['id']}/approve", headers={"Idempotency-Key": "e2"})
        again = await door.post(f"/agreements/{second['id']}/approve", headers={"Idempotency-Key": "e3"})
    async with a_door(database, router, lender.maker, now=noon) as door:
        capacity = await door.get(f"/agreements/{second['id']}/capacity")

    assert (proposed.status_code, proposed.json()["state"], second["state"]) == (201, "proposed", "proposed")
    assert (alone.status_code, alone.json()["code"]) == (409, "same_person_twice")
    assert (opened.status_code, opened.json()["state"]) == (200, "open")
    assert (again.status_code, again.json()["code"]) == (409, "line_step_refused")
    assert capacity.json()["available_fen"] == proposal["capacity_fen"]


NO_TERMS: list[tuple[str, object]] = [
    ("fund_share_ppm", 300_001),
    ("lender_share_ppm", "200000"),
    ("capacity_fen", 2**63),
    ("capacity_fen", 1.5),
    ("max_rate_bp", 0),
    ("valid_to", "2025-06-16"),
    ("name", ""),
    ("state", "open"),
    ("guarantor_id", None),
]


async def test_malformed_terms_are_refused_and_nothing_is_proposed(database: Database, noon: datetime) -> None:
    fund, lender, guarantor = await three_desks(database, noon)
    proposal = a_proposal(fund, lender, guarantor)

    async with a_door(database, router, fund.maker, now=noon) as door:
        answers = [await door.post("/agreements", json=proposal | {field: value}) for field, value in NO_TERMS]
        listed = await door.get("/agreements")

    assert [answer.status_code // 100 for answer in answers] == [4] * len(NO_TERMS)
    assert listed.json()["agreements"] == []


async def test_a_paused_line_is_reopened_by_two(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        line = await a_line(session, now=noon)
    path = f"/agreements/{line.id}"

    async with a_door(database, router, line.fund.maker, now=noon) as door:
        watched = await door.post(f"{path}/watch")
        paused = await door.post(f"{path}/pause")
        proposed = await door.post(f"{path}/propose-reopening")
    async with a_door(database, router, line.fund.checker, now=noon) as door:
        reopened = await door.post(f"{path}/reopen")
        again = await door.post(f"{path}/reopen")

    states = [answer.json()["state"] for answer in (watched, paused, proposed, reopened)]
    assert states == ["watch", "paused", "paused", "open"]
    assert (again.status_code, again.json()["code"]) == (409, "line_step_refused")


async def test_money_is_paid_in_under_a_key_once(database: Database, noon: datetime) -> None:
    fund, _lender, _guarantor = await three_desks(database, noon)
    body = {"payer_id": str(fund.id), "reference": "B1", "amount_fen": 700, "paid_on": "2025-06-16"}

    async with a_door(database, router, fund.maker, now=noon) as door:
        bare = await door.post("/pay-ins", json=body)
        first = await door.post("/pay-ins", json=body, headers={"Idempotency-Key": "k1"})
        replayed = await door.post("/pay-ins", json=body, headers={"Idempotency-Key": "k1"})
        altered = await door.post("/pay-ins", json=body | {"amount_fen": 701}, headers={"Idempotency-Key": "k1"})
        long = await door.post("/pay-ins", json=body, headers={"Idempotency-Key": "k" * 10_000})
    path = f"/pay-ins/{first.json()['id']}/confirm"
    async with a_door(database, router, fund.checker, now=noon) as door:
        confirmed = [await door.post(path, headers={"Idempotency-Key": "k2"}) for _number in range(2)]
        cash = await door.get(f"/payers/{fund.id}/cash")

    assert (bare.status_code, bare.json()["code"]) == (400, "idempotency_key_missing")
    assert (long.status_code, long.json()["code"]) == (400, "idempotency_key_refused")
    assert (altered.status_code, altered.json()["code"]) == (422, "idempotency_key_reused")
    assert replayed.json() == first.json()
    assert replayed.headers["Idempotency-Replayed"] == "true"
    assert [answer.json()["state"] for answer in confirmed] == ["confirmed", "confirmed"]
    assert cash.json()["cash_fen"] == 700


async def test_strangers_find_no_line_and_a_regulator_finds_all(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        line = await a_line(session, now=noon)
        other = await a_lender(session, now=noon)
        firm = await a_firm(session, now=noon)
        regulator = await a_regulator(session, now=noon)

    seen: dict[str, tuple[int, list[UUID]]] = {}
    for name, viewer in (("other", other.maker), ("lender", line.lender.maker), ("regulator", regulator.maker)):
        async with a_door(database, router, viewer, now=noon) as door:
            one = await door.get(f"/agreements/{line.id}")
            listed = await door.get("/agreements")
            seen[name] = (one.status_code, [UUID(row["id"]) for row in listed.json()["agreements"]])
    async with a_door(database, router, firm, now=noon) as door:
        refused = await door.get("/agreements")

    assert seen == {"other": (404, []), "lender": (200, [line.id]), "regulator": (200, [line.id])}
    assert refused.status_code == 403
