"""Rights over HTTP: what is held, asking, and an archive that is the firm's alone."""

from datetime import datetime

from builders_doors import a_door
from builders_parties import a_firm, a_lender
from conftest import Database

from xinyidai.access.service import act_as_platform
from xinyidai.foundation import outbox
from xinyidai.foundation.database import in_transaction
from xinyidai.rights.routes import router
from xinyidai.worker import load_rooms

load_rooms()


async def test_an_export_is_asked_for_made_and_fetched_by_its_firm_alone(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, other = await a_firm(session, now=noon), await a_firm(session, now=noon)
        lender = (await a_lender(session, now=noon)).maker

    async with a_door(database, router, firm, now=noon) as door:
        held = await door.get("/rights/holdings")
        asked = await door.post("/rights/requests", json={"kind": "export"})
        path = f"/rights/requests/{asked.json()['id']}"
        early = await door.get(f"{path}/archive")
        await outbox.drain(database.worker, now=noon)
        shown, listed, archive = (
            await door.get(path),
            await door.get("/rights/requests"),
            await door.get(f"{path}/archive"),
        )
    async with a_door(database, router, other, now=noon) as door:
        hidden = [(await door.get(one)).status_code for one in (path, f"{path}/archive")]
    async with a_door(database, router, lender, now=noon) as door:
        refused = await door.get("/rights/holdings")

    assert (held.json(), asked.status_code, early.json()["code"]) == ({"holdings": []}, 201, "archive_gone")
    assert shown.json() == listed.json()["requests"][0]
    assert (shown.json()["state"], archive.content[:2]) == ("done", b"PK")
    assert archive.headers["content-type"] == "application/zip"
    assert archive.headers["content-disposition"].startswith("attachment; ")
    assert hidden == [404, 404]
    assert refused.status_code == 403
