"""The doors of data quality: a sender sees its own, asks for waivers, the operator decides and sees all."""

from datetime import date, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from builders_doors import a_door
from builders_parties import a_credit_code, a_regulator, the_operator
from builders_quality import Office, an_office, electricity
from builders_sources import an_agency
from conftest import Database

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.quality.routes import router
from xinyidai.quality.rules import MonthsRefused, PassRate, check_months


@pytest.fixture
async def office(database: Database, tmp_path: Path, noon: datetime) -> Office:
    made = await an_office(database, tmp_path, noon=noon)
    rows = [
        electricity("2023-04"),
        electricity("2023-05", charged_yuan="70000.00"),
        electricity("2023-06", credit_code=a_credit_code()),
        electricity("2023-04"),
    ]
    await made.deliver("electricity", rows)
    return made


async def others(office: Office) -> tuple[Viewer, Viewer, Viewer, Viewer]:
    """Return the operator's two people, a regulator and another agency."""
    async with in_transaction(office.database.worker) as session:
        await act_as_platform(session, now=office.noon)
        operator, regulator = await the_operator(session, now=office.noon), await a_regulator(session, now=office.noon)
        return operator.maker, operator.checker, regulator.maker, await an_agency(session, now=office.noon)


async def test_a_sender_sees_its_own_findings_and_the_operator_all(office: Office) -> None:
    operator, _checker, regulator, stranger = await others(office)

    seen = {}
    for name, viewer in (("own", office.agency), ("all", operator), ("none", stranger), ("no", regulator)):
        async with a_door(office.database, router, viewer, now=office.noon) as client:
            answer = await client.get("/quality/findings", params={"in_state": "open", "item_code": "electricity"})
            seen[name] = (answer.status_code, [row["rule_code"] for row in answer.json().get("rows", [])])

    assert seen == {
        "own": (200, ["electricity.tariff"]),
        "all": (200, ["electricity.tariff"]),
        "none": (200, []),
        "no": (403, []),
    }


async def test_a_waiver_is_asked_by_the_sender_and_decided_by_the_operator(office: Office) -> None:
    operator, _checker, _regulator, stranger = await others(office)
    (finding,) = await office.findings()
    place = f"/quality/findings/{finding.id}"

    async with a_door(office.database, router, stranger, now=office.noon) as client:
        not_theirs = await client.post(f"{place}/waiver", json={"reason": "x"})
    async with a_door(office.database, router, operator, now=office.noon) as client:
        too_early = await client.post(f"{place}/waiver-decision", json={"is_granted": True})
    async with a_door(office.database, router, office.agency, now=office.noon) as client:
        asked = await client.post(f"{place}/waiver", json={"reason": "该企业实行合同电价"})
        blank = await client.post(f"{place}/waiver", json={"reason": "  "})
        decided_by_sender = await client.post(f"{place}/waiver-decision", json={"is_granted": True})
    async with a_door(office.database, router, operator, now=office.noon) as client:
        refused = await client.post(f"{place}/waiver-decision", json={"is_granted": False})
        twice = await client.post(f"{place}/waiver-decision", json={"is_granted": True})
    async with a_door(office.database, router, office.agency, now=office.noon) as client:
        await client.post(f"{place}/waiver", json={"reason": "附合同"})
    async with a_door(office.database, router, operator, now=office.noon) as client:
        granted = await client.post(f"{place}/waiver-decision", json={"is_granted": True})
        closed = await client.post(f"{place}/waiver-decision", json={"is_granted": True})

    assert (not_theirs.status_code, decided_by_sender.status_code, blank.status_code) == (404, 403, 422)
    assert (too_early.json()["code"], twice.json()["code"]) == ("waiver_not_asked", "waiver_not_asked")
    assert asked.json()["waiver_reason"] == "该企业实行合同电价"
    assert (refused.json()["state"], granted.json()["state"]) == ("open", "waived")
    assert granted.json()["waiver_reason"] == "附合同"
    assert closed.json()["code"] == "finding_closed"


async def test_nobody_waives_what_they_asked_for_themselves(office: Office) -> None:
    operator, checker, _regulator, _stranger = await others(office)
    await office.deliver("electricity", [electricity("2023-07", charged_yuan="70000.00")], sender=operator)
    finding = (await office.findings())[-1]
    place = f"/quality/findings/{finding.id}"

    async with a_door(office.database, router, operator, now=office.noon) as client:
        await client.post(f"{place}/waiver", json={"reason": "合同电价"})
        own = await client.post(f"{place}/waiver-decision", json={"is_granted": True})
    async with a_door(office.database, router, checker, now=office.noon) as client:
        granted = await client.post(f"{place}/waiver-decision", json={"is_granted": True})

    assert own.json()["code"] == "same_person_twice"
    assert granted.json()["state"] == "waived"


async def test_a_waived_finding_is_not_found_again_and_an_unknown_one_not_at_all(office: Office) -> None:
    operator, _checker, _regulator, _stranger = await others(office)
    (finding,) = await office.findings()
    async with a_door(office.database, router, office.agency, now=office.noon) as client:
        await client.post(f"/quality/findings/{finding.id}/waiver", json={"reason": "合同电价"})
        unknown = await client.post(f"/quality/findings/{uuid4()}/waiver", json={"reason": "合同电价"})
    async with a_door(office.database, router, operator, now=office.noon) as client:
        await client.post(f"/quality/findings/{finding.id}/waiver-decision", json={"is_granted": True})
    await office.link()

    assert unknown.status_code == 404
    assert [state for _, _, _, state in await office.found()] == ["waived"]


async def test_pass_rates_tell_item_sender_and_month_and_lead_to_the_rules(office: Office) -> None:
    operator, _checker, _regulator, stranger = await others(office)

    async with a_door(office.database, router, operator, now=office.noon) as client:
        rates = await client.get("/quality/pass-rates")
        earlier = await client.get("/quality/pass-rates", params={"from_month": "2025-01-01", "to_month": "2025-05-01"})
        backwards = await client.get("/quality/pass-rates", params={"from_month": "2025-07-01"})
        (row,) = rates.json()["rows"]
        which = {name: row[name] for name in ("item_code", "sender_id", "month")}
        counts = await client.get("/quality/pass-rates/rules", params=which)
    async with a_door(office.database, router, stranger, now=office.noon) as client:
        not_theirs = await client.get("/quality/pass-rates")

    assert row == {
        "item_code": "electricity",
        "sender_id": str(office.agency.organisation_id),
        "month": "2025-06-01",
        "deliveries": 1,
        "received": 4,
        "offered": 3,
        "passed": 1,
        "failed": 1,
        "refused": 1,
        "unknown_firm": 1,
        "pass_rate_ppm": 333_333,
        "wrong_code_ppm": 250_000,
    }
    assert counts.json()["rows"][0] == {"rule_code": "electricity.tariff", "checked": 2, "failed": 1}
    assert (earlier.json()["rows"], not_theirs.json()["rows"]) == ([], [])
    assert backwards.json()["code"] == "months_refused"


async def test_the_rules_of_a_day_are_told(office: Office) -> None:
    async with a_door(office.database, router, office.agency, now=office.noon) as client:
        today = (await client.get("/quality/rules")).json()
        before = (await client.get("/quality/rules", params={"on": "2015-01-01"})).json()

    assert today["on"] == "2025-06-16"
    assert len(today["rules"]) >= 150
    assert before["rules"] == []


def test_a_rate_of_nothing_is_no_rate() -> None:
    empty = PassRate("water", uuid4(), date(2025, 6, 1), 1, 0, 0, 0, 0, 0, 0, 0, 0)

    assert (empty.pass_rate_ppm, empty.wrong_code_ppm) == (None, None)


@pytest.mark.parametrize("to_month", [date(2025, 5, 1), date(2028, 6, 1), date(9999, 12, 1)])
def test_months_in_disorder_or_too_many_are_refused(to_month: date) -> None:
    with pytest.raises(MonthsRefused):
        check_months(date(2025, 6, 1), to_month)
