"""Inviting, joining, leaving; committed databases, because rivals meet there."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from builders_parties import Desk
from builders_people import (
    PASSWORD,
    a_bank,
    a_committed_firm,
    a_person,
    an_operators_desk,
    enrols,
    is_in,
    joins,
    signs_in,
    tries,
)
from conftest import Database

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.access.service import act_as
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound, ValueRefused
from xinyidai.parties import queries, service
from xinyidai.parties.rules import (
    DuplicateMembership,
    InvitationForAnother,
    InvitationOver,
    Invited,
    Joined,
    LastAdministrator,
    ProofRefused,
    SecondFactorNeeded,
    SignedIn,
    SignInRefused,
)

EMAIL = "new@example.com"


@pytest.fixture
async def bank(database: Database, noon: datetime) -> Desk:
    return await a_bank(database, noon)


async def invite(
    database: Database, viewer: Viewer, now: datetime, *, email: str = EMAIL, organisation_id: UUID | None = None
) -> Invited:
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=now)
        return await service.invite(
            session,
            viewer,
            organisation_id=organisation_id or viewer.organisation_id,
            email=email,
            roles=[Role.OFFICER],
            now=now,
        )


async def accept(
    database: Database,
    token: str,
    now: datetime,
    *,
    display_name: str | None = "新人",
    password: str | None = PASSWORD,
    viewer: Viewer | None = None,
) -> object:
    async with in_transaction(database.app) as session:
        return await service.accept_invitation(
            session, token, display_name=display_name, password=password, viewer=viewer, now=now
        )


async def withdraw(database: Database, viewer: Viewer, invited: Invited, now: datetime) -> str:
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=now)
        await service.withdraw_invitation(session, viewer, invited.invitation.id, now=now)
    return "withdrawn"


async def test_a_new_person_joins_by_the_link_and_signs_in(database: Database, bank: Desk, noon: datetime) -> None:
    invited = await invite(database, bank.maker, noon, email=" New@Example.com ")

    joined = await accept(database, invited.token, noon)
    signed_in = await signs_in(database, EMAIL, now=noon)

    assert isinstance(joined, Joined)
    assert invited.path == f"/invitations/{invited.token}"
    assert (signed_in.viewer.organisation_id, signed_in.viewer.roles) == (bank.id, {Role.OFFICER})


async def test_the_token_is_kept_as_a_digest_only(
    database: Database, bank: Desk, noon: datetime, admin: asyncpg.Connection
) -> None:
    invited = await invite(database, bank.maker, noon)

    kept = str(await admin.fetchrow("SELECT * FROM parties.invitation"))

    assert invited.token not in kept
    assert invited.token.encode().hex() not in kept


async def test_the_inviter_is_told_the_same_whether_the_email_has_an_account(
    database: Database, bank: Desk, noon: datetime
) -> None:
    firm = await a_committed_firm(database, noon)
    await a_person(database, firm.organisation_id, "known@example.com", Role.OFFICER, now=noon)  # type: ignore[arg-type]

    known = await invite(database, bank.maker, noon, email="known@example.com")
    unknown = await invite(database, bank.maker, noon, email="unknown@example.com")
    async with in_transaction(database.app) as session:
        shown = [await queries.invitation_shown(session, one.token) for one in (known, unknown)]

    told = [
        (one.invitation.roles, one.invitation.organisation_id, one.invitation.invited_by) for one in (known, unknown)
    ]
    assert told[0] == told[1]
    assert {(one.organisation_name, one.organisation_kind, one.roles) for one in shown} == {
        (shown[0].organisation_name, OrganisationKind.LENDER, frozenset({Role.OFFICER}))
    }


async def test_a_person_with_an_account_joins_with_its_password(database: Database, bank: Desk, noon: datetime) -> None:
    firm = await a_committed_firm(database, noon)
    await a_person(database, firm.organisation_id, EMAIL, Role.OFFICER, now=noon)  # type: ignore[arg-type]
    invited = await invite(database, bank.maker, noon)

    wrong = await accept(database, invited.token, noon, password="another pass phrase")
    right = await accept(database, invited.token, noon, display_name=None)

    assert isinstance(wrong, ProofRefused)
    assert isinstance(right, Joined)


async def test_wrong_passwords_at_an_invitation_shut_the_account_as_at_the_sign_in(
    database: Database, bank: Desk, noon: datetime
) -> None:
    firm = await a_committed_firm(database, noon)
    await a_person(database, firm.organisation_id, EMAIL, Role.OFFICER, now=noon)  # type: ignore[arg-type]
    invited = await invite(database, bank.maker, noon)

    for _ in range(5):
        await accept(database, invited.token, noon, password="another pass phrase")

    assert isinstance(await accept(database, invited.token, noon), ProofRefused)
    assert isinstance(await tries(database, EMAIL, now=noon), SignInRefused)


async def test_who_is_signed_in_joins_without_a_password_and_only_by_their_own_invitation(
    database: Database, bank: Desk, noon: datetime
) -> None:
    firm = await a_committed_firm(database, noon)
    person = await a_person(database, firm.organisation_id, EMAIL, Role.OFFICER, now=noon)  # type: ignore[arg-type]
    invited = await invite(database, bank.maker, noon)

    with pytest.raises(InvitationForAnother):
        await accept(database, invited.token, noon, viewer=firm)
    joined = await accept(database, invited.token, noon, display_name=None, password=None, viewer=person)

    assert isinstance(joined, Joined)
    assert joined.user_id == person.principal_id


async def test_an_account_with_a_second_factor_joins_signed_in(database: Database, bank: Desk, noon: datetime) -> None:
    firm = await a_committed_firm(database, noon)
    person = await a_person(database, firm.organisation_id, EMAIL, Role.OFFICER, now=noon)  # type: ignore[arg-type]
    await enrols(database, person, now=noon)
    invited = await invite(database, bank.maker, noon)

    by_password = await accept(database, invited.token, noon)
    signed_in = await accept(database, invited.token, noon, viewer=person)

    assert isinstance(by_password, SecondFactorNeeded)
    assert isinstance(signed_in, Joined)


@pytest.mark.parametrize("missing", ["display_name", "password"])
async def test_a_new_account_needs_name_and_password(
    database: Database, bank: Desk, noon: datetime, missing: str
) -> None:
    invited = await invite(database, bank.maker, noon)

    with pytest.raises(ValueRefused):
        await accept(database, invited.token, noon, **{missing: None})  # type: ignore[arg-type]

    assert isinstance(await accept(database, invited.token, noon), Joined)


async def test_of_eight_who_accept_at_once_one_joins(
    database: Database, bank: Desk, noon: datetime, admin: asyncpg.Connection
) -> None:
    invited = await invite(database, bank.maker, noon)

    outcomes = await asyncio.gather(*(accept(database, invited.token, noon) for _ in range(8)), return_exceptions=True)

    members = await admin.fetchval("SELECT count(*) FROM parties.membership WHERE party_id = $1", bank.id)
    assert sum(isinstance(outcome, Joined) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, InvitationOver) for outcome in outcomes) == 7
    assert members == 3


async def test_accepting_and_withdrawing_at_once_leaves_one_of_the_two(
    database: Database, bank: Desk, noon: datetime, admin: asyncpg.Connection
) -> None:
    invited = await invite(database, bank.maker, noon)

    outcomes = await asyncio.gather(
        accept(database, invited.token, noon), withdraw(database, bank.checker, invited, noon), return_exceptions=True
    )

    row = await admin.fetchrow("SELECT accepted_at, withdrawn_at FROM parties.invitation")
    assert sum(isinstance(outcome, Joined | str) for outcome in outcomes) == 1
    assert [row["accepted_at"], row["withdrawn_at"]].count(None) == 1


async def test_a_link_is_dead_when_used_withdrawn_replaced_expired_or_made_up(
    database: Database, bank: Desk, noon: datetime, admin: asyncpg.Connection
) -> None:
    used = await invite(database, bank.maker, noon)
    await accept(database, used.token, noon)
    replaced = await invite(database, bank.maker, noon, email="second@example.com")
    withdrawn = await invite(database, bank.checker, noon, email="second@example.com")
    await withdraw(database, bank.maker, withdrawn, noon)
    expired = await invite(database, bank.maker, noon, email="third@example.com")
    await admin.execute(
        "UPDATE parties.invitation SET expires_at = $1 WHERE id = $2", wall_now(), expired.invitation.id
    )

    for token in (used.token, replaced.token, withdrawn.token, expired.token, "made-up"):
        with pytest.raises(InvitationOver):
            await accept(database, token, noon)


async def test_open_invitations_are_listed_to_their_own_organisation(
    database: Database, bank: Desk, noon: datetime
) -> None:
    other = await a_bank(database, noon)
    invited = await invite(database, bank.maker, noon)
    await accept(database, (await invite(database, bank.maker, noon, email="b@example.com")).token, noon)

    listed = []
    for viewer in (bank.checker, other.maker):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            listed.append((await queries.open_invitations(session, bank.id)).rows)

    assert listed == [(invited.invitation,), ()]
    assert timedelta(days=6) < invited.invitation.expires_at - wall_now() <= timedelta(days=7)


async def test_the_operator_invites_the_first_administrator_and_nobody_after(
    database: Database, noon: datetime
) -> None:
    operator = await an_operators_desk(database, noon)
    async with in_transaction(database.app) as session:
        await act_as(session, operator.maker, now=noon)
        party_id = await service.register_organisation(
            session,
            operator.maker,
            kind=OrganisationKind.LENDER,
            name="新银行",
            credit_code=None,
            region_code=None,
            now=noon,
        )
        first = await service.invite(
            session, operator.maker, organisation_id=party_id, email=EMAIL, roles=[Role.ADMIN], now=noon
        )

    await accept(database, first.token, noon)

    with pytest.raises(NotAllowed):
        await invite(database, operator.maker, noon, email="second@example.com", organisation_id=party_id)


async def test_strangers_and_officers_invite_nobody_and_members_are_not_invited(
    database: Database, bank: Desk, noon: datetime
) -> None:
    other = await a_bank(database, noon)
    officer = await a_person(database, bank.id, EMAIL, Role.OFFICER, now=noon)

    for viewer in (other.maker, officer):
        with pytest.raises(NotAllowed):
            await invite(database, viewer, noon, email="third@example.com", organisation_id=bank.id)
    with pytest.raises(DuplicateMembership):
        await invite(database, bank.maker, noon)


async def test_a_stranger_withdraws_nothing(database: Database, bank: Desk, noon: datetime) -> None:
    other = await a_bank(database, noon)
    invited = await invite(database, bank.maker, noon)

    with pytest.raises(NotFound):
        await withdraw(database, other.maker, invited, noon)


async def leave(database: Database, viewer: Viewer, organisation_id: UUID, now: datetime) -> str:
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=now)
        await service.leave_organisation(session, viewer, organisation_id=organisation_id, now=now)
    return "left"


async def test_who_leaves_one_organisation_stays_in_the_other(database: Database, bank: Desk, noon: datetime) -> None:
    person = await a_person(database, bank.id, EMAIL, Role.OFFICER, now=noon)
    inside = await signs_in(database, EMAIL, now=noon)
    other = await a_bank(database, noon)
    await joins(database, person, other.id, Role.APPROVER, now=noon)

    await leave(database, person, bank.id, noon)
    after = await signs_in(database, EMAIL, now=noon)

    assert not await is_in(database, inside.token)
    assert after.viewer.organisation_id == other.id
    with pytest.raises(NotFound):
        await leave(database, person, bank.id, noon)


async def test_the_last_two_administrators_cannot_leave_at_once(database: Database, bank: Desk, noon: datetime) -> None:
    outcomes = await asyncio.gather(
        leave(database, bank.maker, bank.id, noon), leave(database, bank.checker, bank.id, noon), return_exceptions=True
    )

    assert outcomes.count("left") == 1
    assert sum(isinstance(outcome, LastAdministrator) for outcome in outcomes) == 1


async def test_joining_and_leaving_leave_audit_rows(
    database: Database, bank: Desk, noon: datetime, admin: asyncpg.Connection
) -> None:
    invited = await invite(database, bank.maker, noon)
    joined = await accept(database, invited.token, noon)
    signed_in = await tries(database, EMAIL, now=noon)
    assert isinstance(signed_in, SignedIn)
    await leave(database, signed_in.viewer, bank.id, noon)

    rows = await admin.fetch("SELECT action, principal_id FROM audit.record ORDER BY recorded_at")

    assert isinstance(joined, Joined)
    assert [tuple(row) for row in rows] == [
        ("parties.person_invited", bank.maker.principal_id),
        ("parties.invitation_accepted", joined.user_id),
        ("parties.signed_in", joined.user_id),
        ("parties.organisation_left", joined.user_id),
    ]
