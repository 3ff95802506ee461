"""The counters of the other offices: a person says yes on plain pages and comes back with a number, or copies it."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from builders_town import CLIENTS, Town


def form_of(page: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page)}


async def page_of(town: Town, provider: str, **query: str) -> str:
    asked = {"client_id": CLIENTS[provider], "credit_code": town.firm.credit_code, "state": "s1"} | query
    return (await town.http.get(f"/{provider}/authorize", params=asked)).text


async def test_a_person_comes_back_with_a_number_that_works(town: Town) -> None:
    back = "http://platform.example/meters"
    page = await page_of(town, "utilities", redirect_uri=back, scope="water electricity")

    answer = await town.http.post("/utilities/authorize", data=form_of(page) | {"answer": "yes"})
    told = parse_qs(urlsplit(answer.headers["location"]).query)

    assert "用电数据、用水数据" in page
    assert answer.headers["location"].startswith(f"{back}?")
    assert (told["state"], told["scope"]) == (["s1"], ["electricity water"])
    assert (await town.readings(told["reference"][0])).status_code == 200
    assert (await town.readings(told["reference"][0], item="gas")).status_code == 403


@pytest.mark.parametrize("provider", sorted(CLIENTS))
async def test_without_an_address_the_number_is_shown_to_be_copied(town: Town, provider: str) -> None:
    page = await page_of(town, provider)

    yes = await town.http.post(f"/{provider}/authorize", data=form_of(page) | {"answer": "yes"})
    again = await town.http.post(f"/{provider}/authorize", data=form_of(page) | {"answer": "yes"})
    no = await town.http.post(f"/{provider}/authorize", data=form_of(await page_of(town, provider)) | {"answer": "no"})

    assert town.firm.name in page
    assert "<script" not in page
    assert re.search("授权号：<strong>[A-Z]+[0-9]{16}</strong>", yes.text)
    assert again.status_code == 400
    assert (no.status_code, "授权号" in no.text) == (200, False)


@pytest.mark.parametrize(
    "bent", [{"scope": "gas"}, {"client_id": "platform"}, {"redirect_uri": "http://elsewhere.example/"}]
)
async def test_a_form_cannot_be_bent(town: Town, bent: dict[str, str]) -> None:
    page = await page_of(town, "utilities", scope="water")

    answer = await town.http.post("/utilities/authorize", data=form_of(page) | bent | {"answer": "yes"})

    assert answer.status_code == 400


async def test_a_form_of_one_office_is_no_form_of_another(town: Town) -> None:
    page = await page_of(town, "courts")

    answer = await town.http.post("/customs/authorize", data=form_of(page) | {"answer": "yes"})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "query",
    [{"client_id": "somebody"}, {"credit_code": "91"}, {"scope": "everything"}, {"redirect_uri": "http://elsewhere/"}],
)
async def test_a_page_that_makes_no_sense_has_no_form(town: Town, query: dict[str, str]) -> None:
    page = await page_of(town, "utilities", **query)

    assert "<form" not in page


async def test_a_city_file_of_before_names_the_tax_client_only(town: Town) -> None:
    file = town.home / "city.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r"(?s)\[utilities\].*?(?=\[\[actors)", "", text), encoding="utf-8")

    settled = await town.control("/keys")
    answers = [
        await town.http.get("/utilities/readings"),
        await town.http.get("/customs/trade"),
        await town.ask_courts("FY1"),
        await town.file("2025-06-16", "manifest.json"),
    ]

    assert settled.json() == {"is_settled": True, "actors": 2}
    assert [one.status_code for one in answers] == [401] * 4
    assert (await town.token(await town.consent())).status_code == 200
