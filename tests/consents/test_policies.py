"""How wide a consent may be for its purpose, and that everything too wide is named at once."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from builders_consents import A_POLICY, LISTED, NOW, a_consent
from builders_doors import a_door
from builders_parties import a_firm, a_lender
from conftest import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.catalogue.rules import Category, Item
from xinyidai.consents import queries, service
from xinyidai.consents.routes import router
from xinyidai.consents.rules import (
    MAX_ITEMS,
    MAX_RECEIVERS,
    ConsentEmpty,
    ConsentMissing,
    ConsentTooWide,
    Permission,
    Purpose,
    PurposeNotOffered,
    Wish,
    excesses,
    latest_expiry,
    requires_narrow,
)
from xinyidai.foundation.database import in_transaction
from xinyidai.parties.rules import PLATFORM_ID

LENDERS = {UUID(int=number): OrganisationKind.LENDER for number in range(3)}
FUND = {UUID(int=9): OrganisationKind.FUND}
SOON = NOW + timedelta(days=1)
LATEST = latest_expiry(NOW, 24)
OF_A_BANK = replace(LISTED["loan_outcome"], category=Category.BANK_EVIDENCE)
NO_CATEGORY = replace(LISTED["loan_outcome"], category=None)
MANY = [replace(LISTED["vat_invoice"], code=f"item_{number}") for number in range(MAX_ITEMS + 1)]


def a_wish(
    items: list[Item] | None = None,
    receivers: dict[UUID, OrganisationKind] | None = None,
    expires_at: datetime = SOON,
    life_days: int | None = None,
) -> Wish:
    """Return a wish that the policy lets pass, but for what is given."""
    return Wish(
        [LISTED["vat_invoice"]] if items is None else items,
        LENDERS if receivers is None else receivers,
        expires_at,
        life_days,
    )


@pytest.mark.parametrize("wish", [a_wish(), a_wish(expires_at=LATEST), a_wish(life_days=366)])
def test_what_the_policy_allows_in_full_is_not_too_wide(wish: Wish) -> None:
    requires_narrow(wish, A_POLICY, now=NOW)

    assert excesses(wish, A_POLICY, now=NOW) == []


@pytest.mark.parametrize("wish", [a_wish([]), a_wish(receivers={}), a_wish(expires_at=NOW), a_wish(life_days=0)])
def test_a_consent_to_nothing_is_refused_as_empty(wish: Wish) -> None:
    with pytest.raises(ConsentEmpty):
        requires_narrow(wish, A_POLICY, now=NOW)


@pytest.mark.parametrize(
    ("wish", "fields"),
    [
        (a_wish([OF_A_BANK]), ["item_codes"]),
        (a_wish([NO_CATEGORY]), ["item_codes"]),
        (a_wish(MANY), ["item_codes"]),
        (a_wish(receivers=LENDERS | {UUID(int=8): OrganisationKind.LENDER}), ["receiver_ids"]),
        (a_wish(receivers=FUND), ["receiver_kinds"]),
        (a_wish(expires_at=LATEST + timedelta(microseconds=1)), ["expires_at"]),
        (a_wish(life_days=367), ["data_life_days"]),
        (
            a_wish([OF_A_BANK], LENDERS | FUND, LATEST + timedelta(days=1), 367),
            ["item_codes", "receiver_ids", "receiver_kinds", "expires_at", "data_life_days"],
        ),
    ],
)
def test_everything_too_wide_is_named_in_one_refusal(wish: Wish, fields: list[str]) -> None:
    with pytest.raises(ConsentTooWide) as refused:
        requires_narrow(wish, A_POLICY, now=NOW)

    assert refused.value.facts["fields"] == fields
    assert len(refused.value.found) == len(fields)


def test_the_refusal_says_what_was_asked_and_the_most_in_both_languages() -> None:
    with pytest.raises(ConsentTooWide) as refused:
        requires_narrow(a_wish(receivers=LENDERS | FUND), replace(A_POLICY, most_months=24), now=NOW)

    assert refused.value.sentence("zh") == (
        "授权范围过宽：接收方数量（申请 4，最多 3）；接收方类别（申请 风险补偿资金，最多 银行）"
    )
    assert refused.value.sentence("en") == (
        "The consent is too wide: number of receivers (4 asked, at most 3);"
        " kinds of receiver (fund asked, at most lender)"
    )
    assert refused.value.facts["most"] == ["3", "lender"]


def test_an_item_may_be_named_by_its_code_where_its_category_may_not() -> None:
    policy = replace(A_POLICY, categories=frozenset(), item_codes=frozenset({"loan_outcome"}))

    assert excesses(a_wish([NO_CATEGORY]), policy, now=NOW) == []
    assert [one.field for one in excesses(a_wish(), policy, now=NOW)] == ["item_codes"]


@pytest.mark.parametrize(
    ("day", "is_in_force"),
    [(date(2025, 1, 1), True), (date(2025, 12, 31), True), (date(2024, 12, 31), False), (date(2026, 1, 1), False)],
)
def test_a_policy_is_in_force_from_its_first_day_until_before_its_last(day: date, is_in_force: bool) -> None:
    policy = replace(A_POLICY, valid_from=date(2025, 1, 1), valid_to=date(2026, 1, 1))

    assert policy.in_force_on(day) is is_in_force


async def test_every_purpose_has_a_policy_that_holds_no_more_than_a_consent_can(
    session: AsyncSession, noon: datetime
) -> None:
    found = await queries.policies(session, noon.date())

    assert set(found) == set(Purpose)
    assert all(one.most_receivers <= MAX_RECEIVERS and not one.is_verified for one in found.values())
    assert not any(Category.FORBIDDEN in one.categories for one in found.values())
    assert found[Purpose.MODEL_TRAINING].receiver_kinds == {OrganisationKind.OPERATOR}


async def test_a_consent_wider_than_its_purpose_names_everything_and_leaves_nothing(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, bank = await a_firm(session, now=noon), await a_lender(session, now=noon)

    async with a_door(database, router, firm, now=noon) as client:
        shown = (await client.get("/consents/text", params={"purpose": "model_training"})).json()
        body = {
            "purpose": "model_training",
            "item_codes": ["vat_invoice", "cash_flow"],
            "receiver_ids": [str(bank.id), str(PLATFORM_ID)],
            "expires_at": "2027-06-16T04:00:01Z",
            "text_digest": shown["digest"],
        }
        refused = await client.post("/consents", json=body)
        listed = (await client.get("/consents")).json()["consents"]

    facts = refused.json()["facts"]
    assert (refused.status_code, refused.json()["code"], listed) == (422, "consent_too_wide", [])
    assert facts == {
        "fields": ["item_codes", "receiver_ids", "receiver_kinds", "expires_at"],
        "asked": ["cash_flow", "2", "lender", "2027-06-16T04:00:01+00:00"],
        "most": [
            "housing_fund, social_insurance, tax, utilities, loan_outcome",
            "1",
            "operator",
            "2027-06-16T04:00:00+00:00",
        ],
    }
    assert "资金流信息" in refused.json()["title_zh"]
    assert shown["most_months"] == 24


async def test_the_policies_of_a_day_are_public_to_whoever_signed_in(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_lender(session, now=noon)

    async with a_door(database, router, bank.maker, now=noon) as client:
        today = (await client.get("/consents/policies")).json()
        before = (await client.get("/consents/policies", params={"on": "2015-12-31"})).json()

    by_purpose = {one["purpose"]: one for one in today["policies"]}
    assert (today["on"], before["policies"]) == ("2025-06-16", [])
    assert by_purpose["post_loan"]["receiver_kinds"] == ["fund", "guarantor", "lender", "operator"]
    assert by_purpose["credit_query"]["most_data_life_days"] is None


NARROWER = """
INSERT INTO consents.purpose_policy
SELECT purpose, 2, '2025-07-01', NULL, most_months, most_receivers, most_data_life_days, {categories}, item_codes,
       {kinds}, legal_basis, is_verified
FROM consents.purpose_policy WHERE purpose = 'pre_loan' AND version = 1
"""
CLOSED = "UPDATE consents.purpose_policy SET valid_to = '2025-07-01' WHERE purpose = 'pre_loan'"


async def what_may_be_read(database: Database, firm: Viewer, receiver_id: UUID, *, now: datetime) -> list[bool]:
    """Say of the rule, the two lists and the database, each by itself, whether the firm's invoices may be read."""
    asked = Permission(frozenset({firm.organisation_id}), (), Purpose.PRE_LOAN, receiver_id, ("vat_invoice",), now)
    lists = {"purpose": Purpose.PRE_LOAN, "item_codes": ["vat_invoice"], "now": now}
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        try:
            await service.permission_for(
                session,
                receiver_id=receiver_id,
                subject_ids=[firm.organisation_id],
                purpose=Purpose.PRE_LOAN,
                item_codes=["vat_invoice"],
                now=now,
            )
            by_rule = True
        except ConsentMissing:
            by_rule = False
        subjects = await queries.subjects_allowed(session, [firm.organisation_id], receiver_id=receiver_id, **lists)
        receivers = await queries.receivers_allowed(session, firm.organisation_id, receiver_ids=[receiver_id], **lists)
        await queries.present(session, asked)
        found = await session.execute(text("SELECT consents.permitted_subjects('vat_invoice')"))
        return [by_rule, bool(subjects), bool(receivers), bool(found.all())]


@pytest.mark.parametrize(
    ("statements", "is_open_to_platform"),
    [
        ([CLOSED, NARROWER.format(categories="categories", kinds="ARRAY['operator']")], True),
        ([CLOSED, NARROWER.format(categories="ARRAY['utilities']", kinds="receiver_kinds")], False),
        ([CLOSED], False),
    ],
)
async def test_a_policy_that_narrows_stops_reading_under_consents_given_before_it(
    database: Database, admin: asyncpg.Connection, noon: datetime, statements: list[str], is_open_to_platform: bool
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, bank = await a_firm(session, now=noon), await a_lender(session, now=noon)
        await a_consent(session, firm, receiver_ids=[bank.id, PLATFORM_ID], now=noon)
    for statement in statements:
        await admin.execute(statement)
    last = datetime(2025, 6, 30, 15, 59, 59, tzinfo=UTC)

    before = await what_may_be_read(database, firm, bank.id, now=last)
    after = await what_may_be_read(database, firm, bank.id, now=last + timedelta(seconds=1))
    by_platform = await what_may_be_read(database, firm, PLATFORM_ID, now=last + timedelta(seconds=1))

    assert (before, after) == ([True] * 4, [False] * 4)
    assert by_platform == [is_open_to_platform] * 4


async def test_a_purpose_without_a_policy_takes_no_consent(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    await admin.execute("UPDATE consents.purpose_policy SET valid_to = '2025-06-01' WHERE purpose = 'pre_loan'")

    async with in_transaction(database.app) as session:
        firm = await _a_firm(database, noon)
        await act_as(session, firm, now=noon)
        with pytest.raises(PurposeNotOffered):
            await a_consent(session, firm, now=noon)


async def _a_firm(database: Database, noon: datetime) -> Viewer:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        return await a_firm(session, now=noon)


async def test_a_consent_says_how_long_data_may_be_kept_as_asked_or_as_its_purpose_has_it(
    session: AsyncSession, noon: datetime
) -> None:
    firm = await a_firm(session, now=noon)

    asked = await a_consent(session, firm, data_life_days=30, now=noon)
    unasked = await a_consent(session, firm, now=noon)

    assert (asked.data_life_days, unasked.data_life_days) == (30, 366)
    with pytest.raises(ConsentTooWide):
        await a_consent(session, firm, data_life_days=367, now=noon)
