"""The doors of demands: drafts and bad input, another bank's 404, the pages of a list."""

from datetime import datetime

from builders_demands import a_consent_to, a_demand, a_firm_viewer, a_lender_viewer
from builders_doors import a_door
from builders_parties import a_lender
from conftest import Database

from xinyidai.access.service import act_as_platform
from xinyidai.demands import service
from xinyidai.demands.routes import router
from xinyidai.foundation.database import in_transaction

ASKED = {
    "amount_fen": 50_000_000,
    "term_months": 12,
    "use": "raw_materials",
    "repayment_kind": "equal_instalments",
    "wanted_by": "2025-07-10",
    "is_lawful_use_declared": True,
}


async def test_a_firm_drafts_submits_lists_and_withdraws(database: Database, noon: datetime) -> None:
    async with a_door(database, router, a_firm_viewer(), now=noon) as door:
        drafted = await door.post("/demands/", json=ASKED)
        submitted = await door.post(f"/demands/{drafted.json()['id']}/submit")
        listed = await door.get("/demands/", params={"status": "submitted", "limit": 1})
        withdrawn = await door.post(f"/demands/{drafted.json()['id']}/withdraw")
        again = await door.post(f"/demands/{drafted.json()['id']}/withdraw")

    assert (drafted.status_code, submitted.status_code, withdrawn.status_code) == (201, 200, 200)
    assert [one["id"] for one in listed.json()["demands"]] == [drafted.json()["id"]]
    assert withdrawn.json()["state"] == "withdrawn"
    assert (again.status_code, again.json()["code"]) == (409, "illegal_demand_step")


MALFORMED = [
    ("amount_fen", "1e400"),
    ("amount_fen", "NaN"),
    ("amount_fen", "9223372036854775808"),
    ("amount_fen", '"50000000"'),
    ("amount_fen", "1.5"),
    ("amount_fen", "1.0"),
    ("amount_fen", "true"),
    ("amount_fen", "null"),
    ("term_months", "0"),
    ("term_months", "121"),
    ("use", '"speculation"'),
    ("repayment_kind", '"never"'),
    ("wanted_by", '"2025-13-01"'),
    ("is_lawful_use_declared", '"yes"'),
    ("surprise", "1"),
]


async def test_malformed_input_is_refused(database: Database, noon: datetime) -> None:
    pairs = {name: f'"{value}"' if isinstance(value, str) else str(value).lower() for name, value in ASKED.items()}
    answers = {}

    async with a_door(database, router, a_firm_viewer(), now=noon) as door:
        for field, told in MALFORMED:
            body = "{" + ", ".join(f'"{name}": {value}' for name, value in (pairs | {field: told}).items()) + "}"
            answer = await door.post("/demands/", content=body, headers={"content-type": "application/json"})
            answers[field, told] = answer.status_code

    assert {case for case, status in answers.items() if not 400 <= status < 500} == set()
    assert len(answers) == len(MALFORMED)


async def test_an_amount_outside_the_policy_is_refused_with_its_bounds(database: Database, noon: datetime) -> None:
    async with a_door(database, router, a_firm_viewer(), now=noon) as door:
        answers = [
            await door.post("/demands/", json=ASKED | {"amount_fen": amount_fen})
            for amount_fen in (0, -1, 10**18, 5_000_000_001)
        ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(422, "demand_amount_refused")] * 4


async def test_a_bank_reads_what_was_dispatched_to_it_and_another_bank_finds_nothing(
    database: Database, noon: datetime
) -> None:
    firm, stranger = a_firm_viewer(), a_lender_viewer()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lender = (await a_lender(session, now=noon)).maker
        demand = await a_demand(session, firm, now=noon)
        consent = await a_consent_to(session, firm, lender.organisation_id, now=noon)
        await service.open_to(session, demand.id, lender.organisation_id, until=consent.expires_at, now=noon)

    async with a_door(database, router, lender, now=noon) as door:
        read = await door.get(f"/demands/{demand.id}")
    async with a_door(database, router, stranger, now=noon) as door:
        missed = await door.get(f"/demands/{demand.id}")

    assert (read.status_code, read.json()["amount_fen"]) == (200, 50_000_000)
    assert (missed.status_code, missed.json()["code"]) == (404, "not_found")


async def test_a_bank_drafts_no_demand(database: Database, noon: datetime) -> None:
    async with a_door(database, router, a_lender_viewer(), now=noon) as door:
        answer = await door.post("/demands/", json=ASKED)

    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
