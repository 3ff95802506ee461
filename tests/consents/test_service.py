"""Giving, using and taking back consent on a real database."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import product
from random import Random
from uuid import UUID

import asyncpg
import pytest
from builders_consents import a_consent
from builders_parties import a_firm, a_lender, a_sole_trader
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import PrincipalKind, Role, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.catalogue.rules import ItemNotListed
from xinyidai.consents import queries, service
from xinyidai.consents.rules import (
    AuthorityMissing,
    AuthorityNeedsChoice,
    ConsentMissing,
    ConsentState,
    ConsentTextOutdated,
    ConsentTooWide,
    ConsentView,
    Permission,
    Purpose,
    ReceiverUnfit,
    SubjectKind,
    TooManySubjects,
)
from xinyidai.consents.texts import text_on
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.parties.rules import PLATFORM_ID


async def require(
    session: AsyncSession,
    *subjects: Viewer,
    purpose: Purpose = Purpose.PRE_LOAN,
    receiver_id: UUID = PLATFORM_ID,
    item_codes: Sequence[str] = ("vat_invoice",),
    now: datetime,
) -> Permission:
    return await service.require(
        session,
        receiver_id=receiver_id,
        subject_ids=[subject.organisation_id for subject in subjects],
        purpose=purpose,
        item_codes=item_codes,
        now=now,
    )


async def permitted(session: AsyncSession, item: str = "vat_invoice") -> set[UUID]:
    return set((await session.execute(text("SELECT consents.permitted_subjects(:item)"), {"item": item})).scalars())


async def test_a_consent_permits_what_it_names_and_is_kept_with_the_text_that_was_shown(
    session: AsyncSession, noon: datetime
) -> None:
    firm = await a_firm(session, now=noon)
    view = await a_consent(session, firm, now=noon)

    permission = await require(session, firm, now=noon)

    assert permission.consent_ids == (view.id,)
    assert view.text_digest == text_on(business_date(noon)).digest(Purpose.PRE_LOAN)
    assert (view.subject_kind, view.state, view.granted_by) == (
        SubjectKind.FIRM,
        ConsentState.ACTIVE,
        firm.principal_id,
    )


async def test_a_sole_trader_consents_as_a_sole_trader(session: AsyncSession, noon: datetime) -> None:
    trader = await a_sole_trader(session, now=noon)

    view = await a_consent(session, trader, now=noon)

    assert view.subject_kind is SubjectKind.SOLE_TRADER


async def test_a_consent_for_one_purpose_is_none_for_another(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    await a_consent(session, firm, now=noon)

    for purpose in (Purpose.POST_LOAN, Purpose.EVALUATION, Purpose.MODEL_TRAINING):
        with pytest.raises(ConsentMissing):
            await require(session, firm, purpose=purpose, now=noon)
    assert await permitted(session) == set()


async def test_a_consent_names_its_receivers(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    named, other = await a_lender(session, now=noon), await a_lender(session, now=noon)
    await a_consent(session, firm, receiver_ids=[named.id], now=noon)

    allowed = await queries.receivers_allowed(
        session,
        firm.organisation_id,
        purpose=Purpose.PRE_LOAN,
        item_codes=["vat_invoice"],
        receiver_ids=[named.id, other.id, PLATFORM_ID],
        now=noon,
    )

    assert allowed == {named.id}
    with pytest.raises(ConsentMissing):
        await require(session, firm, receiver_id=other.id, now=noon)


async def test_one_subject_without_consent_refuses_all_of_them(session: AsyncSession, noon: datetime) -> None:
    willing, silent = await a_firm(session, now=noon), await a_firm(session, now=noon)
    await a_consent(session, willing, now=noon)

    with pytest.raises(ConsentMissing):
        await require(session, willing, silent, now=noon)
    allowed = await queries.subjects_allowed(
        session,
        [willing.organisation_id, silent.organisation_id],
        purpose=Purpose.PRE_LOAN,
        item_codes=["vat_invoice"],
        receiver_id=PLATFORM_ID,
        now=noon,
    )

    assert allowed == {willing.organisation_id}
    assert await permitted(session) == set()


async def test_a_consent_ends_at_its_moment(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    view = await a_consent(session, firm, days=1, now=noon)
    end = noon + timedelta(days=1)

    last = await require(session, firm, now=end - timedelta(microseconds=1))

    assert last.consent_ids == (view.id,)
    with pytest.raises(ConsentMissing):
        await require(session, firm, now=end)
    assert (await queries.consent(session, firm, view.id, now=end)).state is ConsentState.EXPIRED


async def test_the_database_looks_at_business_time_itself(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    await a_consent(session, firm, days=1, now=noon)
    await require(session, firm, now=noon)
    now_permitted = await permitted(session)

    await act_as_platform(session, now=noon + timedelta(days=1))

    assert now_permitted == {firm.organisation_id}
    assert await permitted(session) == set()


async def test_after_revocation_code_and_database_both_refuse_the_next_read(
    session: AsyncSession, noon: datetime
) -> None:
    firm = await a_firm(session, now=noon)
    view = await a_consent(session, firm, now=noon)
    await require(session, firm, now=noon)
    before = await permitted(session)

    revoked = await service.revoke(session, firm, view.id, now=noon + timedelta(seconds=1))

    assert before == {firm.organisation_id}
    assert revoked.state is ConsentState.REVOKED
    assert await permitted(session) == set()
    with pytest.raises(ConsentMissing):
        await require(session, firm, now=noon)


async def test_revoking_twice_changes_nothing(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    view = await a_consent(session, firm, now=noon)
    first = await service.revoke(session, firm, view.id, now=noon)

    again = await service.revoke(session, firm, view.id, now=noon + timedelta(days=1))

    assert again == first


async def test_revocation_reaches_a_transaction_that_asked_before_it(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
        view = await a_consent(session, firm, now=noon)

    async with in_transaction(database.worker) as reading:
        await act_as_platform(reading, now=noon)
        await require(reading, firm, now=noon)
        before = await permitted(reading)
        async with in_transaction(database.app) as revoking:
            await act_as(revoking, firm, now=noon)
            await service.revoke(revoking, firm, view.id, now=noon)
        after = await permitted(reading)

    assert (before, after) == ({firm.organisation_id}, set())


async def test_many_readers_and_one_revocation_end_with_nobody_reading(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
        view = await a_consent(session, firm, now=noon)
    refused = 0

    async def read_until_refused() -> None:
        nonlocal refused
        for _attempt in range(1_000):
            try:
                async with in_transaction(database.worker) as reading:
                    await act_as_platform(reading, now=noon)
                    await require(reading, firm, now=noon)
            except ConsentMissing:
                refused += 1
                return

    async def revoke_soon() -> None:
        await asyncio.sleep(0.05)
        async with in_transaction(database.app) as revoking:
            await act_as(revoking, firm, now=noon)
            await service.revoke(revoking, firm, view.id, now=noon)

    await asyncio.gather(*(read_until_refused() for _reader in range(6)), revoke_soon())

    assert refused == 6


async def test_two_revocations_at_once_leave_one_mark(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
        view = await a_consent(session, firm, now=noon)

    async def revoke(seconds: int) -> datetime | None:
        async with in_transaction(database.app) as revoking:
            await act_as(revoking, firm, now=noon)
            return (await service.revoke(revoking, firm, view.id, now=noon + timedelta(seconds=seconds))).revoked_at

    moments = await asyncio.gather(*(revoke(seconds) for seconds in range(5)))

    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        events = (
            await session.execute(text("SELECT count(*) FROM foundation.outbox_event WHERE name = 'ConsentRevoked'"))
        ).scalar_one()
    assert len(set(moments)) == 1
    assert events == 1


async def test_a_consent_for_more_than_two_years_is_refused_and_nothing_is_written(
    session: AsyncSession, noon: datetime
) -> None:
    firm = await a_firm(session, now=noon)

    with pytest.raises(ConsentTooWide):
        await a_consent(session, firm, days=2 * 365 + 1, now=noon)

    assert (await queries.consents_of(session, firm, now=noon)).rows == ()


async def test_an_item_that_the_catalogue_does_not_list_cannot_be_consented_to(
    session: AsyncSession, noon: datetime
) -> None:
    firm = await a_firm(session, now=noon)

    with pytest.raises(ItemNotListed):
        await a_consent(session, firm, item_codes=["bank_flow"], now=noon)


async def test_a_firm_or_a_stranger_cannot_be_a_receiver(session: AsyncSession, noon: datetime) -> None:
    firm, rival = await a_firm(session, now=noon), await a_firm(session, now=noon)

    with pytest.raises(ReceiverUnfit):
        await a_consent(session, firm, receiver_ids=[rival.organisation_id], now=noon)
    with pytest.raises(ReceiverUnfit):
        await a_consent(session, firm, receiver_ids=[UUID(int=5)], now=noon)


async def test_agreeing_to_another_text_than_the_one_in_use_is_refused(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)

    with pytest.raises(ConsentTextOutdated):
        await service.grant(
            session,
            firm,
            purpose=Purpose.PRE_LOAN,
            item_codes=["vat_invoice"],
            receiver_ids=[PLATFORM_ID],
            expires_at=noon + timedelta(days=1),
            text_digest=b"another",
            now=noon,
        )


async def test_only_the_owner_of_a_firm_or_its_key_consents_for_it(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    lender = await a_lender(session, now=noon)
    officer = Viewer(
        firm.principal_id,
        PrincipalKind.USER,
        firm.organisation_id,
        firm.organisation_kind,
        frozenset({Role.OFFICER}),
    )
    key = Viewer(
        UUID(int=7), PrincipalKind.CLIENT, firm.organisation_id, firm.organisation_kind, frozenset({Role.OFFICER})
    )
    scoped = Viewer(
        UUID(int=7),
        PrincipalKind.CLIENT,
        firm.organisation_id,
        firm.organisation_kind,
        frozenset({Role.OFFICER}),
        frozenset({"consents:write"}),
    )

    view = await a_consent(session, scoped, now=noon)

    assert view.subject_id == firm.organisation_id
    for viewer in (officer, key, lender.maker):
        with pytest.raises(NotAllowed):
            await a_consent(session, viewer, now=noon)


async def test_nobody_but_subject_and_receivers_sees_a_consent_and_only_the_subject_revokes_it(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, rival = await a_firm(session, now=noon), await a_firm(session, now=noon)
        lender, other = await a_lender(session, now=noon), await a_lender(session, now=noon)
        view = await a_consent(session, firm, receiver_ids=[lender.id], now=noon)
    seen: dict[UUID, int] = {}

    for viewer in (firm, rival, lender.maker, other.maker):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            rows = await session.execute(text("SELECT count(*) FROM consents.consent"))
            seen[viewer.organisation_id] = rows.scalar_one()
            listed = await queries.consents_of(session, viewer, now=noon)
            assert len(listed.rows) == seen[viewer.organisation_id]
    async with in_transaction(database.app) as session:
        await act_as(session, rival, now=noon)
        with pytest.raises(NotFound):
            await service.revoke(session, rival, view.id, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, lender.maker, now=noon)
        with pytest.raises(NotAllowed):
            await service.revoke(session, lender.maker, view.id, now=noon)

    assert list(seen.values()) == [1, 0, 1, 0]


async def test_a_receiver_cannot_write_a_consent_even_by_raw_sql(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, lender = await a_firm(session, now=noon), await a_lender(session, now=noon)
        view = await a_consent(session, firm, receiver_ids=[lender.id], now=noon)

    async def forge() -> None:
        async with in_transaction(database.app) as session:
            await act_as(session, lender.maker, now=noon)
            await session.execute(
                text("UPDATE consents.consent SET state = 'revoked', revoked_at = :now WHERE id = :id"),
                {"now": noon, "id": view.id},
            )

    with pytest.raises(DBAPIError, match="row-level security"):
        await forge()


LAWLESS_CHANGES = [
    "UPDATE consents.consent SET expires_at = expires_at + interval '1 year'",
    "UPDATE consents.consent SET state = 'revoked', revoked_at = expires_at, data_life_days = 3660",
    "UPDATE consents.consent SET state = 'revoked', revoked_at = expires_at, purpose = 'evaluation'",
    "DELETE FROM consents.consent",
    "TRUNCATE consents.consent CASCADE",
]


async def test_not_even_a_superuser_changes_a_consent_by_accident(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await a_consent(session, await a_firm(session, now=noon), now=noon)

    for change in LAWLESS_CHANGES:
        with pytest.raises(asyncpg.RestrictViolationError):
            await admin.execute(change)


async def test_a_revoked_consent_cannot_be_brought_back(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
        view = await a_consent(session, firm, now=noon)
        await service.revoke(session, firm, view.id, now=noon)

    with pytest.raises(asyncpg.RestrictViolationError):
        await admin.execute("UPDATE consents.consent SET state = 'active', revoked_at = NULL")


async def test_the_database_permits_exactly_what_the_rule_permits(session: AsyncSession, noon: datetime) -> None:
    random = Random(7)  # noqa: S311 - a seeded case, not a secret
    firms = [await a_firm(session, now=noon) for _number in range(4)]
    banks = [PLATFORM_ID, (await a_lender(session, now=noon)).id]
    purposes = [Purpose.PRE_LOAN, Purpose.POST_LOAN]
    items = ["vat_invoice", "loan_outcome"]
    for _number in range(12):
        view = await a_consent(
            session,
            random.choice(firms),
            purpose=random.choice(purposes),
            item_codes=random.sample(items, random.randint(1, 2)),
            receiver_ids=random.sample(banks, random.randint(1, 2)),
            days=random.randint(1, 3),
            now=noon,
        )
        await act_as_platform(session, now=noon)
        owner = next(firm for firm in firms if firm.organisation_id == view.subject_id)
        revokers = [owner][: random.randint(0, 1)]
        for firm in revokers:
            await service.revoke(session, firm, view.id, now=noon)
    answers = []

    for receiver_id, purpose, item, days in product(banks, purposes, items, (0, 1, 2, 3)):
        at = noon + timedelta(days=days)
        everybody = [firm.organisation_id for firm in firms]
        await act_as_platform(session, now=at)
        asked = Permission(frozenset(everybody), (), purpose, receiver_id, (item,), at)
        await queries.present(session, asked)
        by_rule = await queries.subjects_allowed(
            session, everybody, purpose=purpose, item_codes=[item], receiver_id=receiver_id, now=at
        )
        required = set()
        for firm in firms:
            with suppress(ConsentMissing):
                one = await require(session, firm, purpose=purpose, receiver_id=receiver_id, item_codes=[item], now=at)
                required |= one.subject_ids
        await queries.present(session, asked)
        answers.append((await permitted(session, item), by_rule, required))

    assert any(required for _by_database, _by_rule, required in answers)
    assert all(by_database == by_rule == required for by_database, by_rule, required in answers)


async def test_each_act_is_announced_and_written_down(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    view = await a_consent(session, firm, now=noon)
    await service.revoke(session, firm, view.id, now=noon)

    events = await session.execute(
        text("SELECT name, body ->> 'subject_id' FROM foundation.outbox_event WHERE name LIKE 'Consent%' ORDER BY name")
    )
    acts = await session.execute(
        text("SELECT action, consent_ids FROM audit.record WHERE action LIKE 'consents.%' ORDER BY action")
    )

    assert [tuple(row) for row in events] == [
        ("ConsentGranted", str(firm.organisation_id)),
        ("ConsentRevoked", str(firm.organisation_id)),
    ]
    assert [tuple(row) for row in acts] == [("consents.granted", [view.id]), ("consents.revoked", [view.id])]


async def test_a_firm_may_always_read_its_own_and_only_its_own(session: AsyncSession, noon: datetime) -> None:
    firm, lender = await a_firm(session, now=noon), await a_lender(session, now=noon)

    permission = await service.require_own(session, firm, item_codes=["vat_invoice"], now=noon)

    assert permission.subject_ids == {firm.organisation_id}
    with pytest.raises(NotAllowed):
        await service.require_own(session, lender.maker, item_codes=["vat_invoice"], now=noon)


async def test_more_than_a_thousand_subjects_are_refused_before_anything_is_asked(
    session: AsyncSession, noon: datetime
) -> None:
    with pytest.raises(TooManySubjects):
        await service.require(
            session,
            receiver_id=PLATFORM_ID,
            subject_ids=[UUID(int=number) for number in range(1_001)],
            purpose=Purpose.PRE_LOAN,
            item_codes=["vat_invoice"],
            now=noon,
        )


async def test_consents_are_listed_page_by_page(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    given = [(await a_consent(session, firm, now=noon)).id for _number in range(3)]

    first = await queries.consents_of(session, firm, now=noon, limit=2)
    rest = await queries.consents_of(session, firm, now=noon, limit=2, cursor=first.next_cursor)

    assert sorted(view.id for view in (*first.rows, *rest.rows)) == sorted(given)
    assert rest.next_cursor is None


async def an_authority(session: AsyncSession, firm: Viewer, lender_id: UUID, *, now: datetime) -> ConsentView:
    return await service.authorise(
        session,
        firm,
        lender_id=lender_id,
        expires_at=now + timedelta(days=90),
        text_digest=text_on(business_date(now)).digest(Purpose.CREDIT_QUERY),
        now=now,
    )


async def test_a_credit_query_is_authorised_for_one_lender_and_only_so(session: AsyncSession, noon: datetime) -> None:
    firm, lender = await a_firm(session, now=noon), await a_lender(session, now=noon)

    given = await an_authority(session, firm, lender.id, now=noon)

    assert (given.receiver_ids, given.item_codes, given.purpose) == ((lender.id,), (), Purpose.CREDIT_QUERY)
    with pytest.raises(AuthorityNeedsChoice):
        await a_consent(session, firm, purpose=Purpose.CREDIT_QUERY, receiver_ids=[lender.id], now=noon)
    with pytest.raises(ReceiverUnfit):
        await an_authority(session, firm, PLATFORM_ID, now=noon)
    with pytest.raises(DBAPIError, match="authority_names_one"):
        async with session.begin_nested():
            await session.execute(
                text(
                    "INSERT INTO consents.consent SELECT gen_random_uuid(), subject_id, subject_kind, purpose,"
                    " ARRAY['vat_invoice'], receiver_ids, granted_by, granted_at, expires_at, text_version,"
                    " text_digest, state FROM consents.consent WHERE purpose = 'credit_query'"
                )
            )


async def test_an_authority_holds_for_its_lender_until_it_ends_or_is_taken_back(
    session: AsyncSession, noon: datetime
) -> None:
    firm, lender, other = [await make(session, now=noon) for make in (a_firm, a_lender, a_lender)]
    given = await an_authority(session, firm, lender.id, now=noon)
    plain = await a_consent(session, firm, receiver_ids=[lender.id], now=noon)

    held = await service.require_authority(session, given.id, lender_id=lender.id, now=noon)

    assert held == given
    for consent_id, lender_id, moment in (
        (given.id, other.id, noon),
        (plain.id, lender.id, noon),
        (given.id, lender.id, given.expires_at),
    ):
        with pytest.raises(AuthorityMissing):
            await service.require_authority(session, consent_id, lender_id=lender_id, now=moment)
    await service.revoke(session, firm, given.id, now=noon)
    with pytest.raises(AuthorityMissing):
        await service.require_authority(session, given.id, lender_id=lender.id, now=noon)


async def test_an_authority_lasts_no_longer_than_its_text_allows(session: AsyncSession, noon: datetime) -> None:
    firm, lender = await a_firm(session, now=noon), await a_lender(session, now=noon)

    given = await service.authorise(
        session,
        firm,
        lender_id=lender.id,
        expires_at=noon + timedelta(days=5_000),
        text_digest=text_on(business_date(noon)).digest(Purpose.CREDIT_QUERY),
        now=noon,
    )

    assert given.expires_at.date().isoformat() == "2027-06-16"
