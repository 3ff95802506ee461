"""Asking for what may not be collected is refused, and known later although the transaction ended in nothing."""

import re
from collections.abc import AsyncGenerator
from datetime import datetime
from uuid import UUID

import asyncpg
import pytest
from builders_desks import Reader, a_reader
from builders_matching import a_bank, a_dispatch
from builders_parties import a_firm
from builders_sources import an_agency
from conftest import Database

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.app.traces import NOT_A_CODE
from xinyidai.consents.rules import Purpose
from xinyidai.consents.texts import text_on
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import in_transaction
from xinyidai.parties.rules import PLATFORM_ID

JSON = {"Accept": "application/json"}
FORBIDDEN = "person_belief_and_body"


@pytest.fixture
async def firm(database: Database, noon: datetime) -> Viewer:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        return await a_firm(session, now=noon)


@pytest.fixture
async def reader(database: Database, noon: datetime, firm: Viewer) -> AsyncGenerator[Reader]:
    async with a_reader(database, firm, now=noon) as opened:
        yield opened


async def traces(admin: asyncpg.Connection) -> list[tuple[str, UUID, UUID, str, str, datetime]]:
    """Return what was written down of asking for items: act, person, organisation, kind and code of the item, when."""
    rows = await admin.fetch(
        "SELECT action, principal_id, organisation_id, object_kind, object_id, happened_at FROM audit.record"
        " WHERE action LIKE 'catalogue.%' ORDER BY id"
    )
    return [tuple(row) for row in rows]


def a_grant_of(item: str, noon: datetime) -> dict[str, object]:
    return {
        "purpose": "pre_loan",
        "item_codes": [item, "vat_invoice"],
        "receiver_ids": [str(PLATFORM_ID)],
        "expires_at": "2025-12-16T04:00:00Z",
        "text_digest": text_on(business_date(noon)).digest(Purpose.PRE_LOAN).hex(),
    }


@pytest.mark.parametrize(
    ("item", "code", "action", "known_as"),
    [
        (FORBIDDEN, "item_forbidden", "catalogue.forbidden_item_asked", FORBIDDEN),
        ("bank_flow", "item_not_listed", "catalogue.unlisted_item_asked", "bank_flow"),
        ("张三 130 0000 0000", "item_not_listed", "catalogue.unlisted_item_asked", NOT_A_CODE),
    ],
)
async def test_asking_through_the_api_is_refused_and_written_down(
    reader: Reader,
    firm: Viewer,
    admin: asyncpg.Connection,
    noon: datetime,
    item: str,
    code: str,
    action: str,
    known_as: str,
) -> None:
    answer = await reader.client.post("/api/v1/consents", json=a_grant_of(item, noon), headers=JSON)

    (left,) = await traces(admin)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert left[:5] == (action, firm.principal_id, firm.organisation_id, "item", known_as)
    assert abs((left[5] - noon).total_seconds()) < 600
    assert await admin.fetchval("SELECT count(*) FROM consents.consent") == 0


async def test_asking_through_a_page_is_refused_and_written_down_where_the_firm_sees_it(
    reader: Reader, firm: Viewer, admin: asyncpg.Connection
) -> None:
    fields: dict[str, str | list[str]] = {
        "purpose": "pre_loan",
        "item": ["vat_invoice", FORBIDDEN],
        "receiver": str(PLATFORM_ID),
        "months": "6",
        "life": "0",
        "agrees": "yes",
    } | dict(re.findall(r'name="(digest_\w+)" value="(\w+)"', await reader.read("/firm/authorise")))

    answer = await reader.send("/firm/authorise", fields)
    looks = await reader.read("/firm/looks")

    (left,) = await traces(admin)
    assert (answer.status_code, "该信息项禁止归集和使用" in answer.text) == (422, True)
    assert left[:5] == (
        "catalogue.forbidden_item_asked",
        firm.principal_id,
        firm.organisation_id,
        "item",
        FORBIDDEN,
    )
    assert "请求禁止归集的信息项，已拒绝" in looks
    assert await admin.fetchval("SELECT count(*) FROM consents.consent") == 0


async def test_delivering_an_item_that_became_forbidden_is_refused_and_written_down_without_the_data(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        agency = await an_agency(session, now=noon)
    await admin.execute("UPDATE catalogue.item SET access_class = 'forbidden' WHERE code = 'vat_invoice'")
    header = "seller,no\n91500103000000012N,26117001\n"

    async with a_reader(database, agency, now=noon) as sender:
        answer = await sender.client.post(
            "/api/v1/sources/vat-invoices/csv", content=header, headers=JSON | {"Content-Type": "text/csv"}
        )

    (left,) = await traces(admin)
    assert (answer.status_code, answer.json()["code"]) == (422, "item_forbidden")
    assert left[:5] == (
        "catalogue.forbidden_item_asked",
        agency.principal_id,
        agency.organisation_id,
        "item",
        "vat_invoice",
    )
    assert await admin.fetchval("SELECT count(*) FROM audit.record WHERE object_id LIKE '%26117001%'") == 0


async def test_other_refusals_leave_nothing(reader: Reader, admin: asyncpg.Connection, noon: datetime) -> None:
    before = await admin.fetchval("SELECT count(*) FROM audit.record")

    answer = await reader.client.post(
        "/api/v1/consents", json=a_grant_of("cash_flow", noon) | {"expires_at": "2030-01-01T00:00:00Z"}, headers=JSON
    )

    assert answer.json()["code"] == "consent_too_wide"
    assert await admin.fetchval("SELECT count(*) FROM audit.record") == before


async def test_reading_an_item_that_became_forbidden_is_refused_and_written_down(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        _firm, dispatch = await a_dispatch(session, bank, now=noon)
    await admin.execute("UPDATE catalogue.item SET access_class = 'forbidden' WHERE code = 'vat_invoice'")

    async with a_reader(database, bank.desk.maker, now=noon) as officer:
        answer = await officer.client.get(f"/api/v1/dispatches/{dispatch.id}/profile", headers=JSON)

    (left,) = await traces(admin)
    assert (answer.status_code, answer.json()["code"]) == (422, "item_forbidden")
    assert left[:5] == (
        "catalogue.forbidden_item_asked",
        bank.desk.maker.principal_id,
        bank.id,
        "item",
        "vat_invoice",
    )
