"""Who delivers how often: a rhythm of its own for each sender, silence against it, and counts for the operator."""

from datetime import datetime, timedelta

import pytest
from builders_consents import a_consenting_firm
from builders_doors import a_door
from builders_parties import a_credit_code, the_operator
from builders_sources import a_row, an_agency
from conftest import Database

from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.sources import queries, service
from xinyidai.sources.routes import router
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.rules.senders import is_behind, usual_gap

DAY = timedelta(days=1)


def arrivals(noon: datetime, count: int) -> list[datetime]:
    return [noon + 20 * DAY * number for number in range(count)]


def test_the_usual_gap_is_the_median_and_files_of_one_day_are_one(noon: datetime) -> None:
    split = [*arrivals(noon, 5), noon + timedelta(hours=2), noon + 20 * DAY + timedelta(minutes=1)]

    assert usual_gap(split) == 20 * DAY


def test_three_arrivals_tell_no_rhythm(noon: datetime) -> None:
    assert usual_gap(arrivals(noon, 3)) is None
    assert not is_behind(noon, None, now=noon + 1000 * DAY)


@pytest.mark.parametrize(("days", "behind"), [(20, False), (40, False), (41, True)])
def test_twice_the_usual_gap_in_silence_is_behind(noon: datetime, days: int, behind: bool) -> None:
    assert is_behind(noon, 20 * DAY, now=noon + days * DAY) is behind


async def test_the_operator_sees_counts_and_who_fell_silent(database: Database, noon: datetime) -> None:
    code = a_credit_code()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        operator = await the_operator(session, now=noon)
        agency = await an_agency(session, now=noon)
        await a_consenting_firm(session, credit_code=code, now=noon)
    for month, at in enumerate(arrivals(noon, 4)):
        async with in_transaction(database.app) as session:
            await act_as(session, agency, now=at)
            rows = [a_row(code, invoice_no=f"{month:08d}"), a_row(code, invoice_no="x", net_yuan="much")]
            await service.receive_rows(session, agency, rows, kind=DeliveryKind.VAT_INVOICE, now=at)

    async with a_door(database, router, operator.checker, now=noon + 100 * DAY) as door:
        early = (await door.get("/sources/standing")).json()
    async with a_door(database, router, operator.checker, now=noon + 101 * DAY) as door:
        late = (await door.get("/sources/standing")).json()
        listed = (await door.get(f"/sources/senders/{agency.organisation_id}/deliveries", params={"limit": 3})).json()
    async with a_door(database, router, agency, now=noon) as door:
        refused = [
            (await door.get(path)).status_code
            for path in ("/sources/standing", f"/sources/senders/{agency.organisation_id}/deliveries")
        ]

    (sender,) = late["senders"]
    assert (sender["deliveries"], sender["received"], sender["loaded"], sender["rejected_rows"]) == (4, 8, 4, 4)
    assert (sender["rejected"], sender["usual_gap_days"]) == ({"bad_amount": 4}, 20)
    assert [early["senders"][0]["is_behind"], sender["is_behind"]] == [False, True]
    assert late["pulls"] == []
    assert [one["received_at"] for one in listed["deliveries"]] == sorted(
        (one["received_at"] for one in listed["deliveries"]), reverse=True
    )
    assert listed["next_cursor"] is not None
    assert refused == [403, 403]


@pytest.mark.parametrize(
    ("second", "rejected", "counted"),
    [
        ({"invoice_no": "00000001"}, {"duplicate_row": 1}, 0),
        ({"invoice_no": "00000001", "net_yuan": "much"}, {"bad_amount": 1}, 1),
    ],
)
async def test_rows_that_only_repeat_need_nobody_and_faulty_ones_do(
    database: Database, noon: datetime, second: dict[str, str], rejected: dict[str, int], counted: int
) -> None:
    code = a_credit_code()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        operator = await the_operator(session, now=noon)
        agency = await an_agency(session, now=noon)
        await a_consenting_firm(session, credit_code=code, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, agency, now=noon)
        for rows in ([a_row(code)], [a_row(code, **second), a_row(code, invoice_no="00000002")]):
            await service.receive_rows(session, agency, rows, kind=DeliveryKind.VAT_INVOICE, now=noon)

    async with in_transaction(database.app) as session:
        await act_as(session, operator.checker, now=noon)
        since_then = await queries.with_faults_since(session, operator.checker, noon)
        later = await queries.with_faults_since(session, operator.checker, noon + DAY)
        named = await queries.deliveries_of_sender(
            session, operator.checker, agency.organisation_id, cursor=None, limit=2
        )

    assert (since_then, later) == (counted, 0)
    assert [one.rejected for one in named.rows] == [rejected, {}]
