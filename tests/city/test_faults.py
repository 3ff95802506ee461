"""Faults are played on request only, for a while, the same in every run."""

import asyncio
import hashlib
import json
from datetime import timedelta

import httpx2
import pytest
from builders_town import METERS, Town, hmac_of, is_signed
from uvicorn import Config, Server

from city.providers.faults import KINDS, Fault, Faults, Kind, without_magic


async def a_token(town: Town) -> str:
    return str((await town.token(await town.consent())).json()["access_token"])


@pytest.mark.parametrize(
    "bent",
    [
        {"seconds_to_live": 3601},
        {"seconds_to_live": 0},
        {"seconds_to_live": None},
        {"probability": 1.5},
        {"provider": "weather"},
        {"kind": "earthquake"},
        {"provider": "tax", "kind": "file_cut"},
        {"surprise": 1},
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(town: Town, bent: dict[str, object]) -> None:
    asked = {"provider": "utilities", "kind": "500", "probability": 1, "seed": 1, "seconds_to_live": 60} | bent

    answer = await town.control("/faults", **asked)

    assert answer.status_code in (400, 422)


async def test_a_fault_needs_a_time_to_live_and_the_control_token(town: Town) -> None:
    body = {"provider": "tax", "kind": "500", "probability": 1, "seed": 1}

    timeless = await town.control("/faults", **body)
    keyless = await town.http.post("/faults", json=body | {"seconds_to_live": 5})
    unread = await town.http.get("/faults")

    assert [timeless.status_code, keyless.status_code, unread.status_code] == [400, 401, 401]


async def test_a_fault_is_listed_played_and_over(town: Town) -> None:
    token, headers = await a_token(town), {"Authorization": "Bearer control token"}
    await town.fault("tax", "500", seconds_to_live=30)

    listed = (await town.http.get("/faults", headers=headers)).json()["rows"]
    played = await town.invoices(token)
    town.wall.wait(seconds=30)
    over = await town.invoices(token)
    left = (await town.http.get("/faults", headers=headers)).json()["rows"]

    assert [(one["provider"], one["kind"], one["probability"]) for one in listed] == [("tax", "500", 1.0)]
    assert (played.status_code, over.status_code, left) == (500, 200, [])


async def test_a_fault_may_be_of_one_provider_and_of_some_firms_only(town: Town) -> None:
    token, reference = await a_token(town), await town.reference("customs")
    await town.fault("tax", "429", credit_codes=[town.other.credit_code])
    await town.fault("customs", "429", credit_codes=[town.firm.credit_code])

    tax, customs = await town.invoices(token), await town.customs("trade", reference)

    assert (tax.status_code, customs.status_code, customs.headers["Retry-After"]) == (200, 429, "7")


async def statuses(town: Town, token: str, seed: int) -> list[int]:
    await town.fault("tax", "500", probability=0.4, seed=seed)
    return [(await town.invoices(token)).status_code for _ in range(12)]


async def test_the_same_seed_plays_the_same_faults_and_another_does_not(town: Town) -> None:
    token = await a_token(town)

    first, again = await statuses(town, token, 5), await statuses(town, token, 5)
    town.wall.wait(seconds=61)
    other = await statuses(town, token, 6)

    assert first == again != other
    assert 0 < first.count(500) < 12


async def test_half_a_body_arrives_as_if_it_were_whole(town: Town) -> None:
    reference = await town.reference("customs")
    sound = (await town.customs("trade", reference)).content

    truncated = await town.customs("trade", f"{reference}~truncated_body")

    assert truncated.content == sound[: len(sound) // 2]
    assert int(truncated.headers["content-length"]) == len(truncated.content)


async def test_a_connection_is_dropped_in_the_middle_of_an_answer(town: Town) -> None:
    reference = await town.reference("customs")
    asked = {"reference": f"{reference}~dropped_connection", "from": "2025-01", "to": "2025-04"}
    server = Server(Config(town.app, port=0, lifespan="off", log_level="critical"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]

    async with httpx2.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx2.RemoteProtocolError):
            await http.get(f"http://127.0.0.1:{port}/customs/trade", params=asked, headers={"X-Api-Key": "customs key"})
    server.should_exit = True
    await serving


async def test_a_time_out_answers_after_everybody_has_gone(town: Town) -> None:
    reference = await town.reference("customs")

    answer = await town.customs("trade", f"{reference}~time_out")

    assert answer.elapsed > timedelta(0)
    assert answer.status_code == 200


async def test_readings_are_stale_drifted_or_in_another_unit(town: Town) -> None:
    reference = await town.reference("utilities")
    asked = {"from": "2025-01", "to": "2025-05"}

    sound, stale, drifted, in_fen = [
        (await town.readings(reference + suffix, **asked)).json()["rows"]
        for suffix in ("", "~stale", "~schema_drift", "~wrong_unit")
    ]

    assert [row["period"] for row in sound[:2]] == [row["period"] for row in stale]
    assert len(sound) > 2
    assert set(drifted[0]) - set(sound[0]) == {"owed_yuan_v2", "extension"}
    assert [row["charged_yuan"] for row in in_fen] == [row["charged_yuan"].replace(".", "") for row in sound]


async def test_a_page_comes_again(town: Town) -> None:
    reference = await town.reference("utilities")

    first, second = [(await town.readings(f"{reference}~duplicate_page", page=page)).json() for page in ("1", "2")]

    assert first["rows"] == second["rows"]
    assert (first["page"], second["page"], first["pages"]) == (1, 2, 2)


async def test_an_answer_is_signed_wrong_or_by_a_wrong_clock(town: Town) -> None:
    reference = await town.reference("utilities")

    wrong, skewed = [await town.readings(f"{reference}~{kind}") for kind in ("wrong_signature", "clock_skew")]

    def is_right(answer: object) -> bool:
        told, body = answer.headers, answer.content  # type: ignore[attr-defined]
        lines = ("200", told["x-timestamp"], told["x-nonce"], hashlib.sha256(body).hexdigest())
        return bool(told["x-signature"] == hmac_of(METERS, *lines))

    assert (is_right(wrong), is_right(skewed)) == (False, True)
    assert int(skewed.headers["x-timestamp"]) == int(town.wall().timestamp()) - 1200


async def test_a_tax_token_or_code_with_a_suffix_plays_its_fault_once(town: Town) -> None:
    code = await town.consent()

    broken, sound = await town.token(f"{code}~500"), await town.token(code)
    token = str(sound.json()["access_token"])
    in_fen = (await town.invoices(f"{token}~wrong_unit")).json()["rows"]
    in_yuan = (await town.invoices(token)).json()["rows"]

    assert (broken.status_code, sound.status_code) == (500, 200)
    assert [row["net_yuan"] for row in in_fen] == [row["net_yuan"].replace(".", "") for row in in_yuan]


async def test_a_suffix_that_a_provider_does_not_know_is_part_of_the_number(town: Town) -> None:
    answer = await town.customs("trade", f"{await town.reference('customs')}~file_cut")

    assert answer.status_code == 403


async def test_a_fault_on_the_courts_spoils_their_calls(town: Town) -> None:
    reference = await town.reference("courts")
    await town.fault("courts", "wrong_signature")
    await town.ask_courts(reference)

    town.wall.wait(seconds=90)
    await town.app.state.caller.call_due()

    assert [is_signed("court secret", headers, body) for _, headers, body in town.called.sent] == [False]
    assert json.loads(town.called.sent[0][2])["state"] == "done"


async def test_a_fault_on_files_is_the_same_for_manifest_and_file_of_a_day(town: Town) -> None:
    await town.subscribe((town.firm.credit_code, await town.reference("benefits")))
    await town.control("/clock", act="set", business_at="2025-06-20T09:00:00+08:00")
    days = [f"2025-06-{day}" for day in range(10, 21)]
    await town.fault("benefits", "stale", probability=0.5)

    told = [(await town.file(day, "manifest.json")).json()["day"] for day in days]
    again = [(await town.file(day, "manifest.json")).json()["day"] for day in days]

    assert told == again
    assert 0 < sum(one != day for one, day in zip(told, days, strict=True)) < len(days)


async def test_nothing_is_drawn_while_nothing_is_asked_for(town: Town) -> None:
    faults = Faults()

    drawn = [faults.draw("tax", town.wall(), credit_code="") for _ in range(3)]
    faults.ask(Fault("tax", Kind.BROKEN, 1.0, 1, town.wall() + timedelta(seconds=1)))

    assert drawn == [None, None, None]
    assert faults.draw("customs", town.wall(), credit_code="") is None
    assert faults.draw("tax", town.wall(), credit_code="") is Kind.BROKEN


def test_every_kind_can_be_asked_for_by_a_suffix() -> None:
    pairs = [(provider, kind) for provider, kinds in KINDS.items() for kind in kinds]

    assert all(without_magic(provider, f"number~{kind}") == ("number", kind) for provider, kind in pairs)
    assert {kind for _, kind in pairs} == set(Kind)
    assert without_magic("tax", "number") == ("number", None)
