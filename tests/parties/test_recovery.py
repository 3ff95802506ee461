"""Recovering accounts: by two administrators, by the operator, and alone by a code."""

import asyncio
from datetime import datetime
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
    completes,
    enrols,
    is_in,
    joins,
    signs_in,
    tries,
    waits_for_a_code,
)
from conftest import Database

from xinyidai.access.rules import Role, SamePersonTwice, Viewer
from xinyidai.access.service import act_as
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound, ValueRefused
from xinyidai.foundation.settings import settings
from xinyidai.parties import queries, service
from xinyidai.parties.rules import (
    AccountRecoveryNeedsOperator,
    AccountRecoveryOver,
    AccountRecoveryRefused,
    RecoveryLink,
    SignedIn,
    SignInPending,
    SignInRefused,
)
from xinyidai.parties.service import recovering

EMAIL = "lost@example.com"
NEW = "a new long pass phrase"


@pytest.fixture
async def bank(database: Database, noon: datetime) -> Desk:
    return await a_bank(database, noon)


@pytest.fixture
async def person(database: Database, bank: Desk, noon: datetime) -> Viewer:
    return await a_person(database, bank.id, EMAIL, Role.OFFICER, now=noon)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings().model_copy(update={"sandbox": True})
    monkeypatch.setattr(recovering, "settings", lambda: chosen)


async def ask(database: Database, viewer: Viewer, now: datetime, email: str = EMAIL) -> UUID:
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=now)
        return await service.ask_recovery(session, viewer, email=email, now=now)


async def confirm(database: Database, viewer: Viewer, recovery_id: UUID, now: datetime) -> RecoveryLink:
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=now)
        return await service.confirm_recovery(session, viewer, recovery_id, now=now)


async def complete(database: Database, token: str, now: datetime, password: str = NEW) -> str:
    async with in_transaction(database.app) as session:
        await service.complete_recovery(session, token, password=password, now=now)
    return "recovered"


async def send(database: Database, email: str, now: datetime) -> None:
    async with in_transaction(database.app) as session:
        await service.send_recovery_code(session, email=email, now=now)


async def alone(database: Database, code: str, now: datetime, *, email: str = EMAIL, password: str = NEW) -> object:
    async with in_transaction(database.app) as session:
        return await service.recover_alone(session, email=email, code=code, password=password, now=now)


async def a_link(database: Database, desk: Desk, now: datetime) -> RecoveryLink:
    return await confirm(database, desk.checker, await ask(database, desk.maker, now), now)


async def test_two_administrators_recover_a_colleague(
    database: Database, bank: Desk, person: Viewer, noon: datetime
) -> None:
    before = await signs_in(database, EMAIL, now=noon)
    await enrols(database, person, now=noon)

    link = await a_link(database, bank, noon)
    await complete(database, link.token, noon)
    old, new = await tries(database, EMAIL, now=noon), await tries(database, EMAIL, NEW, now=noon)

    assert link.path == f"/account-recovery/{link.token}"
    assert not await is_in(database, before.token)
    assert isinstance(old, SignInRefused)
    assert isinstance(new, SignedIn)


async def test_a_recovery_opens_a_shut_account_and_ends_a_pending_sign_in(
    database: Database, bank: Desk, person: Viewer, noon: datetime
) -> None:
    held = await enrols(database, person, now=noon)
    pending = await waits_for_a_code(database, EMAIL, now=noon)
    for _ in range(5):
        await tries(database, EMAIL, "another pass phrase", now=noon)

    await complete(database, (await a_link(database, bank, noon)).token, noon)

    assert isinstance(await tries(database, EMAIL, NEW, now=noon), SignedIn)
    with pytest.raises(Exception, match="expired"):
        await completes(database, pending.token, held.code(), now=noon)


async def test_the_second_administrator_is_another_and_neither_is_the_person(
    database: Database, bank: Desk, noon: datetime
) -> None:
    administrator = await a_person(database, bank.id, EMAIL, Role.ADMIN, now=noon)
    recovery_id = await ask(database, bank.maker, noon)

    with pytest.raises(SamePersonTwice):
        await ask(database, administrator, noon)
    for viewer in (bank.maker, administrator):
        with pytest.raises(SamePersonTwice):
            await confirm(database, viewer, recovery_id, noon)


async def test_only_administrators_of_the_persons_own_desk_recover(
    database: Database, bank: Desk, person: Viewer, noon: datetime
) -> None:
    other = await a_bank(database, noon)
    recovery_id = await ask(database, bank.maker, noon)

    with pytest.raises(NotAllowed):
        await ask(database, person, noon)
    with pytest.raises(NotFound):
        await ask(database, other.maker, noon)
    with pytest.raises(NotFound):
        await ask(database, other.maker, noon, email="nobody@example.com")
    with pytest.raises(NotFound):
        await confirm(database, other.checker, recovery_id, noon)


async def test_a_desk_does_not_recover_who_belongs_to_another_too(
    database: Database, bank: Desk, person: Viewer, noon: datetime
) -> None:
    other, third = await a_bank(database, noon), await a_bank(database, noon)
    link = await a_link(database, bank, noon)
    waiting = await ask(database, bank.maker, noon)
    await joins(database, person, other.id, Role.OFFICER, now=noon)

    with pytest.raises(AccountRecoveryOver):
        await complete(database, link.token, noon)
    for act in (ask(database, other.maker, noon), confirm(database, bank.checker, waiting, noon)):
        with pytest.raises(AccountRecoveryNeedsOperator):
            await act
    with pytest.raises(NotFound):
        await ask(database, third.maker, noon)


async def test_two_people_of_the_operator_recover_anybody(
    database: Database, bank: Desk, person: Viewer, noon: datetime
) -> None:
    operator = await an_operators_desk(database, noon)
    other = await a_bank(database, noon)
    await joins(database, person, other.id, Role.OFFICER, now=noon)

    recovery_id = await ask(database, operator.maker, noon)
    with pytest.raises(NotFound):
        await confirm(database, bank.checker, recovery_id, noon)
    link = await confirm(database, operator.checker, recovery_id, noon)
    await complete(database, link.token, noon)

    assert not isinstance(await tries(database, EMAIL, NEW, now=noon), SignInRefused)


async def test_of_those_who_use_a_link_at_once_one_succeeds(
    database: Database, bank: Desk, person: Viewer, noon: datetime
) -> None:
    link = await a_link(database, bank, noon)

    outcomes = await asyncio.gather(
        *(complete(database, link.token, noon, f"{NEW} {number}") for number in range(4)), return_exceptions=True
    )
    signing_in = [await tries(database, EMAIL, f"{NEW} {number}", now=noon) for number in range(4)]

    assert outcomes.count("recovered") == 1
    assert sum(isinstance(outcome, AccountRecoveryOver) for outcome in outcomes) == 3
    assert [isinstance(one, SignedIn) for one in signing_in] == [outcome == "recovered" for outcome in outcomes]


async def test_a_recovery_is_over_when_used_replaced_expired_or_made_up(
    database: Database, bank: Desk, person: Viewer, noon: datetime, admin: asyncpg.Connection
) -> None:
    replaced = await a_link(database, bank, noon)
    used = await a_link(database, bank, noon)
    await complete(database, used.token, noon)
    expired = await a_link(database, bank, noon)
    await admin.execute("UPDATE parties.account_recovery SET expires_at = $1 WHERE ended_at IS NULL", wall_now())
    confirmed = await ask(database, bank.maker, noon)
    await confirm(database, bank.checker, confirmed, noon)

    for token in (replaced.token, used.token, expired.token, "made-up"):
        with pytest.raises(AccountRecoveryOver):
            await complete(database, token, noon)
    with pytest.raises(AccountRecoveryOver):
        await confirm(database, bank.checker, confirmed, noon)
    with pytest.raises(ValueRefused):
        await complete(database, expired.token, noon, "short")


async def test_waiting_recoveries_are_listed_to_their_own_desk(
    database: Database, bank: Desk, person: Viewer, noon: datetime
) -> None:
    other = await a_bank(database, noon)
    await ask(database, bank.maker, noon)
    recovery_id = await ask(database, bank.maker, noon)

    listed = []
    for viewer in (bank.checker, other.maker):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            listed.append((await queries.open_recoveries(session, viewer.organisation_id)).rows)

    assert [[view.id for view in rows] for rows in listed] == [[recovery_id], []]
    assert listed[0][0].email == EMAIL


async def test_recoveries_are_announced_and_written_down(
    database: Database, bank: Desk, person: Viewer, noon: datetime, admin: asyncpg.Connection
) -> None:
    link = await a_link(database, bank, noon)
    await complete(database, link.token, noon)

    events = await admin.fetch("SELECT name, aggregate FROM foundation.outbox_event ORDER BY recorded_at")
    acts = await admin.fetch("SELECT action, principal_id FROM audit.record ORDER BY recorded_at")

    aggregate = f"user:{person.principal_id}"
    assert [tuple(row) for row in events] == [("AccountRecoveryAsked", aggregate), ("AccountRecovered", aggregate)]
    assert [tuple(row) for row in acts] == [
        ("parties.recovery_asked", bank.maker.principal_id),
        ("parties.recovery_confirmed", bank.checker.principal_id),
        ("parties.account_recovered", None),
    ]


@pytest.fixture
async def owner(database: Database, noon: datetime) -> Viewer:
    """Return a person of a firm, who signs in as EMAIL."""
    firm = await a_committed_firm(database, noon)
    return await a_person(database, firm.organisation_id, EMAIL, Role.OWNER, now=noon)  # type: ignore[arg-type]


async def test_a_firms_person_recovers_by_a_recovery_code_and_the_second_factor_stays(
    database: Database, owner: Viewer, noon: datetime
) -> None:
    before = await signs_in(database, EMAIL, now=noon)
    held = await enrols(database, owner, now=noon)

    recovered = await alone(database, held.recovery_codes[0], noon)
    again = await alone(database, held.recovery_codes[0], noon, password="yet another pass phrase")
    pending = await tries(database, EMAIL, NEW, now=noon)

    assert recovered is None
    assert isinstance(again, AccountRecoveryRefused)
    assert not await is_in(database, before.token)
    assert isinstance(pending, SignInPending)


async def test_one_recovery_code_used_at_once_sets_one_password(
    database: Database, owner: Viewer, noon: datetime
) -> None:
    held = await enrols(database, owner, now=noon)

    outcomes = await asyncio.gather(
        *(alone(database, held.recovery_codes[0], noon, password=f"{NEW} {number}") for number in range(4))
    )

    assert outcomes.count(None) == 1


async def test_recovering_alone_answers_the_same_for_wrong_unknown_shut_and_staff(
    database: Database, owner: Viewer, bank: Desk, noon: datetime
) -> None:
    held = await enrols(database, owner, now=noon)
    staff = await a_person(database, bank.id, "staff@example.com", Role.OFFICER, now=noon)
    of_staff = await enrols(database, staff, now=noon)

    unknown = await alone(database, held.recovery_codes[0], noon, email="nobody@example.com")
    by_staff = await alone(database, of_staff.recovery_codes[0], noon, email="staff@example.com")
    wrong = [await alone(database, "ABCD-EFGH-JK23", noon) for _ in range(5)]
    shut = await alone(database, held.recovery_codes[0], noon)

    refusals = [unknown, by_staff, *wrong, shut]
    assert all(isinstance(one, AccountRecoveryRefused) and one.facts == {} for one in refusals)
    assert isinstance(await tries(database, EMAIL, now=noon), SignInRefused)


async def test_outside_a_sandbox_no_message_is_sent_and_an_operator_must_help(
    database: Database, owner: Viewer, noon: datetime
) -> None:
    for email in (EMAIL, "nobody@example.com"):
        with pytest.raises(AccountRecoveryNeedsOperator):
            await send(database, email, noon)


async def test_in_a_sandbox_a_simulated_message_brings_a_code_that_works_once(
    database: Database, owner: Viewer, bank: Desk, noon: datetime, sandbox: None
) -> None:
    await a_person(database, bank.id, "staff@example.com", Role.OFFICER, now=noon)
    for email in (EMAIL, EMAIL, "staff@example.com", "nobody@example.com"):
        await send(database, email, noon)
    async with in_transaction(database.app) as session:
        newest, replaced = await queries.simulated_messages(session)
    codes = [
        next(word for word in one.text_en.replace(",", "").split() if word.isdigit()) for one in (replaced, newest)
    ]

    dead = await alone(database, codes[0], noon)
    recovered = await alone(database, codes[1], noon)
    again = await alone(database, codes[1], noon, password="yet another pass phrase")

    assert newest.email == EMAIL
    assert codes[1] in newest.text_zh
    assert isinstance(dead, AccountRecoveryRefused)
    assert recovered is None
    assert isinstance(again, AccountRecoveryRefused)
    assert isinstance(await tries(database, EMAIL, NEW, now=noon), SignedIn)
    assert isinstance(await tries(database, EMAIL, PASSWORD, now=noon), SignInRefused)
