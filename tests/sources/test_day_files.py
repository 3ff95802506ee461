"""The list and the daily files against the city's office over real HTTP: nothing lost, twice, or unasked for."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from builders_city_offices import BENEFITS, TODAY, Offices, open_offices
from builders_consents import a_consent
from builders_doors import a_door
from builders_parties import a_firm, a_lender, the_operator
from conftest import Database

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing
from xinyidai.foundation import outbox, timetable
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound, ValueRefused
from xinyidai.foundation.outbox import TryLater
from xinyidai.foundation.settings import settings
from xinyidai.sources.adapters.benefits import Benefits
from xinyidai.sources.queries.day_files import day_files, subscriptions
from xinyidai.sources.routes import router
from xinyidai.sources.rules.offices.day_files import SOCIAL_INSURANCE, FileEntry, KeptRows
from xinyidai.sources.rules.pulls import SourceNotConnected
from xinyidai.sources.rules.subscriptions import (
    ITEMS,
    MAX_TRIES,
    DayFileState,
    DayFileView,
    SubscriptionEnd,
    SubscriptionState,
    SubscriptionView,
)
from xinyidai.sources.service import day_files as storing
from xinyidai.sources.service import subscribing
from xinyidai.sources.tasks import day_files as office_tasks

FIRST = TODAY + timedelta(days=1)


@dataclass
class Place:
    """A firm of the city that consented here, the office, and the platform's client of it."""

    database: Database
    offices: Offices
    client: Benefits
    firm: Viewer
    operator: Viewer
    consent_id: UUID

    async def subscribe(self, reference: str) -> SubscriptionView:
        """Let the firm subscribe."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=self.offices.now)
            return await subscribing.subscribe(session, self.firm, reference, now=self.offices.now)

    async def subscribed(self, fault: str = "") -> None:
        """Let the firm subscribe with a number of the office, send the list, and let the next day begin."""
        await self.subscribe(await self.offices.reference("benefits", fault))
        await self.round()
        await self.offices.day_is(FIRST)

    async def round(self, day: date | None = None) -> None:
        """Let a worker go round once, on a day."""
        if day is not None:
            await self.offices.day_is(day)
        await self.order()
        await office_tasks.fetch_day_files(self.database.worker, self.offices.city.clock, self.client)

    async def order(self) -> None:
        """Let the day begin at the platform."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.offices.now)
            await storing.order_day_files(session, now=self.offices.now)

    async def place(self) -> SubscriptionView:
        """Return the newest place of the firm on the list."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=self.offices.now)
            return (await subscriptions(session, self.firm))[0]

    async def files(self) -> dict[tuple[date, str], DayFileView]:
        """Return what the operator sees."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.operator, now=self.offices.now)
            found = await day_files(session, self.operator, since=TODAY)
        return {(one.day, one.item_code): one for one in found}

    async def of_first_day(self) -> DayFileView:
        """Return the first day's file of social insurance."""
        return (await self.files())[FIRST, "social_insurance"]

    async def revoke(self) -> None:
        """Let the firm take its consent back."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=self.offices.now)
            await consents.revoke(session, self.firm, self.consent_id, now=self.offices.now)


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the platform know the office."""
    told = {"city_url": "http://127.0.0.1:1", "benefits_client_id": "platform", "benefits_public_key": "a key"}
    monkeypatch.setattr(subscribing, "settings", lambda: settings().model_copy(update=told))


@pytest.fixture
async def place(database: Database, tmp_path: Path) -> AsyncGenerator[Place]:
    async with open_offices(tmp_path) as offices:
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=offices.now)
            firm = await a_firm(session, credit_code=offices.firm.credit_code, now=offices.now)
            consent = await a_consent(session, firm, item_codes=ITEMS, now=offices.now)
            operator = (await the_operator(session, now=offices.now)).maker
        client = Benefits(offices.url, "platform", BENEFITS, offices.public_key)
        yield Place(database, offices, client, firm, operator, consent.id)
        await client.aclose()


async def facts(admin: asyncpg.Connection, item: str = "social_insurance", *, current: bool = False) -> int:
    only = " WHERE superseded_at IS NULL" if current else ""
    count: int = await admin.fetchval(f"SELECT count(*) FROM sources.{item}_fact{only}")
    return count


async def listed_there(place: Place) -> set[str]:
    answer = await place.offices.http.get("/benefits/subscription", auth=("platform", BENEFITS))
    return {row["credit_code"] for row in answer.json()["rows"]}


async def test_a_subscribed_firm_is_listed_and_its_history_comes_the_next_day(
    place: Place, admin: asyncpg.Connection
) -> None:
    await place.subscribed()
    told = await place.place()
    await place.round()

    found = await place.files()
    assert (told.state, told.listed_from) == (SubscriptionState.LISTED, FIRST)
    assert {one.state for one in found.values()} == {DayFileState.LOADED}
    assert {key: one.loaded for key, one in found.items()} == {
        (FIRST, "housing_fund"): await facts(admin, "housing_fund"),
        (FIRST, "social_insurance"): await facts(admin),
    }
    assert await facts(admin) > 20
    assert await admin.fetchval("SELECT array_agg(DISTINCT firm_id) FROM sources.social_insurance_fact") == [
        place.firm.organisation_id
    ]


async def test_days_that_were_missed_are_fetched_in_one_round(place: Place, admin: asyncpg.Connection) -> None:
    await place.subscribed()

    await place.round(FIRST + timedelta(days=12))

    found = await place.files()
    assert len(found) == 26
    assert {one.state for one in found.values()} == {DayFileState.LOADED}


async def test_a_second_round_on_the_same_day_stores_nothing_again(place: Place, admin: asyncpg.Connection) -> None:
    await place.subscribed()
    await place.round()
    before = await facts(admin), await admin.fetchval("SELECT count(*) FROM sources.delivery")

    await place.round()

    assert (await facts(admin), await admin.fetchval("SELECT count(*) FROM sources.delivery")) == before


async def test_the_same_bytes_again_are_the_same_delivery(place: Place, admin: asyncpg.Connection) -> None:
    await place.subscribed()
    await place.round()
    before = await admin.fetchrow("SELECT count(*), max(no) FROM sources.delivery")
    await admin.execute("UPDATE sources.day_file SET state = 'waiting', digest = NULL, delivery_id = NULL")

    await place.round()

    assert await admin.fetchrow("SELECT count(*), max(no) FROM sources.delivery") == before
    assert {one.state for one in (await place.files()).values()} == {DayFileState.LOADED}


async def test_a_consent_that_ends_takes_the_firm_off_the_next_list(place: Place, admin: asyncpg.Connection) -> None:
    await place.subscribed()
    await place.revoke()

    await place.round()

    told = await place.place()
    assert (told.state, told.reason) == (SubscriptionState.ENDED, SubscriptionEnd.CONSENT_OVER)
    assert await listed_there(place) == set()
    assert await facts(admin) == 0
    assert await admin.fetchval("SELECT sealed_reference FROM sources.subscription") is None
    assert "授权已结束" in told.sentence("zh")


async def test_a_consent_that_ends_after_the_list_went_out_leaves_its_rows_unread(
    place: Place, admin: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.subscribed()
    entries = place.client.entries

    async def revoked_meanwhile(day: date) -> object:
        with suppress(NotFound):
            await place.revoke()
        return await entries(day)

    monkeypatch.setattr(place.client, "entries", revoked_meanwhile)
    await place.round()

    found = await place.of_first_day()
    assert (found.state, found.loaded, found.discarded) == (DayFileState.LOADED, 0, found.received)
    assert await facts(admin) == 0
    assert await admin.fetchval("SELECT count(*) FROM sources.rejected_row") == 0


async def test_one_item_taken_back_stops_one_file(place: Place, admin: asyncpg.Connection) -> None:
    await place.subscribed()
    async with in_transaction(place.database.app) as session:
        await act_as(session, place.firm, now=place.offices.now)
        await consents.withdraw_item(session, place.firm, place.consent_id, "social_insurance", now=place.offices.now)

    await place.round()

    assert (await facts(admin), await facts(admin, "housing_fund") > 20) == (0, True)
    assert await listed_there(place) == {place.offices.firm.credit_code}


async def test_a_firm_that_ends_its_subscription_is_off_the_next_list(place: Place) -> None:
    await place.subscribed()
    async with in_transaction(place.database.app) as session:
        await act_as(session, place.firm, now=place.offices.now)
        ended = await subscribing.unsubscribe(session, place.firm, now=place.offices.now)
        with pytest.raises(NotFound):
            await subscribing.unsubscribe(session, place.firm, now=place.offices.now)

    await place.round()

    assert ended.reason is SubscriptionEnd.TAKEN_BACK
    assert await listed_there(place) == set()


async def test_a_number_that_the_office_does_not_know_is_told_to_its_firm(place: Place) -> None:
    await place.subscribe("SBGJJ1")

    await place.round()

    told = await place.place()
    assert (told.state, told.reason) == (SubscriptionState.REFUSED, SubscriptionEnd.OFFICE_REFUSED)
    assert "授权号" in told.sentence("zh")
    assert "number" in told.sentence("en")


async def test_the_same_number_is_one_place_and_a_new_one_takes_it(place: Place) -> None:
    first = await place.subscribe(await place.offices.reference("benefits"))
    again = await place.subscribe(place.offices.references["benefits"])
    other = await place.subscribe(await place.offices.reference("benefits"))

    async with in_transaction(place.database.app) as session:
        await act_as(session, place.firm, now=place.offices.now)
        found = await subscriptions(session, place.firm)

    assert (first.id, again.id != other.id) == (again.id, True)
    assert [one.reason for one in found] == [None, SubscriptionEnd.REPLACED]


async def test_without_a_consent_nobody_subscribes_and_a_bank_never(place: Place) -> None:
    now = place.offices.now
    await place.revoke()
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=now)
        bank = (await a_lender(session, now=now)).maker

    with pytest.raises(ConsentMissing):
        await place.subscribe("SBGJJ1")
    with pytest.raises(ValueRefused):
        await place.subscribe("授权号")
    async with in_transaction(place.database.app) as session:
        await act_as(session, bank, now=now)
        with pytest.raises(NotAllowed):
            await subscribing.subscribe(session, bank, "SBGJJ1", now=now)
        with pytest.raises(NotAllowed):
            await day_files(session, bank, since=TODAY)


REFUSED = {
    "wrong_signature": "signature_wrong",
    "stale": "another_day",
    "file_cut": "digest_wrong",
    "schema_drift": "schema_changed",
    "wrong_unit": "unit_doubtful",
    "truncated_body": "signature_wrong",
}


@pytest.mark.parametrize(("kind", "reason"), REFUSED.items())
async def test_a_file_that_is_not_believed_stores_nothing_and_comes_whole_the_day_after(
    place: Place, admin: asyncpg.Connection, kind: str, reason: str
) -> None:
    await place.subscribed()
    await place.offices.play("benefits", kind)

    await round_past_the_list(place, kind)
    refused, stored = await place.of_first_day(), await facts(admin)
    await place.offices.play("benefits", kind, probability=0)
    await place.round(FIRST + timedelta(days=1))
    repaired = await place.of_first_day()

    assert (refused.state, refused.reason, stored) == (DayFileState.REFUSED, reason, 0)
    assert "未保存" in refused.sentence("zh")
    assert "nothing was kept" in refused.sentence("en")
    assert (repaired.state, repaired.loaded == await facts(admin) - await late(admin)) == (DayFileState.LOADED, True)


async def late(admin: asyncpg.Connection) -> int:
    """Return how many facts came with files of later days than the first."""
    count: int = await admin.fetchval(
        "SELECT coalesce(sum(loaded), 0) FROM sources.day_file WHERE day > $1 AND item_code = 'social_insurance'", FIRST
    )
    return count


async def round_past_the_list(place: Place, kind: str) -> None:
    """Go round with a fault of the wire that the list, which is sent before, is spared."""
    await place.offices.play("benefits", kind, probability=0)
    await place.order()
    work = office_tasks._Round(place.database.worker, place.offices.city.clock, place.client)
    await work.send_list()
    await place.offices.play("benefits", kind)
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.offices.now)
        claimed = await storing.claim_day_files(session, now=place.offices.now)
    await work.fetch(claimed.files)


@pytest.mark.parametrize(
    ("kind", "discarded", "reason"), [("file_other_firm", 1, None), ("file_repeated", 0, None), ("clock_skew", 0, None)]
)
async def test_a_file_with_rows_too_many_loads_each_own_row_once(
    place: Place, admin: asyncpg.Connection, kind: str, discarded: int, reason: str | None
) -> None:
    await place.subscribed(kind)

    await place.round()

    found = await place.of_first_day()
    months = await admin.fetchval("SELECT count(DISTINCT month) FROM sources.social_insurance_fact")
    assert (found.state, found.reason, found.discarded) == (DayFileState.LOADED, reason, discarded)
    assert found.loaded == months == await facts(admin, current=True)
    assert await admin.fetchval("SELECT count(*) FROM sources.rejected_row") == 0


@pytest.mark.parametrize(("kind", "reason"), [("429", "busy"), ("500", "faulty"), ("dropped_connection", "silent")])
async def test_an_office_in_trouble_is_tried_again_within_a_bound_and_the_next_day_anew(
    place: Place, admin: asyncpg.Connection, kind: str, reason: str
) -> None:
    await place.subscribed(kind)
    await place.order()
    waits = []
    for _ in range(MAX_TRIES + 2):
        with suppress(TryLater):
            await office_tasks.fetch_day_files(place.database.worker, place.offices.city.clock, place.client)
        waits.append((await place.of_first_day()).tries)

    troubled = await place.of_first_day()

    assert (troubled.state, troubled.reason) == (DayFileState.WAITING, reason)
    assert max(waits) == MAX_TRIES
    assert await facts(admin) == 0


async def test_a_day_that_was_lost_keeps_no_other_back_and_a_new_listing_makes_it_good(
    place: Place, admin: asyncpg.Connection
) -> None:
    await place.subscribed()
    await round_past_the_list(place, "file_cut")
    await place.offices.play("benefits", "file_cut", probability=0)
    for on in (31, 32):
        await place.round(FIRST + timedelta(days=on))
    lost, before, resting = await place.of_first_day(), await facts(admin), await listed_there(place)

    for on in (33, 34):
        await place.round(FIRST + timedelta(days=on))

    found = await place.files()
    assert (lost.state, "补全" in lost.sentence("zh"), resting) == (DayFileState.LOST, True, set())
    assert {one.state for key, one in found.items() if key[0] > FIRST + timedelta(days=1)} == {DayFileState.LOADED}
    assert before < 10
    assert await facts(admin, current=True) > 20


async def test_a_file_that_comes_after_its_successors_undoes_nothing(place: Place, admin: asyncpg.Connection) -> None:
    await place.subscribed()
    await place.round()
    later, earlier = FIRST + timedelta(days=2), FIRST + timedelta(days=1)
    await admin.execute(
        "INSERT INTO sources.day_file (day, item_code, state, tries, touched_at)"
        " SELECT d, 'social_insurance', 'waiting', 0, now() FROM unnest($1::date[]) AS d",
        [later, earlier],
    )

    async def store(day: date, paid: str) -> None:
        code = place.offices.firm.credit_code
        line = f"{code},2025-04,6,29244.00,{paid},0.00".encode()
        entry = FileEntry(1, 1, paid.replace(".", "").zfill(64))
        async with in_transaction(place.database.worker) as session:
            await act_as_platform(session, now=place.offices.now)
            kept = KeptRows(SOCIAL_INSURANCE, (line,), 1, 0)
            await storing.store_day_file(session, day, "social_insurance", entry, kept, now=place.offices.now)

    await store(later, "222.00")
    await store(earlier, "111.00")

    now_paid = "SELECT paid_fen FROM sources.social_insurance_fact WHERE month = '2025-04-01' AND superseded_at IS NULL"
    assert await admin.fetchval(now_paid) == 22200
    assert (await place.files())[earlier, "social_insurance"].outdated == 1


async def test_time_wakes_the_round_only_while_somebody_is_on_the_list(
    place: Place, admin: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office_tasks, "benefits", lambda: place.client)
    due = "SELECT count(*) FROM foundation.outbox_event WHERE name = 'DayFilesDue'"

    async def a_day(day: date) -> int:
        await place.offices.day_is(day)
        now = place.offices.now
        await timetable.tick(place.database.worker, now=now, act_as=act_as_platform)
        await outbox.drain(place.database.worker, now=now)
        count: int = await admin.fetchval(due)
        return count

    idle = await a_day(TODAY)
    await place.subscribe(await place.offices.reference("benefits"))
    busy = [await a_day(TODAY + timedelta(days=on)) for on in (1, 2)]
    await place.offices.day_is(TODAY + timedelta(days=3))
    await place.revoke()
    ended = [await a_day(TODAY + timedelta(days=on)) for on in (3, 4)]

    assert (idle, busy, ended) == (0, [1, 2], [3, 3])
    assert await listed_there(place) == set()
    assert await facts(admin) > 20


async def test_two_workers_fetch_a_file_once(place: Place, admin: asyncpg.Connection) -> None:
    await place.subscribed()
    await place.order()
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.offices.now)
        await storing.claim_day_files(session, now=place.offices.now)

    with pytest.raises(TryLater) as later:
        await office_tasks.fetch_day_files(place.database.worker, place.offices.city.clock, place.client)

    assert timedelta(0) < later.value.after <= timedelta(minutes=3)
    assert await facts(admin) == 0


async def test_a_platform_that_is_not_connected_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribing, "settings", settings)

    with pytest.raises(SourceNotConnected):
        await place.subscribe("SBGJJ1")


async def test_the_doors_tell_the_firm_and_the_operator_what_happened(place: Place) -> None:
    now, path = place.offices.now, "/sources/benefits"
    reference = await place.offices.reference("benefits")

    async with a_door(place.database, router, place.firm, now=now) as door:
        asked = await door.post(f"{path}/subscription", json={"reference": reference})
        await place.round()
        listed = (await door.get(f"{path}/subscription")).json()["rows"][0]
        ended = await door.post(f"{path}/subscription/end")
        closed = await door.get(f"{path}/files")
    async with a_door(place.database, router, place.operator, now=now) as door:
        seen = (await door.get(f"{path}/files")).json()

    assert (asked.status_code, asked.json()["state"], reference in asked.text) == (202, "asked", False)
    assert (listed["state"], listed["listed_from"]) == ("listed", FIRST.isoformat())
    assert (ended.json()["reason"], ended.json()["said_zh"]) == ("taken_back", "企业已停止订阅，已从名单移除")
    assert closed.status_code == 403
    assert (seen["lists"][0]["named"], seen["lists"][0]["said_en"], seen["files"]) == (1, "The list was sent", [])


async def test_a_list_that_cannot_be_sent_is_tried_within_a_bound_and_no_file_is_asked_for(
    place: Place, admin: asyncpg.Connection
) -> None:
    await place.subscribe(await place.offices.reference("benefits"))
    client = Benefits(place.offices.url, "platform", "guess", place.offices.public_key)
    outcomes = []

    for _ in range(MAX_TRIES + 1):
        try:
            await office_tasks.fetch_day_files(place.database.worker, place.offices.city.clock, client)
            outcomes.append("ended")
        except TryLater:
            outcomes.append("later")
    await client.aclose()

    assert outcomes == ["later"] * (MAX_TRIES - 1) + ["ended"] * 2
    assert await admin.fetchrow("SELECT tries, reason, sent_at FROM sources.sent_list") == (MAX_TRIES, "denied", None)
    assert (await place.place()).state is SubscriptionState.ASKED
