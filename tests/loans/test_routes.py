"""Disbursing and repaying over HTTP: keys, bounds, and nothing for other banks."""

from datetime import datetime

from builders_doors import a_door
from builders_loans import a_loan, an_accepted_offer
from builders_parties import a_lender
from conftest import Database

from xinyidai.access.rules import OrganisationKind, PrincipalKind, Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.ids import new_id
from xinyidai.loans.routes import router

KEY = {"Idempotency-Key": "one"}


async def test_a_bank_disburses_repays_and_reads_under_keys(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        accepted = await an_accepted_offer(session, now=noon)
    body = {
        "offer_id": str(accepted.offer_id),
        "disbursed_on": "2025-06-16",
        "first_loan": {"is_first": True, "definition": "no_record_in_registry"},
    }

    async with a_door(database, router, accepted.line.lender.maker, now=noon) as door:
        bare = await door.post("/loans", json=body)
        first = await door.post("/loans", json=body, headers=KEY)
        again = await door.post("/loans", json=body, headers=KEY)
        path = f"/loans/{first.json()['id']}"
        paid = await door.post(
            f"{path}/repayments", json={"amount_fen": 100, "paid_on": "2025-06-16"}, headers={"Idempotency-Key": "two"}
        )
        read = await door.get(path)
        listed = await door.get("/loans", params={"status": "performing"})
        lines = await door.get("/credit-lines")

    assert (bare.status_code, first.status_code, again.json()) == (400, 201, first.json())
    assert first.json()["is_first_loan"] is True
    assert (paid.status_code, paid.json()["interest_fen"]) == (201, 100)
    assert len(read.json()["instalments"]) == 12
    assert read.json()["dues"]["payoff_fen"] == 12_000_000
    assert [row["id"] for row in listed.json()["loans"]] == [first.json()["id"]]
    assert [row["state"] for row in lines.json()["credit_lines"]] == ["drawn"]


async def test_a_clients_key_needs_its_scope(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        accepted = await an_accepted_offer(session, now=noon)
    body = {"offer_id": str(accepted.offer_id), "disbursed_on": "2025-06-16"}
    lender_id = accepted.line.lender.id

    answers = []
    for scopes in (frozenset({"loans:read"}), frozenset({"loans:write"})):
        client = Viewer(new_id(), PrincipalKind.CLIENT, lender_id, OrganisationKind.LENDER, frozenset(), scopes)
        async with a_door(database, router, client, now=noon) as door:
            answers.append(await door.post("/loans", json=body, headers=KEY))

    assert [answer.status_code for answer in answers] == [403, 201]


NO_AMOUNTS = ("0", "-1", str(2**63), "1.5", '"100"', "null", "1" + "0" * 400, "true", "NaN", "Infinity", "1e400")


async def test_amounts_that_are_none_are_refused(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await a_loan(session, now=noon)

    async with a_door(database, router, lent.line.lender.maker, now=noon) as door:
        answers = {
            amount: await door.post(
                f"/loans/{lent.id}/repayments",
                content=f'{{"amount_fen": {amount}, "paid_on": "2025-06-16"}}',
                headers={"Idempotency-Key": amount[:100], "Content-Type": "application/json"},
            )
            for amount in NO_AMOUNTS
        }
        read = await door.get(f"/loans/{lent.id}")

    assert {amount for amount, answer in answers.items() if not 400 <= answer.status_code < 500} == set()
    assert read.json()["loan"]["outstanding_fen"] == 12_000_000


async def test_another_bank_finds_nothing_and_a_firm_reads_its_own(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await a_loan(session, now=noon)
        other = await a_lender(session, now=noon)

    async with a_door(database, router, other.maker, now=noon) as door:
        missed = [
            await door.get(f"/loans/{lent.id}"),
            await door.post(
                f"/loans/{lent.id}/repayments", json={"amount_fen": 1, "paid_on": "2025-06-16"}, headers=KEY
            ),
        ]
        listed = await door.get("/loans")
    async with a_door(database, router, lent.firm, now=noon) as door:
        own = await door.get(f"/loans/{lent.id}")
        paying = await door.post(
            f"/loans/{lent.id}/repayments", json={"amount_fen": 1, "paid_on": "2025-06-16"}, headers=KEY
        )

    assert [answer.status_code for answer in missed] == [404, 404]
    assert listed.json()["loans"] == []
    assert (own.status_code, paying.status_code) == (200, 403)
