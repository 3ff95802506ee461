"""Sessions in PostgreSQL: listed, revoked, switched, proved anew; an ended one is out with its next request."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from builders_parties import Desk
from builders_people import PASSWORD, a_bank, a_person, enrols, is_in, joins, signs_in, tries
from conftest import Database
from sqlalchemy import event

from xinyidai.access.rules import Role, Viewer
from xinyidai.access.service import act_as
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotFound, ValueRefused
from xinyidai.parties import queries, service
from xinyidai.parties.rules import ProofRefused, SecondFactorNeeded, SessionView, SignedIn, SignInRefused, SignInStale

EMAIL = "officer@example.com"


@pytest.fixture
async def bank(database: Database, noon: datetime) -> Desk:
    return await a_bank(database, noon)


@pytest.fixture
async def person(database: Database, bank: Desk, noon: datetime) -> Viewer:
    return await a_person(database, bank.id, EMAIL, Role.OFFICER, now=noon)


async def sessions_of(database: Database, signed_in: SignedIn, now: datetime) -> tuple[SessionView, ...]:
    async with in_transaction(database.app) as session:
        await act_as(session, signed_in.viewer, now=now)
        return (await queries.web_sessions(session, signed_in.viewer, current_token=signed_in.token)).rows


async def revoke(database: Database, signed_in: SignedIn, session_id: UUID, now: datetime) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, signed_in.viewer, now=now)
        await service.revoke_session(session, signed_in.viewer, session_id, now=now)


async def step_up(
    database: Database, signed_in: SignedIn, now: datetime, *, password: str | None = None, code: str | None = None
) -> object:
    async with in_transaction(database.app) as session:
        await act_as(session, signed_in.viewer, now=now)
        return await service.step_up(session, signed_in.viewer, signed_in.token, password=password, code=code, now=now)


async def test_own_sessions_are_listed_and_one_is_revoked(database: Database, person: Viewer, noon: datetime) -> None:
    first, second = [await signs_in(database, EMAIL, now=noon) for _ in range(2)]

    listed = await sessions_of(database, second, noon)
    await revoke(database, second, listed[0].id, noon)

    assert [view.is_current for view in listed] == [False, True]
    assert {view.agent for view in listed} == {"Firefox, Linux"}
    assert [await is_in(database, one.token) for one in (first, second)] == [False, True]


async def test_nobody_lists_or_revokes_the_sessions_of_another(
    database: Database, bank: Desk, person: Viewer, noon: datetime
) -> None:
    await a_person(database, bank.id, "other@example.com", Role.ADMIN, now=noon)
    mine, theirs = await signs_in(database, EMAIL, now=noon), await signs_in(database, "other@example.com", now=noon)
    (own,) = await sessions_of(database, mine, noon)

    with pytest.raises(NotFound):
        await revoke(database, theirs, own.id, noon)

    assert own.id not in {view.id for view in await sessions_of(database, theirs, noon)}
    assert await is_in(database, mine.token)


async def test_all_others_are_revoked_at_once(database: Database, person: Viewer, noon: datetime) -> None:
    *others, kept = [await signs_in(database, EMAIL, now=noon) for _ in range(3)]

    async with in_transaction(database.app) as session:
        await act_as(session, kept.viewer, now=noon)
        count = await service.revoke_other_sessions(session, kept.viewer, kept.token, now=noon)

    assert count == 2
    assert [await is_in(database, one.token) for one in (*others, kept)] == [False, False, True]


async def test_two_sessions_that_revoke_each_other_at_once_leave_one(
    database: Database, person: Viewer, noon: datetime
) -> None:
    both = [await signs_in(database, EMAIL, now=noon) for _ in range(2)]

    async def revoke_others(signed_in: SignedIn) -> int:
        async with in_transaction(database.app) as session:
            await act_as(session, signed_in.viewer, now=noon)
            return await service.revoke_other_sessions(session, signed_in.viewer, signed_in.token, now=noon)

    outcomes = await asyncio.gather(*(revoke_others(one) for one in both), return_exceptions=True)

    assert outcomes.count(1) == 1
    assert sum(isinstance(outcome, SignInStale) for outcome in outcomes) == 1
    assert sum([await is_in(database, one.token) for one in both]) == 1


async def test_a_revoked_session_cannot_prove_itself_alive(database: Database, person: Viewer, noon: datetime) -> None:
    revoked, other = [await signs_in(database, EMAIL, now=noon) for _ in range(2)]
    (first, _) = await sessions_of(database, other, noon)

    outcomes = await asyncio.gather(
        revoke(database, other, first.id, noon),
        *(step_up(database, revoked, noon, password=PASSWORD) for _ in range(3)),
        return_exceptions=True,
    )

    assert outcomes[0] is None
    assert not await is_in(database, revoked.token)
    assert all(isinstance(outcome, datetime | SignInStale) for outcome in outcomes[1:])
    with pytest.raises(SignInStale):
        await step_up(database, revoked, noon, password=PASSWORD)


async def test_signing_out_ends_the_row_too(database: Database, person: Viewer, noon: datetime) -> None:
    signed_in = await signs_in(database, EMAIL, now=noon)

    async with in_transaction(database.app) as session:
        await service.sign_out(session, signed_in.token)
        await service.sign_out(session, "made-up")

    assert not await is_in(database, signed_in.token)


async def test_a_session_ends_by_wall_time_and_with_the_membership(
    database: Database, bank: Desk, person: Viewer, noon: datetime, admin: asyncpg.Connection
) -> None:
    expiring = await signs_in(database, EMAIL, now=noon)
    await admin.execute("UPDATE parties.web_session SET expires_at = $1", wall_now())
    was_in = await is_in(database, expiring.token)
    standing = await signs_in(database, EMAIL, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, bank.maker, now=noon)
        members = (await queries.members(session, bank.id)).rows
        (own,) = [view.id for view in members if view.user_id == person.principal_id]
        await service.end_membership(session, bank.maker, own, now=noon)

    kept = await admin.fetchval(
        "SELECT count(*) FROM parties.web_session WHERE ended_at IS NULL AND expires_at > now()"
    )

    assert not was_in
    assert not await is_in(database, standing.token)
    assert kept == 0


async def test_changed_roles_hold_from_the_next_request_on(
    database: Database, bank: Desk, person: Viewer, noon: datetime
) -> None:
    signed_in = await signs_in(database, EMAIL, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, bank.maker, now=noon)
        members = (await queries.members(session, bank.id)).rows
        (own,) = [view.id for view in members if view.user_id == person.principal_id]
        await service.change_roles(session, bank.maker, own, roles=[Role.AUDITOR], now=noon)

    async with in_transaction(database.app) as session:
        viewer = await queries.viewer_of_session(session, signed_in.token)

    assert viewer is not None
    assert viewer.roles == {Role.AUDITOR}


async def test_use_is_noted_coarsely(
    database: Database, person: Viewer, noon: datetime, admin: asyncpg.Connection
) -> None:
    signed_in = await signs_in(database, EMAIL, now=noon)
    at_first = await admin.fetchval("SELECT seen_at FROM parties.web_session")
    await is_in(database, signed_in.token)
    soon = await admin.fetchval("SELECT seen_at FROM parties.web_session")
    await admin.execute("UPDATE parties.web_session SET seen_at = $1", wall_now() - timedelta(minutes=2))
    await is_in(database, signed_in.token)
    later = await admin.fetchval("SELECT seen_at FROM parties.web_session")

    assert soon == at_first
    assert later >= at_first


async def test_a_session_that_nobody_used_for_an_hour_is_over_and_stays_so(
    database: Database, person: Viewer, noon: datetime, admin: asyncpg.Connection
) -> None:
    signed_in = await signs_in(database, EMAIL, now=noon)
    other = await signs_in(database, EMAIL, now=noon)
    await admin.execute(
        "UPDATE parties.web_session SET seen_at = $1 WHERE id = (SELECT min(id::text)::uuid FROM parties.web_session)",
        wall_now() - timedelta(minutes=61),
    )

    late = [await is_in(database, signed_in.token) for _ in range(2)]
    listed = await sessions_of(database, other, noon)

    assert late == [False, False]
    assert [view.is_current for view in listed] == [True]


async def test_a_session_switches_between_the_organisations_of_its_person(
    database: Database, bank: Desk, person: Viewer, noon: datetime
) -> None:
    signed_in = await signs_in(database, EMAIL, now=noon)
    other, foreign = await a_bank(database, noon), await a_bank(database, noon)
    await joins(database, person, other.id, Role.APPROVER, now=noon)

    async def switch(organisation_id: UUID) -> Viewer:
        async with in_transaction(database.app) as session:
            await act_as(session, signed_in.viewer, now=noon)
            return await service.switch_organisation(
                session, signed_in.viewer, signed_in.token, organisation_id=organisation_id, now=noon
            )

    switched = await switch(other.id)
    async with in_transaction(database.app) as session:
        next_request = await queries.viewer_of_session(session, signed_in.token)

    assert next_request is not None
    assert (next_request.organisation_id, next_request.roles) == (other.id, {Role.APPROVER})
    assert switched.organisation_id == other.id
    with pytest.raises(NotFound):
        await switch(foreign.id)


async def test_a_step_up_takes_the_password_or_where_enrolled_the_code(
    database: Database, person: Viewer, noon: datetime, admin: asyncpg.Connection
) -> None:
    signed_in = await signs_in(database, EMAIL, now=noon)
    await admin.execute("UPDATE parties.web_session SET proved_at = $1", wall_now() - timedelta(hours=1))

    wrong = await step_up(database, signed_in, noon, password="another pass phrase")
    right = await step_up(database, signed_in, noon, password=PASSWORD)
    held = await enrols(database, person, now=noon)
    by_code = await step_up(database, signed_in, noon, code=held.code())
    again = await step_up(database, signed_in, noon, code=held.code())
    kept = await admin.fetchval("SELECT proved_at FROM parties.web_session")

    assert isinstance(wrong, ProofRefused)
    assert isinstance(right, datetime)
    assert by_code == kept
    assert isinstance(again, ProofRefused)
    with pytest.raises(SecondFactorNeeded):
        await step_up(database, signed_in, noon, password=PASSWORD)


async def test_a_step_up_needs_something_to_prove_by(database: Database, person: Viewer, noon: datetime) -> None:
    signed_in = await signs_in(database, EMAIL, now=noon)

    with pytest.raises(ValueRefused):
        await step_up(database, signed_in, noon)


async def test_wrong_proofs_at_a_step_up_shut_the_account(database: Database, person: Viewer, noon: datetime) -> None:
    signed_in = await signs_in(database, EMAIL, now=noon)

    for _ in range(5):
        await step_up(database, signed_in, noon, password="another pass phrase")

    assert isinstance(await step_up(database, signed_in, noon, password=PASSWORD), ProofRefused)
    assert isinstance(await tries(database, EMAIL, now=noon), SignInRefused)


async def test_a_changed_password_ends_the_other_sessions(database: Database, person: Viewer, noon: datetime) -> None:
    other, own = [await signs_in(database, EMAIL, now=noon) for _ in range(2)]

    async def change(current: str, new: str) -> ProofRefused | None:
        async with in_transaction(database.app) as session:
            await act_as(session, own.viewer, now=noon)
            return await service.change_password(session, own.viewer, own.token, current=current, new=new, now=noon)

    wrong = await change("another pass phrase", "a new long pass phrase")
    right = await change(PASSWORD, "a new long pass phrase")

    assert isinstance(wrong, ProofRefused)
    assert right is None
    assert [await is_in(database, one.token) for one in (other, own)] == [False, True]
    assert isinstance(await tries(database, EMAIL, now=noon), SignInRefused)
    assert isinstance(await tries(database, EMAIL, "a new long pass phrase", now=noon), SignedIn)
    with pytest.raises(ValueRefused):
        await change("a new long pass phrase", "short")


async def test_tokens_are_kept_as_digests_and_no_scope_shows_them(
    database: Database, person: Viewer, noon: datetime, admin: asyncpg.Connection
) -> None:
    signed_in = await signs_in(database, EMAIL, now=noon)

    kept = str(await admin.fetchrow("SELECT * FROM parties.web_session"))

    assert signed_in.token not in kept
    assert signed_in.token.encode().hex() not in kept


async def test_authentication_costs_one_query(database: Database, person: Viewer, noon: datetime) -> None:
    signed_in = await signs_in(database, EMAIL, now=noon)
    statements: list[str] = []
    engine = database.app.kw["bind"].sync_engine
    event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, *_rest: statements.append(statement))

    is_signed_in = await is_in(database, signed_in.token)

    assert is_signed_in
    assert len(statements) == 1
