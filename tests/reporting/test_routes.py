"""Statistics over HTTP."""

from datetime import datetime

from builders_doors import a_door
from builders_loans import a_loan
from builders_parties import a_regulator
from conftest import Database

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.reporting.routes import router
from xinyidai.risk_sharing import service as risk_sharing

SPAN = {"from_on": "2025-01-01", "to_on": "2026-01-01"}


async def test_the_regulator_reads_lending_definitions_and_the_reconciliation(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await a_loan(session, now=noon)
        await risk_sharing.make_cover(session, lent.id, now=noon)
        regulator = (await a_regulator(session, now=noon)).maker

    async with a_door(database, router, regulator, now=noon) as door:
        lending = await door.get("/reports/lending", params={"by": "region", **SPAN})
        metrics = await door.get("/reports/metrics")
        reconciliation = await door.get("/reports/reconciliation")
        drift = await door.get("/reports/offer-drift", params=SPAN)
    async with a_door(database, router, lent.line.lender.maker, now=noon) as door:
        refused = await door.get("/reports/reconciliation")

    assert lending.json()["total"]["disbursed_fen"] == 12_000_000
    assert [row["name"] for row in lending.json()["rows"]] == ["渝中区"]
    assert str(lent.firm.organisation_id) not in lending.text
    assert set(lending.json()["total"]) - {"key", "name", "first_loan_share_ppm"} <= {
        metric["code"] for metric in metrics.json()["metrics"]
    }
    assert drift.json() == {**SPAN, "rows": []}
    assert reconciliation.json()["is_whole"] is True
    assert refused.status_code == 403


NO_QUESTIONS = [
    {"by": "firm", **SPAN},
    {"by": "month", "from_on": "2025-01-01", "to_on": "2025-01-01"},
    {"by": "month", "from_on": "0001-01-01", "to_on": "9999-12-31"},
    {"by": "month", "from_on": "yesterday", "to_on": "2025-01-01"},
    {"by": "month"},
]


async def test_malformed_questions_are_refused(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        regulator = (await a_regulator(session, now=noon)).maker

    async with a_door(database, router, regulator, now=noon) as door:
        answers = [await door.get("/reports/lending", params=asked) for asked in NO_QUESTIONS]

    assert [answer.status_code // 100 for answer in answers] == [4] * len(NO_QUESTIONS)
