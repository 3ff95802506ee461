"""Taking one item of a consent back: the next statement no longer sees it, the rest stands."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from builders_consents import a_consent
from builders_doors import a_door
from builders_parties import a_firm, a_lender
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import queries, service
from xinyidai.consents.routes import router
from xinyidai.consents.rules import (
    ConsentMissing,
    ConsentState,
    ConsentView,
    ItemNotInConsent,
    Purpose,
    WithdrawnItem,
)
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.parties.rules import PLATFORM_ID

ITEMS = ("electricity", "tax_filing", "vat_invoice")


async def permitted(session: AsyncSession, item: str) -> set[UUID]:
    return set((await session.execute(text("SELECT consents.permitted_subjects(:item)"), {"item": item})).scalars())


async def require(session: AsyncSession, firm: Viewer, *items: str, now: datetime) -> None:
    await service.require(
        session,
        receiver_id=PLATFORM_ID,
        subject_ids=[firm.organisation_id],
        purpose=Purpose.PRE_LOAN,
        item_codes=items,
        now=now,
    )


async def allowed(session: AsyncSession, firm: Viewer, item: str, *, now: datetime) -> tuple[bool, bool]:
    """Say whether the two lists have the firm, and the platform, for an item."""
    asked = {"purpose": Purpose.PRE_LOAN, "item_codes": [item], "now": now}
    subjects = await queries.subjects_allowed(session, [firm.organisation_id], receiver_id=PLATFORM_ID, **asked)
    receivers = await queries.receivers_allowed(session, firm.organisation_id, receiver_ids=[PLATFORM_ID], **asked)
    return bool(subjects), bool(receivers)


async def a_committed_consent(database: Database, *items: str, now: datetime) -> tuple[Viewer, ConsentView]:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        firm = await a_firm(session, now=now)
        return firm, await a_consent(session, firm, item_codes=items, now=now)


async def take_back(database: Database, firm: Viewer, view: ConsentView, item: str, *, now: datetime) -> ConsentView:
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=now)
        return await service.withdraw_item(session, firm, view.id, item, now=now)


async def test_an_item_taken_back_is_refused_and_the_rest_of_the_consent_stands(
    session: AsyncSession, noon: datetime
) -> None:
    firm = await a_firm(session, now=noon)
    view = await a_consent(session, firm, item_codes=ITEMS, now=noon)
    later = noon + timedelta(hours=1)

    after = await service.withdraw_item(session, firm, view.id, "electricity", now=later)

    assert (after.state, after.item_codes) == (ConsentState.ACTIVE, ("tax_filing", "vat_invoice"))
    assert after.withdrawn == (WithdrawnItem("electricity", later),)
    assert await queries.consent(session, firm, view.id, now=later) == after
    assert await allowed(session, firm, "electricity", now=later) == (False, False)
    assert await allowed(session, firm, "vat_invoice", now=later) == (True, True)
    await require(session, firm, "vat_invoice", "tax_filing", now=later)
    assert await permitted(session, "vat_invoice") == {firm.organisation_id}
    assert await permitted(session, "electricity") == set()
    with pytest.raises(ConsentMissing):
        await require(session, firm, "vat_invoice", "electricity", now=later)


async def test_another_consent_that_names_the_item_still_opens_it(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    view = await a_consent(session, firm, item_codes=ITEMS, now=noon)
    await a_consent(session, firm, item_codes=["electricity"], now=noon)

    await service.withdraw_item(session, firm, view.id, "electricity", now=noon)
    await require(session, firm, "electricity", now=noon)

    assert await permitted(session, "electricity") == {firm.organisation_id}


async def test_the_last_item_taken_back_revokes_the_consent(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    view = await a_consent(session, firm, item_codes=ITEMS[:2], now=noon)

    one = await service.withdraw_item(session, firm, view.id, ITEMS[0], now=noon)
    both = await service.withdraw_item(session, firm, view.id, ITEMS[1], now=noon)
    again = await service.withdraw_item(session, firm, view.id, ITEMS[1], now=noon + timedelta(days=1))

    assert one.state is ConsentState.ACTIVE
    assert (both.state, both.revoked_at, both.item_codes) == (ConsentState.REVOKED, noon, (ITEMS[1],))
    assert again == both


async def test_taking_an_item_back_twice_changes_nothing_and_an_item_never_named_cannot_be(
    session: AsyncSession, noon: datetime
) -> None:
    firm = await a_firm(session, now=noon)
    view = await a_consent(session, firm, item_codes=ITEMS, now=noon)
    first = await service.withdraw_item(session, firm, view.id, "electricity", now=noon)

    again = await service.withdraw_item(session, firm, view.id, "electricity", now=noon + timedelta(days=1))

    assert again == first
    with pytest.raises(ItemNotInConsent):
        await service.withdraw_item(session, firm, view.id, "gas", now=noon)


async def test_each_withdrawal_is_announced_and_written_down_once(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    view = await a_consent(session, firm, item_codes=ITEMS, now=noon)
    for _time in range(2):
        await service.withdraw_item(session, firm, view.id, "electricity", now=noon)

    events = await session.execute(
        text("SELECT body ->> 'consent_id', body ->> 'item_code' FROM foundation.outbox_event WHERE name = :name"),
        {"name": "ItemWithdrawn"},
    )
    acts = await session.execute(
        text("SELECT object_id, consent_ids FROM audit.record WHERE action = 'consents.item_withdrawn'")
    )

    assert [tuple(row) for row in events] == [(str(view.id), "electricity")]
    assert [tuple(row) for row in acts] == [(f"{view.id}/electricity", [view.id])]


async def test_a_withdrawal_reaches_a_transaction_that_asked_before_it(database: Database, noon: datetime) -> None:
    firm, view = await a_committed_consent(database, *ITEMS, now=noon)

    async with in_transaction(database.worker) as reading:
        await act_as_platform(reading, now=noon)
        await require(reading, firm, "vat_invoice", "electricity", now=noon)
        before = await permitted(reading, "electricity")
        await take_back(database, firm, view, "electricity", now=noon)
        after = await permitted(reading, "electricity")
        kept = await permitted(reading, "vat_invoice")

    assert (before, after, kept) == ({firm.organisation_id}, set(), {firm.organisation_id})


async def test_of_two_who_take_the_last_two_items_back_at_once_one_revokes(database: Database, noon: datetime) -> None:
    firm, view = await a_committed_consent(database, *ITEMS[:2], now=noon)

    answers = await asyncio.gather(*(take_back(database, firm, view, item, now=noon) for item in ITEMS[:2] * 3))

    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        names = await session.execute(
            text("SELECT name, count(*) FROM foundation.outbox_event WHERE name <> 'ConsentGranted' GROUP BY 1")
        )
        left = await queries.consent(session, firm, view.id, now=noon)
        assert dict(map(tuple, names)) == {"ItemWithdrawn": 1, "ConsentRevoked": 1}
    assert {answer.state for answer in answers} == {ConsentState.ACTIVE, ConsentState.REVOKED}
    assert (left.state, len(left.withdrawn)) == (ConsentState.REVOKED, 1)


async def test_receivers_see_what_was_taken_back_and_nobody_else_does(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, rival = await a_firm(session, now=noon), await a_firm(session, now=noon)
        bank, other = await a_lender(session, now=noon), await a_lender(session, now=noon)
        view = await a_consent(session, firm, item_codes=ITEMS, receiver_ids=[bank.id], now=noon)
    await take_back(database, firm, view, "electricity", now=noon)
    seen = []

    for viewer in (firm, bank.maker, rival, other.maker):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            rows = await session.execute(text("SELECT count(*) FROM consents.item_withdrawal"))
            seen.append(rows.scalar_one())

    assert seen == [1, 1, 0, 0]


async def test_only_the_subject_takes_an_item_back_even_by_raw_sql(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, rival = await a_firm(session, now=noon), await a_firm(session, now=noon)
        bank = await a_lender(session, now=noon)
        view = await a_consent(session, firm, item_codes=ITEMS[1:], receiver_ids=[bank.id], now=noon)

    async def forge(viewer: Viewer, item: str) -> None:
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            await session.execute(
                text(
                    "INSERT INTO consents.item_withdrawal (consent_id, item_code, withdrawn_at, withdrawn_by)"
                    " VALUES (:consent, :item, :now, :consent)"
                ),
                {"consent": view.id, "item": item, "now": noon},
            )

    for viewer, item in ((bank.maker, "vat_invoice"), (rival, "vat_invoice"), (firm, "electricity")):
        with pytest.raises(DBAPIError, match="row-level security"):
            await forge(viewer, item)
    with pytest.raises(NotFound):
        await take_back(database, rival, view, "vat_invoice", now=noon)
    with pytest.raises(NotAllowed):
        await take_back(database, bank.maker, view, "vat_invoice", now=noon)


async def test_what_was_taken_back_cannot_be_given_again_by_changing_the_row(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    firm, view = await a_committed_consent(database, *ITEMS, now=noon)
    await take_back(database, firm, view, "electricity", now=noon)

    for change in (
        "UPDATE consents.item_withdrawal SET item_code = 'gas'",
        "DELETE FROM consents.item_withdrawal",
        "TRUNCATE consents.item_withdrawal",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await admin.execute(change)


async def test_the_door_takes_one_item_back(database: Database, noon: datetime) -> None:
    firm, view = await a_committed_consent(database, *ITEMS, now=noon)

    async with a_door(database, router, firm, now=noon) as client:
        taken = await client.post(f"/consents/{view.id}/items/electricity/withdraw")
        again = await client.post(f"/consents/{view.id}/items/electricity/withdraw")
        unnamed = await client.post(f"/consents/{view.id}/items/gas/withdraw")
        unknown = await client.post(f"/consents/{PLATFORM_ID}/items/electricity/withdraw")

    assert (taken.status_code, taken.json()["state"]) == (200, "active")
    assert taken.json()["item_codes"] == ["tax_filing", "vat_invoice"]
    assert taken.json()["withdrawn"] == [{"item_code": "electricity", "withdrawn_at": "2025-06-16T04:00:00Z"}]
    assert again.json() == taken.json()
    assert (unnamed.status_code, unnamed.json()["code"]) == (422, "item_not_in_consent")
    assert unknown.status_code == 404
