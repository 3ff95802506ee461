"""Claims over HTTP: from filing to recovery, by the people who may."""

from datetime import datetime

from builders_claims import LONG_AFTER, a_paid_claim, an_overdue_loan
from builders_doors import a_door
from builders_parties import a_lender
from conftest import Database

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.risk_sharing.routes import router


async def test_a_claim_is_filed_reviewed_paid_and_recovered(database: Database, noon: datetime) -> None:
    later = noon + LONG_AFTER
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await an_overdue_loan(session, now=noon)
    lender, fund = lent.line.lender, lent.line.fund

    async with a_door(database, router, lender.maker, now=later) as door:
        filed = await door.post("/claims", json={"loan_id": str(lent.id)}, headers={"Idempotency-Key": "e1"})
    path = f"/claims/{filed.json()['id']}"
    async with a_door(database, router, fund.maker, now=later) as door:
        early = await door.post(f"{path}/pay", headers={"Idempotency-Key": "0"})
        first = await door.post(f"{path}/approve")
    async with a_door(database, router, fund.checker, now=later) as door:
        second = await door.post(f"{path}/approve")
        paid = [await door.post(f"{path}/pay", headers={"Idempotency-Key": "1"}) for _number in range(2)]
    async with a_door(database, router, lender.maker, now=later) as door:
        recovered = await door.post(
            f"{path}/recoveries",
            json={"received_fen": 1_050, "costs_fen": 50, "received_on": later.date().isoformat()},
            headers={"Idempotency-Key": "2"},
        )
        read = await door.get(path)

    assert (early.status_code, early.json()["code"]) == (409, "claim_step_refused")
    assert [answer.json()["state"] for answer in (filed, first, second)] == ["lodged", "second_review", "approved"]
    assert paid[1].json() == paid[0].json()
    assert paid[0].json()["borne"] == {"fund_fen": 3_600_000, "guarantor_fen": 6_000_000, "lender_fen": 2_400_000}
    assert recovered.json()["principal"] == {"fund_fen": 300, "guarantor_fen": 500, "lender_fen": 200}
    assert (read.json()["claim"]["state"], len(read.json()["recoveries"])) == ("recovering", 1)


async def test_a_claim_is_denied_with_a_known_code_only(database: Database, noon: datetime) -> None:
    later = noon + LONG_AFTER
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await an_overdue_loan(session, now=noon)
    async with a_door(database, router, lent.line.lender.maker, now=later) as door:
        filed = await door.post("/claims", json={"loan_id": str(lent.id)}, headers={"Idempotency-Key": "e2"})

    async with a_door(database, router, lent.line.fund.maker, now=later) as door:
        unknown = await door.post(
            f"/claims/{filed.json()['id']}/deny", json={"code": "because"}, headers={"Idempotency-Key": "e4"}
        )
        denied = await door.post(
            f"/claims/{filed.json()['id']}/deny", json={"code": "late_claim"}, headers={"Idempotency-Key": "e5"}
        )

    assert unknown.status_code in (400, 422)
    assert (denied.json()["state"], denied.json()["denial_code"]) == ("denied", "late_claim")


NO_RECOVERIES: list[dict[str, object]] = [
    {"received_fen": 0},
    {"received_fen": 2**63},
    {"received_fen": 1, "costs_fen": 2},
    {"received_fen": 1, "received_on": "2099-01-01"},
    {"received_fen": 1, "costs_fen": -1},
    {"received_fen": 1, "interest_fen": 1},
]


async def test_malformed_recoveries_are_refused(database: Database, noon: datetime) -> None:
    later = noon + LONG_AFTER
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await an_overdue_loan(session, now=noon)
        claim = await a_paid_claim(session, lent, now=later)

    async with a_door(database, router, lent.line.lender.maker, now=later) as door:
        answers = [
            await door.post(
                f"/claims/{claim.id}/recoveries",
                json={"received_on": later.date().isoformat()} | body,
                headers={"Idempotency-Key": str(number)},
            )
            for number, body in enumerate(NO_RECOVERIES)
        ]
        read = await door.get(f"/claims/{claim.id}")

    assert [answer.status_code // 100 for answer in answers] == [4] * len(NO_RECOVERIES)
    assert read.json()["recoveries"] == []


async def test_another_bank_finds_no_claim(database: Database, noon: datetime) -> None:
    later = noon + LONG_AFTER
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await an_overdue_loan(session, now=noon)
        claim = await a_paid_claim(session, lent, now=later)
        other = await a_lender(session, now=noon)

    async with a_door(database, router, other.maker, now=later) as door:
        answers = [
            await door.get(f"/claims/{claim.id}"),
            await door.post("/claims", json={"loan_id": str(lent.id)}, headers={"Idempotency-Key": "e3"}),
            await door.post(f"/claims/{claim.id}/withdraw", headers={"Idempotency-Key": "e6"}),
        ]
        listed = await door.get("/claims")
    async with a_door(database, router, lent.firm, now=later) as door:
        firm = await door.get("/claims")

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert (listed.json()["claims"], firm.status_code) == ([], 403)
