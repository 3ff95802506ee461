"""Profiles over HTTP."""

from datetime import datetime

from builders_doors import a_door
from builders_parties import a_lender
from builders_scoring import a_town
from conftest import Database

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.profiles.routes import router


async def test_a_firm_reads_its_profile_with_names_units_and_period(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        town = await a_town(session, firms=1, now=noon)

    async with a_door(database, router, town.firms[0], now=noon) as door:
        profile = (await door.get("/profiles/me")).json()
        catalogue = (await door.get("/profiles/indicators")).json()

    assert profile["lineage"]["invoice_rows"] > 0
    assert [one["code"] for one in profile["indicators"]] == [one["code"] for one in catalogue["indicators"]]
    assert profile["feature_version"] == catalogue["version"]
    assert all(one["name_zh"] and one["value_zh"] and one["value_en"] for one in profile["indicators"])
    assert all((one["value"] is None) == (one["value_zh"] == "无数据") for one in profile["indicators"])


async def test_an_indicator_leads_to_a_fact_and_the_fact_back_to_the_indicator(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        town = await a_town(session, firms=1, now=noon)
    firm_id = str(town.firms[0].organisation_id)
    asked = {"indicator": "active_months", "firm_id": firm_id, "limit": 4}

    async with a_door(database, router, town.firms[0], now=noon) as door:
        first = (await door.get("/profiles/lineage", params=asked)).json()
        second = (await door.get("/profiles/lineage", params=asked | {"cursor": first["next_cursor"]})).json()
        fact = first["facts"][0]
        impact = (await door.get("/profiles/impact", params={"fact": fact["fact"]})).json()
        past = (await door.get("/profiles/lineage", params=asked | {"known_at": "2024-01-01T00:00:00Z"})).json()
        profile = (await door.get("/profiles/me")).json()

    assert first["indicator"] in profile["indicators"]
    assert (len(first["facts"]), len(second["facts"])) == (4, 4)
    assert fact["fact"].endswith(f".{fact['line_no']}")
    assert len(fact["origin"]["digest"]) == 64
    assert fact["origin"] == impact["origin"]
    assert "active_months" in impact["indicators"]
    assert (impact["fact"], impact["item_code"], impact["replaced"]) == (fact["fact"], "vat_invoice", [])
    assert (past["fact_rows"], past["facts"], past["indicator"]["value"]) == (0, [], None)


async def test_names_of_nothing_and_other_firms_are_refused(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        town = await a_town(session, firms=2, now=noon)
    own, other = (str(firm.organisation_id) for firm in town.firms)
    asked = {"indicator": "active_months", "firm_id": own}

    async with a_door(database, router, town.firms[0], now=noon) as door:
        answers = [
            await door.get("/profiles/lineage", params={"indicator": "luck", "firm_id": own}),
            await door.get("/profiles/lineage", params={"indicator": "active_months", "firm_id": other}),
            await door.get("/profiles/lineage", params=asked | {"as_of": "2025-01-01T00:00:00"}),
            await door.get("/profiles/lineage", params=asked | {"known_at": "2099-01-01T00:00:00Z"}),
            await door.get("/profiles/lineage", params=asked | {"as_of": "0001-01-01T00:00:00Z"}),
            await door.get("/profiles/lineage", params=asked | {"cursor": "luck"}),
            await door.get("/profiles/impact", params={"fact": "luck"}),
            await door.get("/profiles/impact", params={"fact": f"invoice_fact:{other}/1.2"}),
        ]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [
        (422, "value_refused"),
        (404, "not_found"),
        (422, "value_refused"),
        (422, "value_refused"),
        (422, "value_refused"),
        (422, "cursor_refused"),
        (422, "value_refused"),
        (404, "not_found"),
    ]


async def test_a_lender_has_no_door_here(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_lender(session, now=noon)

    async with a_door(database, router, bank.maker, now=noon) as door:
        answer = await door.get("/profiles/me")

    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
