"""Accounts, memberships, signing in and being locked out."""

import asyncio
import statistics
import time
from datetime import datetime, timedelta

import asyncpg
import pytest
from builders_parties import a_fund, a_lender, the_operator
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound, ValueRefused
from xinyidai.parties import queries, service
from xinyidai.parties.rules import (
    PLATFORM_ID,
    DuplicateMembership,
    DuplicateUser,
    LastAdministrator,
    OrganisationToChoose,
    SignedIn,
    SignInRefused,
)

EMAIL = "officer@example.com"
PASSWORD = "a long pass phrase"


async def sign_in(database: Database, password: str, now: datetime, email: str = EMAIL) -> object:
    async with in_transaction(database.app) as session:
        return await service.sign_in(session, email, password, now=now)


@pytest.fixture
async def bank(database: Database, noon: datetime) -> Viewer:
    """Return the administrator of a bank; EMAIL is one of its officers. Committed."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        desk = await a_lender(session, now=noon)
        user_id = await service.create_user(session, email=EMAIL, display_name="李明", password=PASSWORD, now=noon)
        await service.add_membership(session, user_id, desk.id, [Role.OFFICER], now=noon)
    return desk.maker


async def test_the_right_password_makes_a_viewer(database: Database, bank: Viewer, noon: datetime) -> None:
    outcome = await sign_in(database, PASSWORD, noon, email=" Officer@Example.com ")

    assert isinstance(outcome, SignedIn)
    assert outcome.viewer.organisation_id == bank.organisation_id
    assert outcome.viewer.organisation_kind is OrganisationKind.LENDER
    assert outcome.viewer.roles == {Role.OFFICER}


async def test_whatever_is_wrong_the_answer_is_the_same(database: Database, bank: Viewer, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await service.create_user(session, email="nowhere@example.com", display_name="无", password=PASSWORD, now=noon)
        await service.create_user(session, email="keyless@example.com", display_name="无", password=None, now=noon)

    refused = [
        await sign_in(database, "another pass phrase", noon),
        await sign_in(database, PASSWORD, noon, email="unknown@example.com"),
        await sign_in(database, PASSWORD, noon, email="nowhere@example.com"),
        await sign_in(database, PASSWORD, noon, email="keyless@example.com"),
        await sign_in(database, "x" * 1_000_000, noon, email="not an email \x01"),
    ]

    assert all(isinstance(outcome, SignInRefused) for outcome in refused)
    assert len({str(outcome) for outcome in refused}) == 1


async def test_the_fifth_failure_shuts_the_account_to_the_right_password_too(
    database: Database, bank: Viewer, noon: datetime
) -> None:
    for _ in range(5):
        await sign_in(database, "wrong pass phrase", noon)

    outcome = await sign_in(database, PASSWORD, noon)

    assert isinstance(outcome, SignInRefused)


async def test_four_failures_and_a_success_begin_the_count_anew(
    database: Database, bank: Viewer, noon: datetime
) -> None:
    outcomes = []
    for _ in range(3):
        for _ in range(4):
            await sign_in(database, "wrong pass phrase", noon)
        outcomes.append(await sign_in(database, PASSWORD, noon))

    assert all(isinstance(outcome, SignedIn) for outcome in outcomes)


async def test_a_lock_runs_out_by_wall_time(
    database: Database, bank: Viewer, noon: datetime, admin: asyncpg.Connection
) -> None:
    for _ in range(5):
        await sign_in(database, "wrong pass phrase", noon)
    locked_until = await admin.fetchval("SELECT locked_until FROM parties.credential WHERE locked_until IS NOT NULL")
    await admin.execute("UPDATE parties.credential SET locked_until = $1", wall_now() - timedelta(seconds=1))

    first = await sign_in(database, "wrong pass phrase", noon)
    second = await sign_in(database, PASSWORD, noon)

    assert timedelta(minutes=14) < locked_until - wall_now() <= timedelta(minutes=15)
    assert isinstance(first, SignInRefused)
    assert isinstance(second, SignedIn)


async def test_guesses_sent_at_once_do_not_pass_the_lock(database: Database, bank: Viewer, noon: datetime) -> None:
    guesses = await asyncio.gather(*(sign_in(database, f"guess number {n}", noon) for n in range(9)))
    outcome = await sign_in(database, PASSWORD, noon)

    assert all(isinstance(guess, SignInRefused) for guess in guesses)
    assert isinstance(outcome, SignInRefused)


async def test_an_unknown_email_takes_as_long_as_a_known_one(database: Database, bank: Viewer, noon: datetime) -> None:
    taken: dict[str, list[float]] = {EMAIL: [], "unknown@example.com": []}
    for _ in range(15):
        for email, times in taken.items():
            begun = time.perf_counter()
            await sign_in(database, "wrong pass phrase", noon, email=email)
            times.append(time.perf_counter() - begun)

    known, unknown = (statistics.median(times) for times in taken.values())
    assert 0.2 < known / unknown < 5


async def test_a_stand_in_hash_is_checked_at_the_cost_of_a_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from xinyidai.parties.service import passwords

    checked: list[str] = []
    hasher = passwords._hasher()
    monkeypatch.setattr(
        type(hasher), "verify_and_update", lambda self, password, stored: (checked.append(stored), (False, None))[1]
    )

    await passwords.is_right_password("x", None)
    await passwords.is_right_password("x", await passwords.hash_password("a long pass phrase"))

    assert [stored.split("$")[3] for stored in checked] == [checked[0].split("$")[3]] * 2


async def test_people_of_several_organisations_say_for_which_they_act(
    database: Database, bank: Viewer, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        fund = await a_fund(session, now=noon)
        await service.give_membership(
            session, fund.maker, organisation_id=fund.id, email=EMAIL, roles=[Role.APPROVER], now=noon
        )

    undecided = await sign_in(database, PASSWORD, noon)
    async with in_transaction(database.app) as session:
        decided = await service.sign_in(session, EMAIL, PASSWORD, organisation_id=fund.id, now=noon)
    async with in_transaction(database.app) as session:
        elsewhere = await service.sign_in(session, EMAIL, PASSWORD, organisation_id=PLATFORM_ID, now=noon)

    assert isinstance(undecided, OrganisationToChoose)
    assert undecided.facts["organisation_ids"] == sorted([str(bank.organisation_id), str(fund.id)])
    assert isinstance(decided, SignedIn)
    assert decided.viewer.roles == {Role.APPROVER}
    assert isinstance(elsewhere, SignInRefused)


async def test_an_email_has_one_account_whatever_its_case(session: AsyncSession, noon: datetime) -> None:
    await service.create_user(session, email=EMAIL, display_name="李明", password=None, now=noon)

    with pytest.raises(DuplicateUser):
        await service.create_user(session, email="OFFICER@example.COM", display_name="李明", password=None, now=noon)


async def test_passwords_are_kept_as_argon2_and_read_by_nobody(
    database: Database, bank: Viewer, noon: datetime, admin: asyncpg.Connection
) -> None:
    stored = await admin.fetchval("SELECT password_hash FROM parties.credential")

    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored
    for sessions in (database.app, database.worker):
        for statement in ("SELECT * FROM parties.credential", "UPDATE parties.credential SET failures = 0"):
            with pytest.raises(DBAPIError, match="permission denied"):
                await run_as_platform(sessions, statement, noon)


async def run_as_platform(sessions: Sessions, statement: str, now: datetime) -> None:
    async with in_transaction(sessions) as session:
        await act_as_platform(session, now=now)
        await session.execute(text(statement))


async def test_people_are_seen_by_their_own_organisation_only(database: Database, bank: Viewer, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        fund = await a_fund(session, now=noon)

    seen = []
    for viewer in (bank, fund.maker):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            people = await session.execute(text("SELECT email FROM parties.platform_user"))
            members = await session.execute(text("SELECT DISTINCT party_id FROM parties.membership"))
            seen.append((len(people.all()), members.scalars().all()))

    assert seen == [(3, [bank.organisation_id]), (2, [fund.id])]


async def test_without_a_viewer_nobody_is_seen(database: Database, bank: Viewer) -> None:
    async with in_transaction(database.app) as session:
        people = await session.execute(text("SELECT count(*) FROM parties.platform_user"))
        members = await session.execute(text("SELECT count(*) FROM parties.membership"))

    assert (people.scalar_one(), members.scalar_one()) == (0, 0)


async def test_an_administrator_admits_people_to_their_own_organisation_only(
    database: Database, bank: Viewer, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        fund = await a_fund(session, now=noon)

    async def admit(viewer: Viewer, organisation_id: object, email: str) -> object:
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            return await service.admit_person(
                session,
                viewer,
                organisation_id=organisation_id,  # type: ignore[arg-type]
                email=email,
                display_name="新人",
                password=PASSWORD,
                roles=[Role.APPROVER],
                now=noon,
            )

    await admit(bank, bank.organisation_id, "new@example.com")
    with pytest.raises(NotAllowed):
        await admit(bank, fund.id, "other@example.com")

    assert isinstance(await sign_in(database, PASSWORD, noon, email="new@example.com"), SignedIn)
    assert isinstance(await sign_in(database, PASSWORD, noon, email="other@example.com"), SignInRefused)


async def test_the_operator_admits_the_first_people_of_a_bank(session: AsyncSession, noon: datetime) -> None:
    operator = await the_operator(session, now=noon)
    party_id = await service.register_organisation(
        session,
        operator.maker,
        kind=OrganisationKind.LENDER,
        name="新银行",
        credit_code=None,
        region_code=None,
        now=noon,
    )

    complete = []
    for number, role in enumerate((Role.OFFICER, Role.APPROVER)):
        await service.admit_person(
            session,
            operator.maker,
            organisation_id=party_id,
            email=f"first{number}@bank.example.com",
            display_name="首批人员",
            password=PASSWORD,
            roles=[role, Role.ADMIN],
            now=noon,
        )
        complete.append((await queries.desk(session, party_id)).is_complete)

    assert complete == [False, True]


async def test_an_officer_admits_nobody(session: AsyncSession, noon: datetime) -> None:
    desk = await a_lender(session, now=noon)
    user_id = await service.create_user(session, email=EMAIL, display_name="李明", password=None, now=noon)
    await service.add_membership(session, user_id, desk.id, [Role.OFFICER], now=noon)
    officer = await queries.viewer_for(session, user_id, desk.id)
    assert officer is not None

    with pytest.raises(NotAllowed):
        await service.give_membership(
            session, officer, organisation_id=desk.id, email=EMAIL, roles=[Role.ADMIN], now=noon
        )


async def test_a_membership_is_active_once(session: AsyncSession, noon: datetime) -> None:
    desk = await a_lender(session, now=noon)

    with pytest.raises(DuplicateMembership):
        await service.add_membership(session, desk.maker.principal_id, desk.id, [Role.OWNER], now=noon)
    with pytest.raises(ValueRefused):
        await service.add_membership(session, desk.maker.principal_id, desk.id, [], now=noon)


async def test_an_ended_membership_makes_no_viewer(session: AsyncSession, noon: datetime) -> None:
    desk = await a_lender(session, now=noon)
    members = await queries.members(session, desk.id)
    (ended,) = [view for view in members.rows if view.user_id == desk.checker.principal_id]

    await service.end_membership(session, desk.maker, ended.id, now=noon)

    assert await queries.viewer_for(session, desk.checker.principal_id, desk.id) is None
    assert not (await queries.desk(session, desk.id)).is_complete
    with pytest.raises(NotFound):
        await service.end_membership(session, desk.maker, ended.id, now=noon)


async def test_changed_roles_leave_the_old_ones_on_record(
    session: AsyncSession, noon: datetime, admin: asyncpg.Connection
) -> None:
    desk = await a_lender(session, now=noon)
    members = await queries.members(session, desk.id)
    (changed,) = [view for view in members.rows if view.user_id == desk.checker.principal_id]

    await service.change_roles(session, desk.maker, changed.id, roles=[Role.AUDITOR], now=noon)

    viewer = await queries.viewer_for(session, desk.checker.principal_id, desk.id)
    kept = await session.execute(
        text("SELECT roles, ended_at IS NULL FROM parties.membership WHERE user_id = :user ORDER BY id"),
        {"user": desk.checker.principal_id},
    )
    assert viewer is not None
    assert viewer.roles == {Role.AUDITOR}
    assert [tuple(row) for row in kept] == [(["admin", "approver"], False), (["auditor"], True)]


async def test_a_strangers_membership_does_not_exist(session: AsyncSession, noon: datetime) -> None:
    desk = await a_lender(session, now=noon)
    fund = await a_fund(session, now=noon)
    members = await queries.members(session, desk.id)

    with pytest.raises(NotFound):
        await service.end_membership(session, fund.maker, members.rows[0].id, now=noon)


async def test_the_last_two_administrators_cannot_end_each_other(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        desk = await a_lender(session, now=noon)
        members = {view.user_id: view.id for view in (await queries.members(session, desk.id)).rows}

    async def end(viewer: Viewer, other: Viewer) -> str:
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            await service.end_membership(session, viewer, members[other.principal_id], now=noon)  # type: ignore[index]
            await asyncio.sleep(0.05)
        return "ended"

    outcomes = await asyncio.gather(
        end(desk.maker, desk.checker), end(desk.checker, desk.maker), return_exceptions=True
    )

    assert outcomes.count("ended") == 1
    assert sum(isinstance(outcome, LastAdministrator) for outcome in outcomes) == 1


async def test_an_operator_is_made_from_the_command_line_without_a_scope(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        user_id = await service.create_operator(
            session, email="op@example.com", display_name="运营", password=PASSWORD, now=noon
        )

    async with in_transaction(database.app) as session:
        viewer = await queries.viewer_for(session, user_id, PLATFORM_ID)
    assert viewer is not None
    assert viewer.organisation_kind is OrganisationKind.OPERATOR
    assert viewer.roles == {Role.ADMIN, Role.OFFICER, Role.APPROVER}


async def test_acts_on_people_leave_audit_rows(database: Database, bank: Viewer, noon: datetime) -> None:
    await sign_in(database, PASSWORD, noon)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        found = await session.execute(text("SELECT action, object_kind FROM audit.record"))

    assert [tuple(row) for row in found] == [("parties.signed_in", "user")]
