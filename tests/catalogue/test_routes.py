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

    assert [item["code"] for item in today.json()["items"]] == ["loan_outcome", "registration", "vat_invoice"]
    assert today.json()["on"] == "2025-06-16"
    assert long_ago.json()["items"] == []


async def test_nobody_unknown_reads_it(database: Database, noon: datetime) -> None:
    async with a_door(database, router, None, now=noon) as client:
        answer = await client.get("/catalogue/items")

    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_needed")
