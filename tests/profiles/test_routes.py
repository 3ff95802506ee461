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


async def test_a_lender_has_no_door_here(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_lender(session, now=noon)

    async with a_door(database, router, bank.maker, now=noon) as door:
        answer = await door.get("/profiles/me")

    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
