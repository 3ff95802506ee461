"""Whom the simulated time waits for: signed-in persons with something to do, then bots; asked by the city alone."""

from dataclasses import replace
from datetime import datetime

from builders_doors import a_door
from builders_matching import a_bank, a_dispatch, an_asking_firm, an_indication
from conftest import Database
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import PrincipalKind, Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.app import sandbox
from xinyidai.foundation.database import in_transaction
from xinyidai.matching import service as matching
from xinyidai.parties.rules import SessionStage
from xinyidai.parties.service import sign_out
from xinyidai.parties.service.sessions import open_session


def as_bot(viewer: Viewer) -> Viewer:
    """Return the viewer as a simulated party's key."""
    return replace(viewer, principal_kind=PrincipalKind.CLIENT, scopes=frozenset({"parties:read"}), is_simulated=True)


async def someone_signed_in(session: AsyncSession, firm: Viewer) -> str:
    """Open a session for the firm's owner; return its token."""
    token, _expires_at = await open_session(
        session, firm.principal_id, firm.organisation_id, stage=SessionStage.OPEN, agent=""
    )
    return token


async def test_time_waits_for_a_signed_in_firm_that_may_choose_and_bots_hurry_before(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        firm, dispatch = await a_dispatch(session, bank, now=noon)
        token = await someone_signed_in(session, firm)

    async with a_door(database, sandbox.sandbox_router, as_bot(bank.desk.maker), now=noon) as client:
        before = (await client.get("/sandbox/pending")).json()
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=noon)
            await an_indication(session, bank, dispatch, now=noon)
        after = (await client.get("/sandbox/pending")).json()
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=noon)
            await sign_out(session, token)
        alone = (await client.get("/sandbox/pending")).json()

    assert before["waits_for"] == "bots"
    assert after == {
        "waits_for": "person",
        "persons": [{"organisation_id": str(firm.organisation_id), "waits_for": "person"}],
    }
    assert alone == {"waits_for": None, "persons": []}


async def test_bots_still_hurry_for_a_firm_that_may_choose_already(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank, slow = [await a_bank(session, now=noon) for _ in range(2)]
        firm, demand = await an_asking_firm(session, bank, slow, now=noon)
        matched = await matching.match(session, demand.id, now=noon)
        mine = next(one for one in matched.dispatches if one.lender_id == bank.id)
        await an_indication(session, bank, mine, now=noon)
        await someone_signed_in(session, firm)

    async with a_door(database, sandbox.sandbox_router, as_bot(bank.desk.maker), now=noon) as client:
        pending = (await client.get("/sandbox/pending")).json()

    assert pending["waits_for"] == "person"
    assert [one["waits_for"] for one in pending["persons"]] == ["person", "bots"]


async def test_a_person_or_a_live_key_is_told_nothing(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
    live = replace(as_bot(bank.desk.maker), is_simulated=False)

    async with a_door(database, sandbox.sandbox_router, bank.desk.maker, now=noon) as client:
        by_person = await client.get("/sandbox/pending")
    async with a_door(database, sandbox.sandbox_router, live, now=noon) as client:
        by_live_key = await client.get("/sandbox/pending")

    assert (by_person.status_code, by_live_key.status_code) == (404, 404)
