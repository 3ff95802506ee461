"""The catalogue's door."""

from datetime import datetime
from uuid import UUID

from builders_doors import a_door
from conftest import Database

from xinyidai.access.rules import OrganisationKind, PrincipalKind, Viewer
from xinyidai.catalogue.routes import router

KEY = Viewer(
    UUID(int=1), PrincipalKind.CLIENT, UUID(int=2), OrganisationKind.LENDER, frozenset(), frozenset({"catalogue:read"})
)


async def test_the_catalogue_is_listed_for_a_day(database: Database, noon: datetime) -> None:
    async with a_door(database, router, KEY, now=noon) as client:
        today = await client.get("/catalogue/items")
        long_ago = await client.get("/catalogue/items", params={"on": "2015-01-01"})

    codes = [item["code"] for item in today.json()["items"]]
    assert codes == sorted(codes)
    assert {"loan_outcome", "registration", "vat_invoice", "social_insurance", "electricity"} <= set(codes)
    assert today.json()["on"] == "2025-06-16"
    assert long_ago.json()["items"] == []


async def test_nobody_unknown_reads_it(database: Database, noon: datetime) -> None:
    async with a_door(database, router, None, now=noon) as client:
        answer = await client.get("/catalogue/items")

    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_needed")


async def test_the_standards_are_listed_for_a_day(database: Database, noon: datetime) -> None:
    async with a_door(database, router, KEY, now=noon) as client:
        today = await client.get("/catalogue/standards")
        long_ago = await client.get("/catalogue/standards", params={"on": "2015-01-01"})

    (power,) = [one for one in today.json()["standards"] if one["item"]["code"] == "electricity"]
    assert (power["category"], power["update_cycle"], power["delay_days"]) == ("utilities", "monthly", 10)
    assert {field["code"]: field["unit"] for field in power["fields"]}["used_kwh"] == "kWh"
    assert long_ago.json()["standards"] == []
