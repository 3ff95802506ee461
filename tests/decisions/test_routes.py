"""What was decided about a firm, over HTTP."""

from datetime import datetime
from uuid import UUID

import pytest
from builders_doors import a_door
from builders_scoring import viewer_of
from conftest import Database

from xinyidai.access.rules import OrganisationKind
from xinyidai.access.service import act_as_platform
from xinyidai.decisions import service
from xinyidai.decisions.routes import router
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.ids import derived_id

FIRM = viewer_of(derived_id("firm"))
REASON = {"code": "too_young", "zh": "开票历史不足", "en": "Too short an invoice history"}


@pytest.fixture
async def decision_id(database: Database, noon: datetime) -> UUID:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        return await service.record(
            session,
            kind="test",
            subject_id=FIRM.organisation_id,
            vector={"months": 7},
            outcome={"is_eligible": 0},
            reasons=[REASON],
            versions={"rule": "1"},
            consent_ids=[],
            now=noon,
        )


async def test_a_firm_lists_its_decisions_and_has_one_explained(
    database: Database, decision_id: UUID, noon: datetime
) -> None:
    async with a_door(database, router, FIRM, now=noon) as door:
        page = (await door.get("/decisions")).json()
        told = (await door.get(f"/decisions/{decision_id}")).json()

    assert [line["id"] for line in page["decisions"]] == [str(decision_id)]
    assert page["next_cursor"] is None
    assert told["reasons"] == [REASON]
    assert "vector" not in told


async def test_nobody_else_is_told(database: Database, decision_id: UUID, noon: datetime) -> None:
    others = [viewer_of(derived_id("other")), viewer_of(derived_id("bank"), kind=OrganisationKind.LENDER), None]

    codes = []
    for viewer in others:
        async with a_door(database, router, viewer, now=noon) as door:
            codes.append((await door.get(f"/decisions/{decision_id}")).json()["code"])

    assert codes == ["not_found", "not_allowed", "sign_in_needed"]


@pytest.mark.parametrize(
    "path", ["/decisions/0197a000-0000-7000-8000-000000000000", "/decisions/x", "/decisions/1e400"]
)
async def test_what_is_no_decision_is_not_found(database: Database, path: str, noon: datetime) -> None:
    async with a_door(database, router, FIRM, now=noon) as door:
        answer = await door.get(path)

    assert answer.status_code == 404
