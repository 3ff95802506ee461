"""What does not run, as the operator's people see it, and trying it again: by officers alone, written down."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
from builders_doors import a_door
from builders_operations import CONSUMER, JOB, a_delivery, a_job_given_up, retries_of
from builders_parties import Desk, a_lender, the_operator
from conftest import Database

from xinyidai.access.service import act_as_platform
from xinyidai.foundation import outbox
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.outbox import DeliveryState, Envelope
from xinyidai.operations.routes import router

RETRY = {"reason": "cause_mended"}


@dataclass(frozen=True)
class Trouble:
    """The operator's two people, and what went wrong under them."""

    desk: Desk
    given_up: UUID
    failed: UUID
    pending: UUID


@pytest.fixture
async def trouble(database: Database, noon: datetime) -> Trouble:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        desk = await the_operator(session, now=noon)
        await a_job_given_up(session, now=noon)
        return Trouble(
            desk,
            await a_delivery(session, now=noon),
            await a_delivery(session, state=DeliveryState.WAITING, attempts=1, now=noon),
            await a_delivery(session, state=DeliveryState.WAITING, attempts=0, last_error=None, now=noon),
        )


async def standing_of(admin: asyncpg.Connection, delivery_id: UUID) -> tuple[str, int, str | None]:
    row = await admin.fetchrow(
        "SELECT state, attempts, last_error FROM foundation.outbox_delivery WHERE id = $1", delivery_id
    )
    return row["state"], row["attempts"], row["last_error"]


async def test_open_deliveries_are_listed_by_standing_and_in_pages(
    database: Database, trouble: Trouble, noon: datetime
) -> None:
    async with a_door(database, router, trouble.desk.checker, now=noon) as door:
        first = (await door.get("/operations/deliveries", params={"limit": 2})).json()
        rest = (await door.get("/operations/deliveries", params={"cursor": first["next_cursor"]})).json()
        failed = (await door.get("/operations/deliveries", params={"standing": "failed"})).json()
        others = (await door.get("/operations/deliveries", params={"event": "KettleBroken"})).json()

    listed = [(UUID(one["id"]), one["standing"]) for one in first["deliveries"] + rest["deliveries"]]
    assert listed == [
        (trouble.given_up, "given_up"),
        (trouble.failed, "failed"),
        (trouble.pending, "pending"),
    ]
    assert rest["next_cursor"] is None
    assert [one["id"] for one in failed["deliveries"]] == [str(trouble.failed)]
    assert others["deliveries"] == []
    assert "kettle_id" not in str(first)


async def test_a_delivery_is_tried_again_once_and_really_arrives(
    database: Database, trouble: Trouble, noon: datetime, admin: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    poured: list[UUID] = []

    async def pour(_session: object, envelope: Envelope) -> None:
        poured.append(envelope.event_id)

    monkeypatch.setitem(outbox._consumers, CONSUMER, outbox.Consumer(CONSUMER, "KettleBoiled", pour))
    path = f"/operations/deliveries/{trouble.given_up}/retry"
    async with a_door(database, router, trouble.desk.maker, now=noon) as door:
        taken = await door.post(path, json=RETRY)
        twice = await door.post(path, json=RETRY)
        untried = await door.post(f"/operations/deliveries/{trouble.pending}/retry", json=RETRY)
        unknown = await door.post(f"/operations/deliveries/{uuid4()}/retry", json=RETRY)
    done = await outbox.drain(database.worker, now=noon)

    assert taken.status_code == 204
    assert {(one.status_code, one.json()["code"]) for one in (twice, untried, unknown)} == {(409, "nothing_to_retry")}
    assert (done, len(poured)) == (3, 3)
    assert [
        tuple(row)
        for row in await admin.fetch(f"SELECT state FROM foundation.outbox_delivery WHERE id = '{trouble.given_up}'")
    ] == [("done",)]
    assert await retries_of(admin) == [("operations.delivery_retried", str(trouble.given_up), "cause_mended")]


async def test_all_that_were_given_up_are_tried_again_together(
    database: Database, trouble: Trouble, noon: datetime, admin: asyncpg.Connection
) -> None:
    async with a_door(database, router, trouble.desk.maker, now=noon) as door:
        taken = await door.post("/operations/deliveries/retry", json=RETRY)
        twice = await door.post("/operations/deliveries/retry", json=RETRY)

    assert (taken.status_code, taken.json()) == (200, {"count": 1})
    assert (twice.status_code, twice.json()["code"]) == (409, "nothing_to_retry")
    assert [
        tuple(row)
        for row in await admin.fetch(
            "SELECT state, attempts, last_error FROM foundation.outbox_delivery ORDER BY id LIMIT 1"
        )
    ] == [("waiting", 0, None)]


async def test_a_job_that_was_given_up_is_listed_and_tried_again(
    database: Database, trouble: Trouble, noon: datetime, admin: asyncpg.Connection
) -> None:
    async with a_door(database, router, trouble.desk.maker, now=noon) as door:
        listed = (await door.get("/operations/jobs")).json()["jobs"]
        wrong = await door.post(f"/operations/jobs/{JOB}/retry", json=RETRY | {"period": "2025-06-14"})
        taken = await door.post(f"/operations/jobs/{JOB}/retry", json=RETRY | {"period": "2025-06-15"})
        after = (await door.get("/operations/jobs")).json()["jobs"]

    (ours,) = [one for one in listed if one["name"] == JOB]
    (again,) = [one for one in after if one["name"] == JOB]
    assert (ours["outcome"], ours["open_period"], ours["last_error"]) == ("given_up", "2025-06-15", "OSError")
    assert (wrong.status_code, taken.status_code) == (409, 204)
    assert (again["outcome"], again["attempts"]) == ("failed", 0)
    assert await retries_of(admin) == [("operations.job_retried", f"{JOB} 2025-06-15", "cause_mended")]


async def test_others_and_people_without_the_role_are_refused(
    database: Database, trouble: Trouble, noon: datetime, admin: asyncpg.Connection
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_lender(session, now=noon)
    reads = ["/operations/deliveries", "/operations/jobs"]
    async with a_door(database, router, bank.maker, now=noon) as door:
        read = [(await door.get(path)).status_code for path in reads]
        wrote = await door.post("/operations/deliveries/retry", json=RETRY)
    async with a_door(database, router, trouble.desk.checker, now=noon) as door:
        by_approver = await door.post("/operations/deliveries/retry", json=RETRY)
    async with a_door(database, router, trouble.desk.maker, now=noon) as door:
        without_reason = await door.post("/operations/deliveries/retry", json={})

    assert read == [403, 403]
    assert (wrote.status_code, by_approver.status_code, without_reason.status_code) == (403, 403, 422)
    assert await retries_of(admin) == []
