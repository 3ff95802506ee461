"""The doors of matching: from the inbox to an acceptance that is done once."""

from datetime import datetime

from builders_doors import a_door
from builders_matching import a_bank, a_dispatch, an_asking_firm, an_offer, authority_text, choose_unless_chosen
from builders_parties import a_desk
from conftest import Database

from xinyidai.access.rules import OrganisationKind
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.matching import service
from xinyidai.matching.routes import router

TERMS = {
    "amount_fen": 50_000_000,
    "rate_bp": 400,
    "term_months": 12,
    "repayment_kind": "equal_instalments",
    "valid_until": "2025-07-06T04:00:00Z",
}
RANGE = {
    "min_amount_fen": 40_000_000,
    "max_amount_fen": 50_000_000,
    "min_rate_bp": 350,
    "max_rate_bp": 420,
    "min_term_months": 6,
    "max_term_months": 12,
    "repayment_kinds": ["equal_instalments"],
    "valid_until": "2025-07-06T04:00:00Z",
}


async def test_from_the_inbox_to_an_acceptance_that_is_done_once(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, requires_cover=True, now=noon)
        firm, dispatch = await a_dispatch(session, bank, now=noon)

    async with a_door(database, router, bank.desk.maker, now=noon) as door:
        inbox = await door.get("/dispatches", params={"status": "sent"})
        taken = await door.post(f"/dispatches/{dispatch.id}/take-up")
        early = await door.post(f"/dispatches/{dispatch.id}/offers", json=TERMS)
        indicated = await door.post(f"/dispatches/{dispatch.id}/indications", json=RANGE)
    choices = f"/demands/{dispatch.demand_id}/choices"
    choice = {"indication_ids": [indicated.json()["id"]], "text_digest": authority_text(noon).hex()}
    async with a_door(database, router, firm, now=noon) as door:
        ranges = await door.get(f"/demands/{dispatch.demand_id}/indications")
        unkeyed = await door.post(choices, json=choice)
        chosen = await door.post(choices, json=choice, headers={"Idempotency-Key": "c1"})
        chosen_again = await door.post(choices, json=choice, headers={"Idempotency-Key": "c1"})
        chosen_twice = await door.post(choices, json=choice, headers={"Idempotency-Key": "c2"})
    async with a_door(database, router, bank.desk.maker, now=noon) as door:
        made = await door.post(f"/dispatches/{dispatch.id}/offers", json=TERMS)
    offer = f"/offers/{made.json()['id']}"
    async with a_door(database, router, bank.desk.checker, now=noon) as door:
        issued = await door.post(f"{offer}/approve")
    async with a_door(database, router, firm, now=noon) as door:
        matched = await door.get(f"/demands/{dispatch.demand_id}/match")
        compared = await door.get(f"/demands/{dispatch.demand_id}/offers")
        keyless = await door.post(f"{offer}/accept")
        accepted = await door.post(f"{offer}/accept", headers={"Idempotency-Key": "one"})
        replayed = await door.post(f"{offer}/accept", headers={"Idempotency-Key": "one"})
        again = await door.post(f"{offer}/accept", headers={"Idempotency-Key": "two"})

    assert [one["id"] for one in inbox.json()["dispatches"]] == [str(dispatch.id)]
    assert (early.status_code, early.json()["code"]) == (409, "illegal_dispatch_step")
    assert [one["max_rate_bp"] for one in ranges.json()["indications"]] == [420]
    assert (unkeyed.status_code, unkeyed.json()["code"]) == (400, "idempotency_key_missing")
    assert (chosen.status_code, chosen_again.json()) == (201, chosen.json())
    assert (chosen_twice.status_code, chosen_twice.json()["code"]) == (409, "illegal_dispatch_step")
    assert made.json()["is_inside"] is True
    assert (taken.json()["state"], made.status_code, issued.json()["state"]) == ("in_review", 201, "issued")
    assert [one["lender_id"] for one in matched.json()["ranked"]] == [str(bank.id)]
    assert [one["total_interest_fen"] for one in compared.json()["offers"]] == [made.json()["total_interest_fen"]]
    assert (keyless.status_code, keyless.json()["code"]) == (400, "idempotency_key_missing")
    assert (accepted.status_code, replayed.json()) == (201, accepted.json())
    assert (again.status_code, again.json()["code"]) == (409, "illegal_offer_step")


MALFORMED = [
    ("amount_fen", 2**63),
    ("amount_fen", "50000000"),
    ("amount_fen", 0),
    ("rate_bp", -1),
    ("rate_bp", 400.0),
    ("term_months", 0),
    ("valid_until", "2025-07-06T04:00:00"),
    ("surprise", 1),
]


async def test_malformed_terms_are_refused_and_no_offer_is_made(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        _firm, dispatch = await a_dispatch(session, bank, now=noon)
        await choose_unless_chosen(session, bank, dispatch, now=noon)

    async with a_door(database, router, bank.desk.maker, now=noon) as door:
        answers = [
            await door.post(f"/dispatches/{dispatch.id}/offers", json=TERMS | {field: value})
            for field, value in MALFORMED
        ]
        offers = await door.get(f"/demands/{dispatch.demand_id}/offers")

    assert all(400 <= answer.status_code < 500 for answer in answers)
    assert offers.json()["offers"] == []


MALFORMED_RANGES = [
    ("min_amount_fen", 2**63),
    ("max_amount_fen", 50_000_001),
    ("min_amount_fen", 50_000_001),
    ("max_rate_bp", 349),
    ("min_term_months", 0),
    ("repayment_kinds", []),
    ("repayment_kinds", ["barter"]),
    ("valid_until", "2025-07-06T04:00:00"),
    ("valid_until", "2025-07-17T04:00:00Z"),
    ("surprise", 1),
]


async def test_malformed_ranges_are_refused_and_nothing_is_indicated(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        _firm, dispatch = await a_dispatch(session, bank, now=noon)

    async with a_door(database, router, bank.desk.maker, now=noon) as door:
        answers = [
            await door.post(f"/dispatches/{dispatch.id}/indications", json=RANGE | {field: value})
            for field, value in MALFORMED_RANGES
        ]
        indications = await door.get(f"/demands/{dispatch.demand_id}/indications")

    assert [answer.status_code for answer in answers] == [422] * len(MALFORMED_RANGES)
    assert indications.json()["indications"] == []


async def test_another_banks_door_shows_nothing(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank, other = await a_bank(session, now=noon), await a_bank(session, now=noon)
        _firm, dispatch = await a_dispatch(session, bank, now=noon)
        offer = await an_offer(session, bank, dispatch, now=noon)

    async with a_door(database, router, other.desk.maker, now=noon) as door:
        inbox = await door.get("/dispatches")
        offers = await door.get(f"/demands/{dispatch.demand_id}/offers")
        indications = await door.get(f"/demands/{dispatch.demand_id}/indications")
        missed = [
            await door.get(f"/dispatches/{dispatch.id}"),
            await door.get(f"/dispatches/{dispatch.id}/profile"),
            await door.get(f"/offers/{offer.id}"),
            await door.post(f"/dispatches/{dispatch.id}/indications", json=RANGE),
            await door.post(f"/dispatches/{dispatch.id}/decline", json={"reason": "identity"}),
        ]

    assert (inbox.json()["dispatches"], offers.json()["offers"]) == ([], [])
    assert indications.json()["indications"] == []
    assert [answer.status_code for answer in missed] == [404] * 5


async def test_a_bank_sees_the_applicants_profile_until_it_declines(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        firm, dispatch = await a_dispatch(session, bank, now=noon)

    async with a_door(database, router, bank.desk.maker, now=noon) as door:
        before = await door.get(f"/dispatches/{dispatch.id}/profile")
        declined = await door.post(f"/dispatches/{dispatch.id}/decline", json={"reason": "suspicion"})
        after = await door.get(f"/dispatches/{dispatch.id}/profile")
    async with a_door(database, router, firm, now=noon) as door:
        told = await door.get(f"/dispatches/{dispatch.id}")

    assert (before.status_code, declined.status_code, after.status_code) == (200, 200, 404)
    assert told.json()["decline_reason"] == "cannot_proceed"


async def test_an_operator_assigns_and_is_held_by_the_filter(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        unnamed = await a_bank(session, now=noon)
        _firm, demand = await an_asking_firm(session, bank, now=noon)
        await service.match(session, demand.id, now=noon)
        operator = (await a_desk(session, OrganisationKind.OPERATOR, now=noon)).maker

    async with a_door(database, router, operator, now=noon) as door:
        answer = await door.post(f"/demands/{demand.id}/dispatches", json={"product_id": str(unnamed.product_id)})

    assert (answer.status_code, answer.json()["code"]) == (409, "not_eligible")
