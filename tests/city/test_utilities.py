"""The utilities: signed requests, good once, of whom gave a number; signed answers, page by page."""

import hashlib
from datetime import date

import pytest
from builders_town import METERS, QUOTA, Town, hmac_of

from city.world.calendar import month_named, name_of
from city.world.meters import Electricity
from city.world.observing import shown

SPAN = (month_named("2024-01"), month_named("2025-04"))
TODAY = date(2025, 6, 16)


def text(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


async def test_pages_put_together_are_the_readings_of_the_firms_meter(town: Town) -> None:
    reference = await town.reference("utilities")
    wanted = shown(1, town.firm, "electricity", *SPAN, TODAY)

    first, second = await town.readings(reference), await town.readings(reference, page="2")
    rows = first.json()["rows"] + second.json()["rows"]

    assert (first.json()["pages"], len(first.json()["rows"])) == (2, 12)
    assert first.json()["credit_code"] == town.firm.credit_code
    assert rows == [
        {
            "period": name_of(row.month).replace("-", ""),
            "used_kwh": row.used_kwh,
            "charged_yuan": text(row.charged_fen),
            "owed_yuan": text(row.owed_fen),
            "is_cut_off": "NY"[row.is_cut_off],
        }
        for row in wanted
        if isinstance(row, Electricity)
    ]


async def test_an_answer_is_signed_over_status_time_nonce_and_body(town: Town) -> None:
    answer = await town.readings(await town.reference("utilities"))

    told = answer.headers
    digest = hashlib.sha256(answer.content).hexdigest()
    assert told["x-signature"] == hmac_of(METERS, "200", told["x-timestamp"], told["x-nonce"], digest)
    assert told["x-nonce"] == answer.request.headers["x-nonce"]


async def test_each_item_has_its_unit_and_a_firm_without_gas_has_no_rows(town: Town) -> None:
    reference = await town.reference("utilities")

    water, gas = [(await town.readings(reference, item=item)).json() for item in ("water", "gas")]

    assert set(water["rows"][0]) == {"period", "used_m3", "charged_yuan", "owed_yuan"}
    assert gas["rows"] == []


@pytest.mark.parametrize(
    ("bent", "error"),
    [
        ({"key": "somebody"}, "invalid_client"),
        ({"timestamp": "1000000000"}, "timestamp_refused"),
        ({"timestamp": "soon"}, "timestamp_refused"),
        ({"timestamp": ""}, "timestamp_refused"),
        ({"nonce": "short"}, "signature_wrong"),
        ({"signature": "0" * 64}, "signature_wrong"),
    ],
)
async def test_a_request_that_is_not_signed_right_is_refused(town: Town, bent: dict[str, str], error: str) -> None:
    query = {"item": "water", "reference": await town.reference("utilities"), "from": "2025-01", "to": "2025-02"}

    answer = await town.http.get("/utilities/readings", params=query, headers=town.signing(query, **bent))

    assert (answer.status_code, answer.json()["error"]) == (401, error)


async def test_a_signature_is_good_for_its_query_only_and_a_nonce_once(town: Town) -> None:
    query = {"item": "water", "reference": await town.reference("utilities"), "from": "2025-01", "to": "2025-02"}
    headers = town.signing(query)

    bent = await town.http.get("/utilities/readings", params=query | {"to": "2025-03"}, headers=headers)
    first = await town.http.get("/utilities/readings", params=query, headers=headers)
    again = await town.http.get("/utilities/readings", params=query, headers=headers)
    town.wall.wait(minutes=6)
    later = await town.http.get("/utilities/readings", params=query, headers=headers)

    assert [one.status_code for one in (bent, first, again, later)] == [401, 200, 401, 401]
    assert [one.json()["error"] for one in (bent, again, later)] == [
        "signature_wrong",
        "nonce_used",
        "timestamp_refused",
    ]


async def test_no_number_no_readings(town: Town) -> None:
    given = await town.reference("utilities", scope="electricity")
    foreign = await town.reference("customs")

    made_up, other_item, other_office = [
        await town.readings(reference, item=item)
        for reference, item in (("SDQ0000000000000000", "electricity"), (given, "water"), (foreign, "electricity"))
    ]

    assert [one.status_code for one in (made_up, other_item, other_office)] == [403, 403, 403]
    assert other_item.json()["error"] == "insufficient_scope"
    assert (await town.readings(given)).status_code == 200


async def test_a_yes_can_be_taken_back_and_ends_after_a_year_of_business_time(town: Town) -> None:
    first, second = await town.reference("utilities"), await town.reference("utilities")

    taken = await town.withdraw("utilities", first)
    unknown = await town.withdraw("utilities", "SDQ1")
    after = [(await town.readings(one)).status_code for one in (first, second)]
    await town.control("/clock", act="set", business_at="2026-06-17T09:00:00+08:00")
    at_its_end = (await town.readings(second)).status_code

    assert (taken.status_code, unknown.status_code, after, at_its_end) == (200, 404, [403, 200], 403)


async def test_only_the_firms_own_secret_says_yes_or_takes_it_back(town: Town) -> None:
    body = {"credit_code": town.firm.credit_code, "client_id": "meters", "reference": await town.reference("utilities")}
    wrong = {"Authorization": "Bearer guess"}

    answers = [
        await town.http.post(f"/utilities/{act}", json=body, headers=wrong) for act in ("authorizations", "withdrawals")
    ]
    unknown = await town.http.post(
        "/utilities/authorizations", json=body | {"scope": "tax"}, headers={"Authorization": "Bearer firm secret"}
    )

    assert [one.status_code for one in answers] == [401, 401]
    assert unknown.status_code == 422


@pytest.mark.parametrize("query", [{"item": "coal"}, {"from": "2025-13"}, {"page": "0"}, {"from": "2025-05"}])
async def test_questions_that_make_no_sense_are_refused(town: Town, query: dict[str, str]) -> None:
    answer = await town.readings(await town.reference("utilities"), **query)

    assert answer.status_code == 422


async def test_too_many_calls_are_asked_to_wait(town: Town) -> None:
    reference = await town.reference("utilities")

    answers = [await town.readings(reference) for _ in range(QUOTA + 1)]
    tax = await town.token(await town.consent())

    assert [one.status_code for one in answers[-2:]] == [200, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert tax.status_code == 200


async def test_a_month_is_read_from_the_fifth_on_and_what_is_read_is_written_down(town: Town) -> None:
    reference = await town.reference("utilities")

    await town.control("/clock", act="set", business_at="2025-07-04T23:00:00+08:00")
    before = (await town.readings(reference, **{"from": "2025-06", "to": "2025-06"})).json()["rows"]
    await town.control("/clock", act="set", business_at="2025-08-05T09:00:00+08:00")
    after = (await town.readings(reference, **{"from": "2025-06", "to": "2025-06"})).json()["rows"]

    assert (before, [row["period"] for row in after]) == ([], ["202506"])
    assert [what for _, _, what in town.city.store.readings(town.firm.credit_code)] == ["electricity page 1"] * 2
