"""The tax provider: nothing without the firm's yes, once, for a while, page by page, and every read written down."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from builders_town import BACK, CLIENT, QUOTA, SECRET, Town

from city.world.calendar import month_named
from city.world.invoices import COLUMNS, invoice_rows


async def a_token(town: Town) -> str:
    return str((await town.token(await town.consent())).json()["access_token"])


async def test_a_consent_code_is_good_once(town: Town) -> None:
    code = await town.consent()

    first, second = await town.token(code), await town.token(code)

    assert (first.status_code, second.status_code) == (200, 400)
    assert second.json()["error"] == "invalid_grant"
    assert first.headers["Cache-Control"] == "no-store"


async def test_a_consent_code_ends_after_ten_wall_minutes(town: Town) -> None:
    code = await town.consent()

    town.wall.wait(minutes=10)

    assert (await town.token(code)).status_code == 400


async def test_a_wrong_secret_is_refused_and_does_not_use_up_the_code(town: Town) -> None:
    code = await town.consent()

    wrong, right = await town.token(code, secret="guess"), await town.token(code)

    assert (wrong.status_code, right.status_code) == (401, 200)


async def test_a_client_may_prove_itself_by_a_basic_header_and_send_json(town: Town) -> None:
    body = {"grant_type": "authorization_code", "code": await town.consent()}

    answer = await town.http.post("/tax/token", json=body, auth=(CLIENT, SECRET))
    broken = await town.http.post("/tax/token", json=body, headers={"Authorization": "Basic ###"})

    assert (answer.status_code, broken.status_code) == (200, 401)


@pytest.mark.parametrize("secret", ["", "guess", "k"])
async def test_only_the_firms_own_secret_says_yes(town: Town, secret: str) -> None:
    body = {"credit_code": town.firm.credit_code, "client_id": CLIENT, "scope": "vat_invoices"}

    answer = await town.http.post("/tax/authorizations", json=body, headers={"Authorization": f"Bearer {secret}"})

    assert answer.status_code == 401


async def test_a_firm_without_a_key_in_the_city_cannot_be_authorised_by_its_neighbour(town: Town) -> None:
    body = {"credit_code": town.other.credit_code, "client_id": CLIENT, "scope": "vat_invoices"}

    answer = await town.http.post("/tax/authorizations", json=body, headers={"Authorization": "Bearer firm secret"})

    assert answer.status_code == 401


async def test_pages_put_together_are_the_firms_invoices(town: Town) -> None:
    token = await a_token(town)
    wanted = invoice_rows(1, town.firm, month_named("2025-01"), month_named("2025-04"))

    first = (await town.invoices(token, page_size="7")).json()
    pages = [await town.invoices(token, page_size="7", page=str(number)) for number in range(1, first["pages"] + 1)]
    rows = [row for page in pages for row in page.json()["rows"]]

    assert first["pages"] == -(-len(wanted) // 7)
    assert rows == [dict(zip(COLUMNS, row, strict=True)) for row in wanted]
    assert first["credit_code"] == town.firm.credit_code


async def test_a_month_is_seen_from_the_fifteenth_of_the_next_on(town: Town) -> None:
    token = await a_token(town)

    seen = (await town.invoices(token, to="2025-12")).json()["covers"]
    await town.control("/clock", act="set", business_at="2025-07-14T23:59:00+08:00")
    before = (await town.invoices(token, to="2025-12")).json()["covers"]
    await town.control("/clock", act="set", business_at="2025-07-15T09:00:00+08:00")
    after = (await town.invoices(token, to="2025-12")).json()["covers"]

    assert (seen["to"], before["to"], after["to"]) == ("2025-05", "2025-05", "2025-06")


async def test_a_token_ends_by_business_time_and_by_being_revoked(town: Town) -> None:
    first, second = await a_token(town), await a_token(town)

    form = {"token": first, "client_id": CLIENT, "client_secret": SECRET}
    revoked = await town.http.post("/tax/revoke", data=form)
    after_revoking = await town.invoices(first)
    still = await town.invoices(second)
    await town.control("/clock", act="set", business_at="2025-07-16T09:00:01+08:00")
    at_its_end = await town.invoices(second)

    assert revoked.status_code == 200
    assert [one.status_code for one in (after_revoking, still, at_its_end)] == [401, 200, 401]


async def test_a_token_opens_its_own_firm_only(town: Town) -> None:
    token = await a_token(town)

    own = await town.invoices(token, credit_code=town.firm.credit_code)
    other = await town.invoices(token, credit_code=town.other.credit_code)
    none = await town.invoices("made up")

    assert [one.status_code for one in (own, other, none)] == [200, 403, 401]


@pytest.mark.parametrize(
    "query",
    [{"page": "0"}, {"page_size": "501"}, {"page_size": "0"}, {"from": "2025-13"}, {"from": "2025-05"}, {"to": "soon"}],
)
async def test_questions_that_make_no_sense_are_refused(town: Town, query: dict[str, str]) -> None:
    answer = await town.invoices(await a_token(town), **query)

    assert answer.status_code == 422


async def test_too_many_calls_are_asked_to_wait_and_may_then_go_on(town: Town) -> None:
    token = await a_token(town)

    answers = [await town.invoices(token) for _ in range(QUOTA)]
    town.wall.wait(seconds=60)
    later = await town.invoices(token)

    assert [one.status_code for one in answers[-2:]] == [200, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert answers[0].headers["RateLimit-Remaining"] == str(QUOTA - 2)
    assert later.status_code == 200


async def test_every_read_is_written_down_and_no_secret_is_kept(town: Town) -> None:
    token = await a_token(town)
    await town.invoices(token)

    kept = (town.home / "city" / "city.sqlite3-wal").read_bytes()

    assert [what for _, client, what in town.city.store.readings(town.firm.credit_code) if client == CLIENT] == [
        "invoices page 1"
    ]
    assert token.encode() not in kept
    assert repr(town.city.city_file).count("secret") == 0 or SECRET not in repr(town.city.city_file)


def form_of(page: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page)}


async def the_page(town: Town, **query: str) -> tuple[int, str, dict[str, str]]:
    asked = {
        "client_id": CLIENT,
        "credit_code": town.firm.credit_code,
        "redirect_uri": BACK,
        "state": "s&1",
        "scope": "vat_invoices",
    }
    answer = await town.http.get("/tax/authorize", params=asked | query)
    return answer.status_code, answer.text, dict(answer.headers)


async def test_a_person_says_yes_and_comes_back_with_a_code_that_works(town: Town) -> None:
    status, page, headers = await the_page(town)
    form = form_of(page) | {"answer": "yes"}

    back = await town.http.post("/tax/authorize", data=form)
    again = await town.http.post("/tax/authorize", data=form)
    told = parse_qs(urlsplit(back.headers["location"]).query)

    assert status == 200
    assert town.firm.name in page
    assert "<script" not in page
    assert headers["content-security-policy"].startswith(
        "default-src 'none'; form-action 'self' http://platform.example"
    )
    assert (back.status_code, again.status_code) == (303, 400)
    assert (told["state"], told["from"]) == (["s&1"], ["tax"])
    assert (await town.token(told["code"][0])).status_code == 200


async def test_a_person_says_no_and_comes_back_without_a_code(town: Town) -> None:
    _, page, _ = await the_page(town)

    back = await town.http.post("/tax/authorize", data=form_of(page) | {"answer": "no"})
    told = parse_qs(urlsplit(back.headers["location"]).query)

    assert told["error"] == ["access_denied"]
    assert "code" not in told


@pytest.mark.parametrize(
    "query",
    [
        {"redirect_uri": "http://elsewhere.example/"},
        {"client_id": "somebody"},
        {"client_id": "form"},
        {"credit_code": "91500103000000000X"},
        {"scope": "everything"},
        {"state": "x" * 501},
    ],
)
async def test_nobody_is_sent_to_an_address_that_is_not_registered(town: Town, query: dict[str, str]) -> None:
    status, page, _ = await the_page(town, **query)

    assert status == 400
    assert "<form" not in page


async def test_a_form_cannot_be_bent_to_another_address_or_firm(town: Town) -> None:
    _, page, _ = await the_page(town)

    bent = form_of(page) | {"redirect_uri": "http://elsewhere.example/", "answer": "yes"}
    answer = await town.http.post("/tax/authorize", data=bent)

    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_what_a_query_says_is_shown_as_text(town: Town) -> None:
    _, page, _ = await the_page(town, state='"><script>alert(1)</script>')

    assert "<script>" not in page
