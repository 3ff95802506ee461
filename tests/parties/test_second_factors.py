"""Signing in with a second factor: enrolling, replay, lock-out, recovery codes."""

import asyncio
from datetime import datetime

import asyncpg
import pytest
from builders_parties import Desk
from builders_people import (
    PASSWORD,
    a_bank,
    a_person,
    code_of,
    completes,
    enrols,
    is_in,
    joins,
    signs_in,
    tries,
    waits_for_a_code,
)
from conftest import Database

from xinyidai.access.rules import Role, Viewer
from xinyidai.access.service import act_as
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.settings import Settings, settings
from xinyidai.parties import service
from xinyidai.parties.rules import (
    EnrolmentNeeded,
    NotEnrolled,
    ProofRefused,
    SecondFactorDemanded,
    SecondFactorNeeded,
    SessionStage,
    SignedIn,
    SignInPending,
    SignInRefused,
    SignInStale,
)
from xinyidai.parties.service import second_factors

EMAIL = "officer@example.com"


@pytest.fixture
async def bank(database: Database, noon: datetime) -> Desk:
    return await a_bank(database, noon)


@pytest.fixture
async def person(database: Database, bank: Desk, noon: datetime) -> Viewer:
    return await a_person(database, bank.id, EMAIL, Role.OFFICER, now=noon)


@pytest.fixture
def demanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the setting on that staff must have a second factor."""
    chosen: Settings = settings().model_copy(update={"staff_second_factor": True})
    monkeypatch.setattr(second_factors, "settings", lambda: chosen)


async def test_after_enrolling_a_password_alone_opens_nothing(
    database: Database, person: Viewer, noon: datetime
) -> None:
    held = await enrols(database, person, now=noon)

    pending = await waits_for_a_code(database, EMAIL, now=noon)
    was_in = await is_in(database, pending.token)
    finished = await completes(database, pending.token, held.code(), now=noon)

    assert pending.stage is SessionStage.SECOND_FACTOR
    assert not was_in
    assert isinstance(finished, SignedIn)
    assert await is_in(database, finished.token)
    assert not await is_in(database, pending.token)


async def test_a_code_passes_once_however_many_send_it_at_once(
    database: Database, person: Viewer, noon: datetime
) -> None:
    held = await enrols(database, person, now=noon)
    waiting = [await waits_for_a_code(database, EMAIL, now=noon) for _ in range(4)]
    code = held.code()

    outcomes = await asyncio.gather(*(completes(database, one.token, code, now=noon) for one in waiting))

    assert sum(isinstance(outcome, SignedIn) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, ProofRefused) for outcome in outcomes) == 3


async def test_the_code_of_the_enrolment_and_those_before_it_are_used(
    database: Database, person: Viewer, noon: datetime
) -> None:
    held = await enrols(database, person, now=noon)
    pending = await waits_for_a_code(database, EMAIL, now=noon)

    used = [await completes(database, pending.token, held.code(ahead), now=noon) for ahead in (0, -1)]

    assert all(isinstance(outcome, ProofRefused) for outcome in used)


async def test_a_recovery_code_passes_once_instead_of_a_code(
    database: Database, person: Viewer, noon: datetime
) -> None:
    held = await enrols(database, person, now=noon)
    code = held.recovery_codes[3]

    first = await completes(database, (await waits_for_a_code(database, EMAIL, now=noon)).token, code, now=noon)
    again = await completes(database, (await waits_for_a_code(database, EMAIL, now=noon)).token, code, now=noon)

    assert isinstance(first, SignedIn)
    assert isinstance(again, ProofRefused)


async def test_one_recovery_code_sent_at_once_passes_once(database: Database, person: Viewer, noon: datetime) -> None:
    held = await enrols(database, person, now=noon)
    waiting = [await waits_for_a_code(database, EMAIL, now=noon) for _ in range(4)]

    outcomes = await asyncio.gather(
        *(completes(database, one.token, held.recovery_codes[0].lower(), now=noon) for one in waiting)
    )

    assert sum(isinstance(outcome, SignedIn) for outcome in outcomes) == 1


async def test_the_right_password_does_not_clear_the_count_of_wrong_codes(
    database: Database, person: Viewer, noon: datetime
) -> None:
    held = await enrols(database, person, now=noon)

    for _ in range(5):
        pending = await waits_for_a_code(database, EMAIL, now=noon)
        await completes(database, pending.token, "000000", now=noon)
    shut = await tries(database, EMAIL, now=noon)
    late = await completes(database, pending.token, held.code(), now=noon)

    assert isinstance(shut, SignInRefused)
    assert isinstance(late, ProofRefused)


async def test_a_shut_account_looks_like_none(database: Database, person: Viewer, noon: datetime) -> None:
    await enrols(database, person, now=noon)
    pending = await waits_for_a_code(database, EMAIL, now=noon)
    for _ in range(5):
        await completes(database, pending.token, "000000", now=noon)

    shut, unknown = await tries(database, EMAIL, now=noon), await tries(database, "nobody@example.com", now=noon)

    assert isinstance(shut, SignInRefused)
    assert isinstance(unknown, SignInRefused)
    assert (str(shut), shut.facts) == (str(unknown), unknown.facts)


async def test_a_pending_sign_in_expires_and_is_finished_once(
    database: Database, person: Viewer, noon: datetime, admin: asyncpg.Connection
) -> None:
    held = await enrols(database, person, now=noon)
    finished, expired = [await waits_for_a_code(database, EMAIL, now=noon) for _ in range(2)]
    await completes(database, finished.token, held.code(), now=noon)
    await admin.execute("UPDATE parties.web_session SET expires_at = created_at WHERE stage <> 'open'")

    for token in (finished.token, expired.token, "made-up"):
        with pytest.raises(SignInStale):
            await completes(database, token, held.recovery_codes[0], now=noon)


async def test_the_secret_is_kept_encrypted_and_bound_to_the_person(
    database: Database, person: Viewer, bank: Desk, noon: datetime, admin: asyncpg.Connection
) -> None:
    held = await enrols(database, person, now=noon)
    await enrols(database, bank.maker, now=noon)

    rows = {row["user_id"]: row["secret"] for row in await admin.fetch("SELECT * FROM parties.second_factor")}
    codes = str(await admin.fetch("SELECT * FROM parties.recovery_code"))
    cipher = second_factors._cipher()

    assert held.secret.encode() not in rows[person.principal_id]
    assert cipher.open(rows[person.principal_id], bound_to=person.principal_id.bytes).decode() == held.secret
    with pytest.raises(Exception, match="authentication failed"):
        cipher.open(rows[bank.maker.principal_id], bound_to=person.principal_id.bytes)
    assert not any(code in codes for code in held.recovery_codes)


async def test_another_enrolment_replaces_the_first_only_when_it_is_confirmed(
    database: Database, person: Viewer, noon: datetime
) -> None:
    first = await enrols(database, person, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, person, now=noon)
        offered = await service.begin_enrolment(session, person)

    still = await completes(database, (await waits_for_a_code(database, EMAIL, now=noon)).token, first.code(), now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, person, now=noon)
        await service.confirm_enrolment(session, person, code_of(offered.secret), now=noon)
    pending = await waits_for_a_code(database, EMAIL, now=noon)
    old = [await completes(database, pending.token, code, now=noon) for code in (first.code(), first.recovery_codes[1])]
    new = await completes(database, pending.token, code_of(offered.secret, ahead=1), now=noon)

    assert isinstance(still, SignedIn)
    assert all(isinstance(outcome, ProofRefused) for outcome in old)
    assert isinstance(new, SignedIn)


async def test_an_enrolment_is_confirmed_by_its_own_code_only(
    database: Database, person: Viewer, noon: datetime
) -> None:
    async def confirm(code: str) -> None:
        async with in_transaction(database.app) as session:
            await act_as(session, person, now=noon)
            await service.confirm_enrolment(session, person, code, now=noon)

    with pytest.raises(NotEnrolled):
        await confirm("000000")
    async with in_transaction(database.app) as session:
        await act_as(session, person, now=noon)
        await service.begin_enrolment(session, person)
    with pytest.raises(ProofRefused):
        await confirm("not a code")

    assert isinstance(await tries(database, EMAIL, now=noon), SignedIn)


async def test_new_recovery_codes_kill_the_old_ones(database: Database, person: Viewer, noon: datetime) -> None:
    held = await enrols(database, person, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, person, now=noon)
        renewed = await service.renew_recovery_codes(session, person, now=noon)
    pending = await waits_for_a_code(database, EMAIL, now=noon)

    old = await completes(database, pending.token, held.recovery_codes[0], now=noon)
    new = await completes(database, pending.token, renewed[0], now=noon)

    assert isinstance(old, ProofRefused)
    assert isinstance(new, SignedIn)


async def disable(database: Database, person: Viewer, now: datetime) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, person, now=now)
        await service.disable_second_factor(session, person, now=now)


async def test_a_second_factor_is_given_up_and_the_password_suffices_again(
    database: Database, person: Viewer, noon: datetime
) -> None:
    await enrols(database, person, now=noon)

    await disable(database, person, noon)

    assert isinstance(await tries(database, EMAIL, now=noon), SignedIn)
    with pytest.raises(NotEnrolled):
        await disable(database, person, noon)


async def test_where_it_is_demanded_signing_in_leads_through_the_enrolment(
    database: Database, person: Viewer, noon: datetime, demanded: None
) -> None:
    pending = await tries(database, EMAIL, now=noon)
    assert isinstance(pending, SignInPending)
    was_in = await is_in(database, pending.token)
    async with in_transaction(database.app) as session:
        enrolment = await service.begin_enrolment_at_sign_in(session, pending.token)
    async with in_transaction(database.app) as session:
        finished, codes = await service.confirm_enrolment_at_sign_in(
            session, pending.token, code_of(enrolment.secret), now=noon
        )

    assert (pending.stage, was_in) == (SessionStage.ENROLMENT, False)
    assert len(codes) == 10
    assert await is_in(database, finished.token)
    with pytest.raises(SecondFactorDemanded):
        await disable(database, person, noon)


async def test_a_password_alone_never_replaces_a_second_factor(
    database: Database, person: Viewer, noon: datetime, demanded: None
) -> None:
    early, late = [await tries(database, EMAIL, now=noon) for _ in range(2)]
    assert isinstance(early, SignInPending)
    assert isinstance(late, SignInPending)
    async with in_transaction(database.app) as session:
        enrolment = await service.begin_enrolment_at_sign_in(session, early.token)
    async with in_transaction(database.app) as session:
        await service.confirm_enrolment_at_sign_in(session, early.token, code_of(enrolment.secret), now=noon)

    with pytest.raises(SignInStale):
        await begin_at_sign_in(database, late.token)


async def begin_at_sign_in(database: Database, token: str) -> None:
    async with in_transaction(database.app) as session:
        await service.begin_enrolment_at_sign_in(session, token)


async def prove(database: Database, code: str | None, now: datetime) -> Viewer | Refusal:
    async with in_transaction(database.worker) as session:
        return await service.prove(session, EMAIL, PASSWORD, code=code, organisation_id=None, now=now)


async def test_a_command_takes_nobody_without_the_code(database: Database, person: Viewer, noon: datetime) -> None:
    before = await prove(database, None, noon)
    held = await enrols(database, person, now=noon)

    without = await prove(database, None, noon)
    wrong = await prove(database, "000000", noon)
    right = await prove(database, held.code(), noon)

    assert isinstance(before, Viewer)
    assert isinstance(without, SecondFactorNeeded)
    assert isinstance(wrong, ProofRefused)
    assert isinstance(right, Viewer)


async def test_a_command_refuses_who_must_enrol_first(
    database: Database, person: Viewer, noon: datetime, demanded: None
) -> None:
    with pytest.raises(EnrolmentNeeded):
        await prove(database, None, noon)


async def test_a_firms_person_switches_to_a_bank_only_with_a_second_factor(
    database: Database, bank: Desk, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = await a_bank(database, noon)
    person = await a_person(database, bank.id, "two@example.com", Role.OFFICER, now=noon)
    signed_in = await signs_in(database, "two@example.com", now=noon)
    await joins(database, person, guarded.id, Role.OFFICER, now=noon)
    chosen = settings().model_copy(update={"staff_second_factor": True})
    monkeypatch.setattr(second_factors, "settings", lambda: chosen)

    with pytest.raises(EnrolmentNeeded):
        await switch(database, signed_in, guarded.id, noon)


async def switch(database: Database, signed_in: SignedIn, organisation_id: object, now: datetime) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, signed_in.viewer, now=now)
        await service.switch_organisation(
            session,
            signed_in.viewer,
            signed_in.token,
            organisation_id=organisation_id,  # type: ignore[arg-type]
            now=now,
        )


async def test_acts_on_a_second_factor_leave_audit_rows(
    database: Database, person: Viewer, noon: datetime, admin: asyncpg.Connection
) -> None:
    await enrols(database, person, now=noon)
    await disable(database, person, noon)

    rows = await admin.fetch("SELECT action FROM audit.record ORDER BY recorded_at")

    assert [row["action"] for row in rows] == [
        "parties.second_factor_enrolled",
        "parties.second_factor_disabled",
    ]
