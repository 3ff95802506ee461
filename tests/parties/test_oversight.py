"""What the operator's people see of other organisations and of codes that wait, and who may not."""

from datetime import datetime

import asyncpg
import pytest
from builders_doors import a_door
from builders_parties import a_lender, the_operator
from conftest import Database

from xinyidai.access.rules import Role
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.parties import service
from xinyidai.parties.routes import router

WRONG_DIGIT = "91350100M0001TGQXN"


@pytest.mark.parametrize("path", ["/members", "/invitations"])
async def test_the_operator_names_another_organisation_and_it_is_written_down(
    database: Database, noon: datetime, admin: asyncpg.Connection, path: str
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        operator, bank = await the_operator(session, now=noon), await a_lender(session, now=noon)
        other = await a_lender(session, now=noon)
        await service.invite(
            session, bank.maker, organisation_id=bank.id, email="new@bank.example", roles=[Role.OFFICER], now=noon
        )

    async with a_door(database, router, operator.maker, now=noon) as door:
        seen = await door.get(path, params={"organisation_id": str(bank.id)})
    async with a_door(database, router, other.maker, now=noon) as door:
        refused = await door.get(path, params={"organisation_id": str(bank.id)})
        own = await door.get(path)
    looks = await admin.fetch("SELECT subject_ids FROM audit.record WHERE action LIKE '%s_read'")

    assert "email" in seen.text
    assert (refused.status_code, own.status_code) == (403, 200)
    assert [row["subject_ids"] for row in looks] == [[bank.id]]


async def test_a_code_that_was_proposed_waits_for_the_second_person(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        operator, bank = await the_operator(session, now=noon), await a_lender(session, now=noon)
    body = {"credit_code": WRONG_DIGIT, "reason": "营业执照原件与登记机关核对一致"}

    async with a_door(database, router, operator.maker, now=noon) as door:
        proposed = await door.post("/credit-code-exceptions", json=body)
    async with a_door(database, router, operator.checker, now=noon) as door:
        waiting = await door.get("/credit-code-exceptions")
        approved = await door.post(f"/credit-code-exceptions/{proposed.json()['id']}/approve")
        after = await door.get("/credit-code-exceptions")
    async with a_door(database, router, bank.maker, now=noon) as door:
        refused = await door.get("/credit-code-exceptions")

    assert [(one["id"], one["credit_code"]) for one in waiting.json()] == [(proposed.json()["id"], WRONG_DIGIT)]
    assert (approved.status_code, after.json(), refused.status_code) == (204, [], 403)
