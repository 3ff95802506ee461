"""The pages of people without a browser: signing in by two steps, proving, one's account, colleagues, links."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from html import unescape

import asyncpg
import httpx
import pytest
from builders_applications import an_application
from builders_desks import TOKEN
from builders_parties import Desk
from builders_people import PASSWORD, a_bank, a_committed_firm, a_person, code_of, enrols, joins
from conftest import Database

from xinyidai.access.rules import STEP_UP_LASTS, Role, Viewer
from xinyidai.foundation.clock import AnchoredClock, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.settings import settings
from xinyidai.parties import queries
from xinyidai.parties.rules import PartyId
from xinyidai.parties.service import recovering, second_factors

EMAIL = "li@example.com"
NASTY = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
NEW = "another long pass phrase"


@asynccontextmanager
async def a_visitor(database: Database, now: datetime, *, sandbox: bool = True) -> AsyncGenerator[httpx.AsyncClient]:
    known = database.settings.model_copy(update={"sandbox": sandbox})
    app = an_application(known, database.app, clock=AnchoredClock(wall_now(), now, rate=0.0))
    scheme = "http" if sandbox else "https"
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url=f"{scheme}://platform.example",
        headers={"Accept": "text/html", "Accept-Language": "zh-CN"},
    ) as client:
        yield client


@pytest.fixture
async def visitor(database: Database, noon: datetime) -> AsyncGenerator[httpx.AsyncClient]:
    async with a_visitor(database, noon) as client:
        yield client


@pytest.fixture
async def bank(database: Database, noon: datetime) -> Desk:
    return await a_bank(database, noon)


@pytest.fixture
async def chief(database: Database, noon: datetime, bank: Desk) -> Viewer:
    """Return an administrator of the bank who signs in as EMAIL."""
    return await a_person(database, bank.id, EMAIL, Role.ADMIN, Role.OFFICER, now=noon)


async def sign_in(
    client: httpx.AsyncClient, email: str = EMAIL, password: str = PASSWORD, **more: str
) -> httpx.Response:
    return await client.post("/sign-in", data={"email": email, "password": password, **more})


async def send(
    client: httpx.AsyncClient, path: str, fields: dict[str, str | list[str]], *, shown_on: str
) -> httpx.Response:
    found = TOKEN.search((await client.get(shown_on)).text)
    assert found is not None
    return await client.post(path, data=fields | {"form_token": found.group(1)})


def hidden(answer: httpx.Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found is not None, answer.text
    return unescape(found.group(1))


async def let_the_proof_age(admin: asyncpg.Connection) -> None:
    old = wall_now() - STEP_UP_LASTS - timedelta(minutes=1)
    await admin.execute("UPDATE parties.web_session SET proved_at = $1", old)


async def test_a_second_step_asks_for_a_code_and_goes_where_one_was_going(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, chief: Viewer
) -> None:
    device = await enrols(database, chief, now=noon)

    asked = await sign_in(visitor, next="/people")
    before = await visitor.get("/people")
    wrong = await visitor.post("/sign-in/code", data={"code": "000000", "next": hidden(asked, "next")})
    right = await visitor.post("/sign-in/code", data={"code": device.code(), "next": hidden(wrong, "next")})
    after = await visitor.get("/people")

    assert 'action="/sign-in/code"' in asked.text
    assert before.headers["location"].startswith("/sign-in?next=")
    assert wrong.status_code == 422
    assert 'href="#field-code"' in wrong.text
    assert (right.status_code, right.headers["location"], after.status_code) == (303, "/people", 200)


async def test_a_recovery_code_passes_for_the_second_step_and_the_interrupted_form_is_offered(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, chief: Viewer
) -> None:
    device = await enrols(database, chief, now=noon)
    interrupted = await visitor.post("/me/sessions/revoke-others", data={"note": NASTY})

    asked = await sign_in(visitor, resume=hidden(interrupted, "resume"))
    resumed = await visitor.post(
        "/sign-in/code", data={"code": device.recovery_codes[0], "resume": hidden(asked, "resume")}
    )

    assert 'action="/me/sessions/revoke-others"' in resumed.text
    assert "<script>alert" not in resumed.text
    assert NASTY in unescape(resumed.text)


async def test_a_step_without_a_sign_in_begins_anew(visitor: httpx.AsyncClient) -> None:
    for path in ("/sign-in/code", "/sign-in/enrolment", "/sign-in/enrolment/confirm"):
        answer = await visitor.post(path, data={"code": "123456"})
        assert answer.headers["location"] == "/sign-in?done=stale"

    assert "登录步骤已过期" in (await visitor.get("/sign-in?done=stale")).text


async def test_an_organisation_that_demands_it_is_entered_by_an_enrolment(
    visitor: httpx.AsyncClient, chief: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings().model_copy(update={"staff_second_factor": True})
    monkeypatch.setattr(second_factors, "settings", lambda: chosen)

    demanded = await sign_in(visitor, next="/people")
    shown = await visitor.post("/sign-in/enrolment", data={"next": hidden(demanded, "next")})
    secret = hidden(shown, "secret")
    carried = {"secret": secret, "link": hidden(shown, "link"), "next": "/people"}
    wrong = await visitor.post("/sign-in/enrolment/confirm", data={**carried, "code": "000000"})
    right = await visitor.post("/sign-in/enrolment/confirm", data={**carried, "code": code_of(secret)})
    on = await visitor.post("/me/saved", data={"next": hidden(right, "next")})

    assert 'action="/sign-in/enrolment"' in demanded.text
    assert 'href="otpauth://totp/' in shown.text
    assert (wrong.status_code, hidden(wrong, "secret")) == (422, secret)
    assert len(re.findall(r'class="code">[A-Z0-9-]{14}<', right.text)) == 10
    assert on.headers["location"] == "/people"


async def test_an_old_proof_leads_to_the_proof_and_back_to_the_form(
    visitor: httpx.AsyncClient, chief: Viewer, admin: asyncpg.Connection
) -> None:
    await sign_in(visitor)
    fields: dict[str, str | list[str]] = {"email": "wang@example.com", "roles": ["approver"]}
    await let_the_proof_age(admin)

    asked = await send(visitor, "/people/invitations", fields, shown_on="/people")
    packed = hidden(asked, "resume")
    wrong = await visitor.post("/me/proof", data={"password": "not it", "resume": packed})
    proved = await visitor.post("/me/proof", data={"password": PASSWORD, "resume": hidden(wrong, "resume")})
    again = {name: hidden(proved, name) for name in ("email", "roles", "form_token")}
    done = await visitor.post("/people/invitations", data=again)

    assert asked.status_code == 403
    assert "wang@example.com" in packed
    assert wrong.status_code == 422
    assert "身份已验证" in proved.text
    assert "/invitations/" in done.text


async def test_the_proof_asks_for_a_code_where_one_is_enrolled(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, chief: Viewer
) -> None:
    device = await enrols(database, chief, now=noon)
    await sign_in(visitor)
    await visitor.post("/sign-in/code", data={"code": device.recovery_codes[0]})

    page = await visitor.get("/me/proof?next=/people")
    empty = await visitor.post("/me/proof", data={"next": "/people"})
    right = await visitor.post("/me/proof", data={"code": device.code(), "next": hidden(page, "next")})

    assert 'name="code"' in page.text
    assert 'name="password"' not in page.text
    assert empty.status_code == 422
    assert right.headers["location"] == "/people"


async def test_the_proof_never_leads_to_another_site(visitor: httpx.AsyncClient, chief: Viewer) -> None:
    await sign_in(visitor)

    page = await visitor.get("/me/proof?next=https://evil.example/")
    proved = await visitor.post("/me/proof", data={"password": PASSWORD, "next": "//evil.example"})

    assert "evil.example" not in re.sub(r'href="/language[^"]*"', "", page.text)
    assert proved.headers["location"] == "/me"


async def test_a_simulated_person_proves_by_one_click_in_a_sandbox_only(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, chief: Viewer, admin: asyncpg.Connection
) -> None:
    await sign_in(visitor)
    await let_the_proof_age(admin)
    real = await visitor.post("/sandbox/proof", data={"next": "/people"})
    async with a_visitor(database, noon, sandbox=False) as outside:
        await sign_in(outside)
        page, door = await outside.get("/me/proof"), await outside.post("/sandbox/proof")

    assert (real.status_code, real.headers["location"]) == (303, "/people")
    assert "/sandbox/proof" not in page.text
    assert door.status_code == 404


async def test_a_password_is_changed_with_the_current_one_only(visitor: httpx.AsyncClient, chief: Viewer) -> None:
    await sign_in(visitor)

    wrong = await visitor.post("/me/password", data={"current": "not it", "new": NEW})
    short = await visitor.post("/me/password", data={"current": PASSWORD, "new": "short"})
    right = await visitor.post("/me/password", data={"current": PASSWORD, "new": NEW})
    said = await visitor.get("/me")
    signed_in = await sign_in(visitor, password=NEW)

    assert (wrong.status_code, short.status_code, right.status_code) == (422, 422, 303)
    assert 'href="#field-current"' in wrong.text
    assert 'href="#field-new"' in short.text
    assert "密码已修改" in said.text
    assert signed_in.status_code == 303


async def test_a_second_factor_is_turned_on_renewed_and_off(visitor: httpx.AsyncClient, chief: Viewer) -> None:
    await sign_in(visitor)

    shown = await visitor.post("/me/second-factor")
    secret = hidden(shown, "secret")
    confirmed = await visitor.post("/me/second-factor/confirm", data={"code": code_of(secret), "secret": secret})
    on = await visitor.get("/me")
    renewed = await visitor.post("/me/second-factor/recovery-codes")
    disabled = await send(visitor, "/me/second-factor/disable", {}, shown_on="/me")
    off = await visitor.get("/me")

    codes = [set(re.findall(r'class="code">([A-Z0-9-]{14})<', one.text)) for one in (confirmed, renewed)]
    assert (len(codes[0]), len(codes[1]), codes[0] & codes[1]) == (10, 10, set())
    assert "已启用" in on.text
    assert disabled.headers["location"] == "/me"
    assert "未启用" in off.text


async def test_sessions_are_listed_and_ended(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, chief: Viewer
) -> None:
    async with a_visitor(database, noon) as second, a_visitor(database, noon) as third:
        for client in (visitor, second, third):
            await sign_in(client)
        listed = await visitor.get("/me")
        paths = re.findall(r'action="(/me/sessions/[0-9a-f-]{36}/revoke)"', listed.text)
        one = await send(visitor, paths[0], {}, shown_on="/me")
        seen = [(await client.get("/me")).status_code for client in (second, third)]
        others = await send(visitor, "/me/sessions/revoke-others", {}, shown_on="/me")
        left = [(await client.get("/me")).status_code for client in (visitor, second, third)]

    assert len(paths) == 2
    assert (one.status_code, others.status_code) == (303, 303)
    assert sorted(seen) == [200, 303]
    assert left == [200, 303, 303]


async def test_leaving_the_organisation_acted_for_ends_the_session(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, chief: Viewer
) -> None:
    other = await a_bank(database, noon)
    await joins(database, chief, other.id, Role.AUDITOR, now=noon)
    await sign_in(visitor)
    acted_for = chief.organisation_id

    page = await visitor.get("/me")
    left = await send(visitor, f"/me/organisations/{other.id}/leave", {}, shown_on="/me")
    after = await visitor.get("/me")
    async with in_transaction(database.app) as session:
        held = await queries.organisations_of(session, chief.principal_id)

    assert "离开该机构" in page.text
    assert left.status_code == 303
    assert [one.party_id for one in held] == [acted_for]
    assert after.status_code in {200, 303}


async def test_a_colleague_is_invited_joins_gets_other_roles_and_goes(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, chief: Viewer
) -> None:
    await sign_in(visitor)
    link = await send(
        visitor, "/people/invitations", {"email": "wang@example.com", "roles": ["approver"]}, shown_on="/people"
    )
    path = re.search(r"http://platform\.example(/invitations/[^<\s]+)", link.text)
    assert path is not None
    async with a_visitor(database, noon) as guest:
        shown = await guest.get(path.group(1))
        token = hidden(shown, "token")
        short = await guest.post("/invitations/accept", data={"token": token, "password": "x"})
        joined = await guest.post(
            "/invitations/accept", data={"token": token, "display_name": NASTY[:20], "password": NEW}
        )
        over = await guest.get(path.group(1))
        entered = await sign_in(guest, "wang@example.com", NEW)
        page = await visitor.get("/people")
        member = re.findall(r'action="(/people/members/[0-9a-f-]{36})/end"', page.text)[-1]
        changed = await send(visitor, f"{member}/roles", {"member_roles": ["auditor"]}, shown_on="/people")
        page = await visitor.get("/people")
        member = re.findall(r'action="(/people/members/[0-9a-f-]{36})/end"', page.text)[-1]
        ended = await send(visitor, f"{member}/end", {}, shown_on="/people")
        gone = await guest.get("/me")

    assert short.status_code == 422
    assert joined.headers["location"] == "/sign-in?done=joined"
    assert (over.status_code, "链接已失效" in over.text) == (410, True)
    assert entered.status_code == 303
    assert (changed.status_code, ended.status_code) == (303, 303)
    assert gone.status_code == 303


async def test_an_invitation_is_withdrawn_and_its_link_dead(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, chief: Viewer
) -> None:
    await sign_in(visitor)
    link = await send(
        visitor, "/people/invitations", {"email": "wang@example.com", "roles": ["approver"]}, shown_on="/people"
    )
    path = re.search(r"http://platform\.example(/invitations/[^<\s]+)", link.text)
    listed = await visitor.get("/people")
    withdraw = re.search(r'action="(/people/invitations/[0-9a-f-]{36}/withdraw)"', listed.text)
    assert path is not None
    assert withdraw is not None

    withdrawn = await send(visitor, withdraw.group(1), {}, shown_on="/people")
    dead = await visitor.get(path.group(1))

    assert withdrawn.headers["location"] == "/people"
    assert dead.status_code == 410


async def test_a_signed_in_person_joins_without_a_password(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, chief: Viewer
) -> None:
    other = await a_bank(database, noon)
    await a_person(database, other.id, "zhao@example.com", Role.OFFICER, now=noon)
    await sign_in(visitor)
    link = await send(
        visitor, "/people/invitations", {"email": "zhao@example.com", "roles": ["auditor"]}, shown_on="/people"
    )
    path = re.search(r"http://platform\.example(/invitations/[^<\s]+)", link.text)
    assert path is not None
    async with a_visitor(database, noon) as guest:
        await sign_in(guest, "zhao@example.com")
        shown = await guest.get(path.group(1))
        joined = await guest.post("/invitations/accept", data={"token": hidden(shown, "token")})
        stranger = await visitor.get(path.group(1))

    assert 'name="password"' not in shown.text
    assert joined.headers["location"] == "/organisations"
    assert stranger.status_code == 410


async def test_a_colleagues_account_is_recovered_by_two_administrators(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, chief: Viewer, bank: Desk
) -> None:
    await a_person(database, bank.id, "second@example.com", Role.ADMIN, now=noon)
    await a_person(database, bank.id, "lost@example.com", Role.OFFICER, now=noon)
    await sign_in(visitor)
    asked = await send(visitor, "/people/recoveries", {"recovery_email": "lost@example.com"}, shown_on="/people")
    own = await visitor.get("/people")
    async with a_visitor(database, noon) as second, a_visitor(database, noon) as guest:
        await sign_in(second, "second@example.com")
        page = await second.get("/people")
        confirm = re.search(r'action="(/people/recoveries/[0-9a-f-]{36}/confirm)"', page.text)
        assert confirm is not None
        link = await send(second, confirm.group(1), {}, shown_on="/people")
        path = re.search(r"http://platform\.example(/account-recovery/[^<\s]+)", link.text)
        assert path is not None
        token = hidden(await guest.get(path.group(1)), "token")
        short = await guest.post("/account-recovery/complete", data={"token": token, "password": "short"})
        done = await guest.post("/account-recovery/complete", data={"token": token, "password": NEW})
        used = await guest.post("/account-recovery/complete", data={"token": token, "password": NEW})
        entered = await sign_in(guest, "lost@example.com", NEW)

    assert asked.headers["location"] == "/people"
    assert "等待另一名管理员确认" in own.text
    assert (short.status_code, done.headers["location"]) == (422, "/sign-in?done=recovered")
    assert used.status_code == 422
    assert entered.status_code == 303


async def test_a_firms_person_recovers_alone_by_a_simulated_message(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings().model_copy(update={"sandbox": True})
    monkeypatch.setattr(recovering, "settings", lambda: chosen)
    firm = await a_committed_firm(database, noon)
    await a_person(database, PartyId(firm.organisation_id), "boss@example.com", Role.OWNER, now=noon)

    sent = await visitor.post("/recover/code", data={"email": "boss@example.com"})
    unknown = await visitor.post("/recover/code", data={"email": "nobody@example.com"})
    inbox = await visitor.get("/sandbox/messages")
    code = re.search(r"\b(\d{8})\b", inbox.text)
    assert code is not None
    wrong = await visitor.post("/recover", data={"email": "boss@example.com", "code": "00000000", "password": NEW})
    right = await visitor.post("/recover", data={"email": "boss@example.com", "code": code.group(1), "password": NEW})
    entered = await sign_in(visitor, "boss@example.com", NEW)

    assert "模拟短信已发出" in sent.text
    assert "模拟短信已发出" in unknown.text
    assert wrong.status_code == 422
    assert right.headers["location"] == "/sign-in?done=recovered"
    assert entered.status_code == 303


async def test_outside_a_sandbox_no_message_is_offered_or_sent(database: Database, noon: datetime) -> None:
    async with a_visitor(database, noon, sandbox=False) as visitor:
        page, inbox = await visitor.get("/recover"), await visitor.get("/sandbox/messages")
        sent = await visitor.post("/recover/code", data={"email": "boss@example.com"})

    assert "/recover/code" not in page.text
    assert inbox.status_code == 404
    assert sent.status_code == 422


async def test_people_is_for_administrators_only(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, bank: Desk
) -> None:
    await a_person(database, bank.id, EMAIL, Role.OFFICER, now=noon)
    await sign_in(visitor)

    assert (await visitor.get("/people")).status_code == 403
    assert "/people" not in (await visitor.get("/me")).text


NASTY_FORMS = (
    ("/people/invitations", ("email",)),
    ("/people/recoveries", ("recovery_email",)),
    ("/me/password", ("current", "new")),
    ("/me/second-factor/confirm", ("code", "secret", "link", "next", "resume")),
    ("/me/proof", ("password", "next", "resume")),
    ("/sign-in", ("email", "password", "next", "resume")),
    ("/recover", ("email", "code", "password")),
    ("/recover/code", ("email",)),
    ("/account-recovery/complete", ("token", "password")),
)


@pytest.mark.parametrize(("path", "fields"), NASTY_FORMS, ids=[path for path, _ in NASTY_FORMS])
async def test_what_is_typed_never_becomes_markup(
    visitor: httpx.AsyncClient, chief: Viewer, path: str, fields: tuple[str, ...]
) -> None:
    await sign_in(visitor)
    answer = await send(visitor, path, dict.fromkeys(fields, NASTY), shown_on="/people")

    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text


async def test_a_name_with_markup_is_shown_as_text(
    visitor: httpx.AsyncClient, database: Database, noon: datetime, chief: Viewer
) -> None:
    await sign_in(visitor)
    link = await send(
        visitor, "/people/invitations", {"email": "x@example.com", "roles": ["auditor"]}, shown_on="/people"
    )
    path = re.search(r"http://platform\.example(/invitations/[^<\s]+)", link.text)
    assert path is not None
    async with a_visitor(database, noon) as guest:
        token = hidden(await guest.get(path.group(1)), "token")
        await guest.post("/invitations/accept", data={"token": token, "display_name": NASTY, "password": NEW})

    page = await visitor.get("/people")

    assert NASTY in unescape(page.text)
    assert "<script>alert" not in page.text
