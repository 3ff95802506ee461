"""The doors of people over HTTP: joining, the second factor, step-up, sessions, recovery."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta

import asyncpg
import httpx
import pytest
from builders_applications import an_application
from builders_parties import Desk
from builders_people import PASSWORD, a_bank, a_committed_firm, a_person, code_of
from conftest import Database

from xinyidai.access.rules import Role, Viewer
from xinyidai.access.service import act_as
from xinyidai.foundation.clock import AnchoredClock, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.settings import settings
from xinyidai.parties import service
from xinyidai.parties.service import recovering, second_factors

API = "/api/v1"
MAKER, CHECKER, STAFF = "maker@bank.example", "checker@bank.example", "staff@bank.example"
NEW = "a new long pass phrase"


@pytest.fixture
async def bank(database: Database, noon: datetime) -> Desk:
    """Return a bank with two administrators and an officer who sign in."""
    desk = await a_bank(database, noon)
    for email, roles in (
        (MAKER, (Role.OFFICER, Role.ADMIN)),
        (CHECKER, (Role.APPROVER, Role.ADMIN)),
        (STAFF, (Role.OFFICER,)),
    ):
        await a_person(database, desk.id, email, *roles, now=noon)
    return desk


@pytest.fixture
async def browsers(database: Database, noon: datetime) -> AsyncGenerator[list[httpx.AsyncClient]]:
    """Return three browsers, each with cookies of its own."""
    app = an_application(database.settings, database.app, clock=AnchoredClock(wall_now(), noon, 0.0))
    opened = [
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="https://platform.test",
            headers={"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140"},
        )
        for _ in range(3)
    ]
    yield opened
    for browser in opened:
        await browser.aclose()


async def enter(browser: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await browser.post(f"{API}/sign-in", json={"email": email, "password": password})


async def enrol(browser: httpx.AsyncClient) -> tuple[str, list[str]]:
    """Enrol a second factor through the doors; return its secret and recovery codes."""
    secret = (await browser.post(f"{API}/me/second-factor")).json()["secret"]
    confirmed = await browser.post(f"{API}/me/second-factor/confirm", json={"code": code_of(secret)})
    return secret, confirmed.json()["recovery_codes"]


async def test_a_person_is_invited_joins_and_signs_in(browsers: list[httpx.AsyncClient], bank: Desk) -> None:
    inviter, invited, _ = browsers
    await enter(inviter, MAKER)

    made = await inviter.post(f"{API}/invitations", json={"email": "new@example.com", "roles": ["approver"]})
    listed = await inviter.get(f"{API}/invitations")
    token = {"token": made.json()["token"]}
    shown = await invited.post(f"{API}/invitations/show", json=token)
    joined = await invited.post(
        f"{API}/invitations/accept", json=token | {"display_name": "新人", "password": PASSWORD}
    )
    again = await invited.post(f"{API}/invitations/accept", json=token | {"display_name": "x", "password": PASSWORD})
    entered = await enter(invited, "new@example.com")

    assert (made.status_code, joined.status_code, entered.status_code) == (201, 201, 200)
    assert made.json()["path"] == f"/invitations/{token['token']}"
    assert token["token"] not in listed.text
    assert shown.json()["roles"] == ["approver"]
    assert (again.status_code, again.json()["code"]) == (410, "invitation_over")
    assert entered.json()["me"]["roles"] == ["approver"]


async def test_a_withdrawn_invitation_is_dead(browsers: list[httpx.AsyncClient], bank: Desk) -> None:
    inviter, invited, _ = browsers
    await enter(inviter, MAKER)
    made = (await inviter.post(f"{API}/invitations", json={"email": "new@example.com", "roles": ["officer"]})).json()

    withdrawn = await inviter.post(f"{API}/invitations/{made['invitation']['id']}/withdraw")
    shown = await invited.post(f"{API}/invitations/show", json={"token": made["token"]})

    assert withdrawn.status_code == 204
    assert shown.json()["code"] == "invitation_over"


async def test_signing_in_with_a_second_factor_takes_two_steps_and_nothing_between(
    browsers: list[httpx.AsyncClient], bank: Desk
) -> None:
    own, other, _ = browsers
    await enter(own, MAKER)
    secret, codes = await enrol(own)

    first = await enter(other, MAKER)
    between = [await other.get(f"{API}/me"), await other.post(f"{API}/step-up", json={"password": PASSWORD})]
    wrong = await other.post(f"{API}/sign-in/second-factor", json={"code": "000000"})
    cookie = other.cookies["xinyidai_session"]
    second = await other.post(f"{API}/sign-in/second-factor", json={"code": code_of(secret, ahead=1)})
    me = await other.get(f"{API}/me")
    stale = await other.post(f"{API}/sign-in/second-factor", json={"code": codes[0]})

    assert (first.status_code, first.json()["stage"], first.json()["me"]) == (200, "second_factor", None)
    assert [answer.status_code for answer in between] == [401, 401]
    assert wrong.json()["code"] == "proof_refused"
    assert (second.json()["stage"], me.status_code) == ("open", 200)
    assert other.cookies["xinyidai_session"] != cookie
    assert stale.json()["code"] == "sign_in_stale"


async def test_where_staff_must_enrol_the_sign_in_leads_there(
    browsers: list[httpx.AsyncClient], bank: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = browsers[0]
    chosen = settings().model_copy(update={"staff_second_factor": True})
    monkeypatch.setattr(second_factors, "settings", lambda: chosen)

    first = await enter(browser, MAKER)
    between = await browser.get(f"{API}/me")
    secret = (await browser.post(f"{API}/sign-in/enrolment")).json()["secret"]
    enrolled = await browser.post(f"{API}/sign-in/enrolment/confirm", json={"code": code_of(secret)})
    me = await browser.get(f"{API}/me")
    refused = await browser.post(f"{API}/me/second-factor/disable")

    assert (first.json()["stage"], between.status_code) == ("enrolment", 401)
    assert len(enrolled.json()["recovery_codes"]) == 10
    assert me.json()["principal_id"] == enrolled.json()["me"]["principal_id"]
    assert refused.json()["code"] == "second_factor_demanded"


async def test_without_a_pending_sign_in_its_steps_are_refused(browsers: list[httpx.AsyncClient]) -> None:
    visitor = browsers[0]

    answers = [
        await visitor.post(f"{API}/sign-in/second-factor", json={"code": "123456"}),
        await visitor.post(f"{API}/sign-in/enrolment"),
        await visitor.post(f"{API}/sign-in/enrolment/confirm", json={"code": "123456"}),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(401, "sign_in_stale")] * 3


async def test_an_old_proof_mints_no_key_until_it_is_renewed(
    browsers: list[httpx.AsyncClient], bank: Desk, admin: asyncpg.Connection
) -> None:
    browser = browsers[0]
    await enter(browser, MAKER)
    key = {"organisation_id": str(bank.id), "name": "核心系统", "scopes": ["demands:read"]}

    at_once = await browser.post(f"{API}/api-clients", json=key)
    await admin.execute("UPDATE parties.web_session SET proved_at = $1", wall_now() - timedelta(minutes=6))
    late = await browser.post(f"{API}/api-clients", json=key)
    reading = await browser.get(f"{API}/api-clients")
    wrong = await browser.post(f"{API}/step-up", json={"password": "another pass phrase"})
    renewed = await browser.post(f"{API}/step-up", json={"password": PASSWORD})
    again = await browser.post(f"{API}/api-clients", json=key)

    assert (at_once.status_code, late.status_code, late.json()["code"]) == (201, 403, "step_up_needed")
    assert (reading.status_code, wrong.json()["code"]) == (200, "proof_refused")
    assert (renewed.status_code, again.status_code) == (200, 201)


async def test_where_enrolled_only_the_code_steps_up(browsers: list[httpx.AsyncClient], bank: Desk) -> None:
    browser = browsers[0]
    await enter(browser, MAKER)
    secret, codes = await enrol(browser)

    by_password = await browser.post(f"{API}/step-up", json={"password": PASSWORD})
    by_code = await browser.post(f"{API}/step-up", json={"code": code_of(secret, ahead=1)})
    renewed = await browser.post(f"{API}/me/second-factor/recovery-codes")
    disabled = await browser.post(f"{API}/me/second-factor/disable")
    without = await browser.post(f"{API}/me/second-factor/disable")

    assert (by_password.json()["code"], by_code.status_code) == ("second_factor_needed", 200)
    assert set(renewed.json()["recovery_codes"]).isdisjoint(codes)
    assert (disabled.status_code, without.json()["code"]) == (204, "not_enrolled")


async def test_sessions_are_listed_and_revoked_from_another_browser(
    browsers: list[httpx.AsyncClient], bank: Desk
) -> None:
    first, second, third = browsers
    for browser in browsers:
        await enter(browser, MAKER)

    listed = (await third.get(f"{API}/me/sessions")).json()["sessions"]
    revoked = await third.delete(f"{API}/me/sessions/{listed[0]['id']}")
    others = await third.post(f"{API}/me/sessions/revoke-others")
    after = [(await browser.get(f"{API}/me")).status_code for browser in (first, second, third)]

    assert [one["is_current"] for one in listed] == [False, False, True]
    assert {one["agent"] for one in listed} == {"Firefox, Windows"}
    assert (revoked.status_code, others.json()) == (204, {"revoked": 1})
    assert after == [401, 401, 200]


async def test_a_new_sign_in_in_the_same_browser_ends_the_one_before(
    browsers: list[httpx.AsyncClient], bank: Desk
) -> None:
    browser = browsers[0]
    await enter(browser, MAKER)
    await enter(browser, MAKER)

    listed = (await browser.get(f"{API}/me/sessions")).json()["sessions"]
    out = await browser.post(f"{API}/sign-out")
    after = await browser.get(f"{API}/me")

    assert len(listed) == 1
    assert (out.status_code, after.status_code) == (204, 401)


async def test_a_changed_password_ends_the_session_elsewhere(browsers: list[httpx.AsyncClient], bank: Desk) -> None:
    own, elsewhere, _ = browsers
    await enter(own, MAKER)
    await enter(elsewhere, MAKER)

    wrong = await own.post(f"{API}/me/password", json={"current": "another pass phrase", "new": NEW})
    changed = await own.post(f"{API}/me/password", json={"current": PASSWORD, "new": NEW})

    assert (wrong.json()["code"], changed.status_code) == ("proof_refused", 204)
    assert (await own.get(f"{API}/me")).status_code == 200
    assert (await elsewhere.get(f"{API}/me")).status_code == 401
    assert (await enter(elsewhere, MAKER, NEW)).status_code == 200


async def test_a_person_acts_for_another_organisation_and_leaves_it(
    browsers: list[httpx.AsyncClient], bank: Desk, database: Database, noon: datetime
) -> None:
    browser = browsers[0]
    await enter(browser, STAFF)
    firm = await a_committed_firm(database, noon)
    token = await an_invitation(database, firm, noon)

    joined = await browser.post(f"{API}/invitations/accept", json={"token": token})
    switched = await browser.post(f"{API}/me/organisation", json={"organisation_id": str(firm.organisation_id)})
    me = (await browser.get(f"{API}/me")).json()
    left = await browser.post(f"{API}/me/organisations/{bank.id}/leave")
    last = await browser.post(f"{API}/me/organisation", json={"organisation_id": str(bank.id)})

    assert (joined.status_code, switched.status_code, left.status_code) == (201, 200, 204)
    assert (me["organisation_id"], me["roles"]) == (str(firm.organisation_id), ["officer"])
    assert (last.status_code, last.json()["code"]) == (404, "not_found")


async def an_invitation(database: Database, inviter: Viewer, now: datetime) -> str:
    async with in_transaction(database.app) as session:
        await act_as(session, inviter, now=now)
        invited = await service.invite(
            session, inviter, organisation_id=inviter.organisation_id, email=STAFF, roles=[Role.OFFICER], now=now
        )
    return invited.token


async def test_a_colleague_is_recovered_by_two_administrators(browsers: list[httpx.AsyncClient], bank: Desk) -> None:
    asking, confirming, lost = browsers
    await enter(asking, MAKER)
    await enter(confirming, CHECKER)

    asked = await asking.post(f"{API}/account-recoveries", json={"email": STAFF})
    by_the_same = await asking.post(f"{API}/account-recoveries/{asked.json()['id']}/confirm")
    waiting = (await confirming.get(f"{API}/account-recoveries")).json()["recoveries"]
    link = (await confirming.post(f"{API}/account-recoveries/{asked.json()['id']}/confirm")).json()
    completed = await lost.post(f"{API}/account-recovery/complete", json={"token": link["token"], "password": NEW})
    again = await lost.post(f"{API}/account-recovery/complete", json={"token": link["token"], "password": NEW})
    entered = await enter(lost, STAFF, NEW)

    assert by_the_same.json()["code"] == "same_person_twice"
    assert [one["email"] for one in waiting] == [STAFF]
    assert (completed.status_code, entered.status_code) == (204, 200)
    assert (again.status_code, again.json()["code"]) == (410, "account_recovery_over")


async def test_recovering_alone_tells_nothing_of_accounts(
    browsers: list[httpx.AsyncClient], bank: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = browsers[0]
    code = {"code": "12345678", "password": NEW}

    outside = await visitor.post(f"{API}/account-recovery/code", json={"email": MAKER})
    chosen = settings().model_copy(update={"sandbox": True})
    monkeypatch.setattr(recovering, "settings", lambda: chosen)
    sent = [
        await visitor.post(f"{API}/account-recovery/code", json={"email": one}) for one in (MAKER, "nobody@example.com")
    ]
    tried = [
        await visitor.post(f"{API}/account-recovery/alone", json=code | {"email": one})
        for one in (MAKER, "nobody@example.com")
    ]

    assert (outside.status_code, outside.json()["code"]) == (409, "account_recovery_needs_operator")
    assert [answer.status_code for answer in sent] == [204, 204]
    assert [answer.json()["code"] for answer in tried] == ["account_recovery_refused"] * 2


async def test_an_organisation_invites_and_cannot_ask_for_accounts(
    browsers: list[httpx.AsyncClient], bank: Desk
) -> None:
    browser = browsers[0]
    await enter(browser, MAKER)
    body = {"organisation_id": str(bank.id), "email": "owner@example.com", "roles": ["officer"]}

    given = await browser.post(f"{API}/memberships", json=body)
    admitted = await browser.post(f"{API}/users", json=body | {"display_name": "新人", "password": PASSWORD})

    assert [answer.json()["code"] for answer in (given, admitted)] == ["not_allowed"] * 2
