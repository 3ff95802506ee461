"""Scores, reviews, outcomes and releases over HTTP."""

from datetime import datetime
from uuid import uuid4

import pytest
from builders_doors import a_door
from builders_parties import Desk, a_lender, the_operator
from builders_scoring import Town, a_bundle, a_released_model, a_town
from conftest import Database

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.scoring import service
from xinyidai.scoring.routes import router


@pytest.fixture
async def town(database: Database, noon: datetime) -> Town:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await a_released_model(session, now=noon)
        return await a_town(session, firms=2, now=noon)


@pytest.fixture
async def desk(database: Database, noon: datetime) -> Desk:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        return await the_operator(session, now=noon)


async def test_a_firm_scores_itself_reads_it_again_and_asks_for_a_person(
    database: Database, town: Town, desk: Desk, noon: datetime
) -> None:
    async with a_door(database, router, town.firms[0], now=noon) as door:
        scored = await door.post("/scores")
        latest = await door.get("/scores/latest")
        same = await door.get(f"/scores/{scored.json()['id']}")
        asked = await door.post(f"/scores/{scored.json()['id']}/review", json={"wish": "请人工复核"})
    async with a_door(database, router, desk.maker, now=noon) as door:
        waiting = await door.get("/score-reviews")
        read = await door.get(f"/score-reviews/{asked.json()['id']}")
        unknown = await door.get(f"/score-reviews/{uuid4()}")
        answered = await door.post(
            f"/score-reviews/{asked.json()['id']}/answer", json={"answer": "upheld", "note": "已核对"}
        )

    assert scored.status_code == 201
    assert scored.json() == latest.json() == same.json()
    assert 1 <= len(scored.json()["reasons"]) <= 4
    assert [review["id"] for review in waiting.json()["reviews"]] == [asked.json()["id"]]
    assert read.json() == {"review": asked.json(), "score": scored.json()}
    assert unknown.status_code == 404
    assert (answered.status_code, answered.json()["answer"]) == (201, "upheld")


async def test_a_firm_without_a_score_and_one_that_asks_for_anothers_find_nothing(
    database: Database, town: Town, noon: datetime
) -> None:
    async with a_door(database, router, town.firms[0], now=noon) as door:
        scored = (await door.post("/scores")).json()
    async with a_door(database, router, town.firms[1], now=noon) as door:
        answers = [
            await door.get("/scores/latest"),
            await door.get(f"/scores/{scored['id']}"),
            await door.get(f"/scores/{uuid4()}"),
            await door.post(f"/scores/{scored['id']}/review", json={"wish": ""}),
        ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "not_found")] * 4


async def test_a_malformed_wish_is_refused(database: Database, town: Town, noon: datetime) -> None:
    malformed: list[object] = [{"wish": "长" * 501}, {"wish": 1}, {"wish": "x", "more": 1}, {}, {"wish": "\0"}, 7]

    async with a_door(database, router, town.firms[0], now=noon) as door:
        scored = (await door.post("/scores")).json()
        answers = [await door.post(f"/scores/{scored['id']}/review", json=body) for body in malformed]

    assert {answer.status_code for answer in answers} <= {400, 422}


async def test_a_bank_reports_outcomes_and_a_firm_may_not(database: Database, town: Town, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_lender(session, now=noon)
    csv = f"credit_code,is_default,observed_on\n{town.codes[0]},1,2025-05-31\nx,1,2025-05-31\n"

    async with a_door(database, router, bank.maker, now=noon) as door:
        reported = await door.post("/outcomes", json={"csv": csv})
    async with a_door(database, router, town.firms[0], now=noon) as door:
        refused = await door.post("/outcomes", json={"csv": csv})

    assert reported.json() == {"received": 2, "loaded": 1, "unchanged": 0, "rejected": {"firm_unknown": 1}}
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")


async def test_the_second_person_releases_over_http_and_the_list_shows_no_text(
    database: Database, desk: Desk, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        proposed = await service.propose_release(session, desk.maker, a_bundle(), now=noon)

    async with a_door(database, router, desk.maker, now=noon) as door:
        by_the_same = await door.post(f"/model-releases/{proposed.digest}/approve")
    async with a_door(database, router, desk.checker, now=noon) as door:
        unknown = [await door.post(f"/model-releases/{digest}/approve") for digest in ("0" * 64, "%00", "x")]
        released = await door.post(f"/model-releases/{proposed.digest}/approve")
        listed = await door.get("/model-releases")

    assert by_the_same.status_code == 403
    assert [answer.status_code for answer in unknown] == [404, 404, 404]
    assert released.json()["state"] == "released"
    assert [release["digest"] for release in listed.json()["releases"]] == [proposed.digest]
    assert "booster" not in listed.text
