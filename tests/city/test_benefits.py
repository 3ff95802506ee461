"""Social insurance and housing fund: files of whom the client's list names, signed, day by day."""

import csv
import gzip
import hashlib
import io
import json
from base64 import b64decode
from datetime import date, timedelta

import pytest
from builders_town import QUOTA, Town
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from city.world.calendar import month_named
from city.world.observing import changed, shown

FIRST = "2025-06-17"


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(gzip.decompress(content).decode(), newline="")))


async def subscribed(town: Town, suffix: str = "", **fields: str) -> str:
    reference = await town.reference("benefits", **fields)
    await town.subscribe((town.firm.credit_code, reference + suffix))
    await day_is(town, FIRST)
    return reference


async def day_is(town: Town, day: str) -> None:
    await town.control("/clock", act="set", business_at=f"{day}T09:00:00+08:00")


async def manifest_of(town: Town, day: str) -> dict[str, object]:
    key = (await town.http.get("/benefits/key")).json()
    answer, signature = await town.file(day, "manifest.json"), await town.file(day, "manifest.json.sig")
    Ed25519PublicKey.from_public_bytes(b64decode(key["public_key"])).verify(b64decode(signature.text), answer.content)
    return dict(answer.json())


async def test_the_first_file_holds_what_is_known_of_a_firm_and_the_manifest_fits(town: Town) -> None:
    await subscribed(town)

    manifest, answer = await manifest_of(town, FIRST), await town.file(FIRST, "social_insurance.csv.gz")
    rows = rows_of(answer.content)
    own = [row for row in rows if row["统一社会信用代码"] == town.firm.credit_code]
    wanted = shown(1, town.firm, "social_insurance", month_named("2022-06"), month_named("2025-06"), date(2025, 6, 17))

    about = json.loads(json.dumps(manifest["files"]))[0]
    assert (manifest["day"], manifest["made_at"]) == (FIRST, f"{FIRST}T06:00:00+08:00")
    assert about == {
        "name": "social_insurance.csv.gz",
        "rows": len(rows),
        "bytes": len(answer.content),
        "sha256": hashlib.sha256(answer.content).hexdigest(),
    }
    assert list(own[0]) == ["统一社会信用代码", "费款所属月份", "参保人数", "缴费基数总额", "实缴金额", "欠费金额"]
    assert len(own) == len(wanted) > 25
    assert own[-1]["费款所属月份"] == "202504"


async def test_a_later_file_holds_what_has_changed_on_its_day(town: Town) -> None:
    await subscribed(town)
    await day_is(town, "2025-07-10")
    days = [date(2025, 6, 18) + timedelta(days=on) for on in range(20)]

    files = [rows_of((await town.file(day.isoformat(), "social_insurance.csv.gz")).content) for day in days[:10]]
    got = [[row["费款所属月份"] for row in rows if row["统一社会信用代码"] == town.firm.credit_code] for rows in files]
    wanted = [
        [f"{row.month // 12}{row.month % 12 + 1:02d}" for row in changed(1, town.firm, "social_insurance", day)]
        for day in days[:10]
    ]

    assert got == wanted
    assert any(wanted)


async def test_a_file_is_the_same_bytes_each_time_and_is_kept_for_thirty_days(town: Town) -> None:
    await subscribed(town)

    first, again = [await town.file(FIRST, "housing_fund.csv.gz") for _ in range(2)]
    tomorrow = await town.file("2025-06-18", "housing_fund.csv.gz")
    await day_is(town, "2025-07-17")
    gone = await town.file(FIRST, "housing_fund.csv.gz")
    unknown = await town.file("2025-07-17", "pensions.csv.gz")

    assert first.content == again.content
    assert [one.status_code for one in (tomorrow, gone, unknown)] == [404, 404, 404]


async def test_a_firm_is_in_no_file_without_its_own_number(town: Town) -> None:
    reference = await town.reference("benefits")

    answer = await town.subscribe((town.other.credit_code, reference), (town.firm.credit_code, "SBGJJ1"))
    await day_is(town, FIRST)
    listed = await town.http.get("/benefits/subscription", auth=("platform", "benefit secret"))
    rows = rows_of((await town.file(FIRST, "social_insurance.csv.gz")).content)

    assert answer.json() == {
        "accepted": 0,
        "refused": [
            {"credit_code": town.other.credit_code, "error": "not_authorised"},
            {"credit_code": town.firm.credit_code, "error": "not_authorised"},
        ],
    }
    assert listed.json() == {"rows": []}
    assert {row["统一社会信用代码"] for row in rows} & {town.firm.credit_code, town.other.credit_code} == set()


async def test_a_yes_that_is_taken_back_empties_the_next_file(town: Town) -> None:
    reference = await subscribed(town)
    before = rows_of((await town.file(FIRST, "social_insurance.csv.gz")).content)

    await town.withdraw("benefits", reference)
    after = rows_of((await town.file(FIRST, "social_insurance.csv.gz")).content)

    assert town.firm.credit_code in {row["统一社会信用代码"] for row in before}
    assert town.firm.credit_code not in {row["统一社会信用代码"] for row in after}


async def test_a_yes_to_one_item_opens_one_file(town: Town) -> None:
    await subscribed(town, scope="housing_fund")

    social, housing = [
        rows_of((await town.file(FIRST, f"{item}.csv.gz")).content) for item in ("social_insurance", "housing_fund")
    ]

    assert town.firm.credit_code not in {row["统一社会信用代码"] for row in social}
    assert town.firm.credit_code in {row["统一社会信用代码"] for row in housing}


async def test_now_and_then_a_row_is_of_a_firm_that_nobody_asked_for(town: Town) -> None:
    await subscribed(town)
    strange = []
    for on in range(120):
        day = date(2025, 6, 18) + timedelta(days=on)
        await day_is(town, day.isoformat())
        rows = rows_of((await town.file(day.isoformat(), "social_insurance.csv.gz")).content)
        strange.append(sum(row["统一社会信用代码"] != town.firm.credit_code for row in rows))
        town.wall.wait(minutes=1)

    assert 1 <= sum(strange) <= 15
    assert max(strange) == 1


async def test_a_list_must_be_signed_by_its_client(town: Town) -> None:
    reference = await town.reference("benefits")

    forged = await town.subscribe((town.firm.credit_code, reference), secret="guess")
    nobody = await town.http.get("/benefits/files/2025-06-16/manifest.json", auth=("platform", "guess"))

    assert [forged.status_code, nobody.status_code] == [401, 401]


async def test_too_many_calls_are_asked_to_wait(town: Town) -> None:
    await subscribed(town)

    answers = [await town.file(FIRST, "manifest.json") for _ in range(QUOTA + 1)]

    assert answers[0].headers["RateLimit-Limit"] == str(QUOTA)
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0


async def test_every_firm_in_a_file_has_its_reading_written_down(town: Town) -> None:
    await subscribed(town)

    await town.file(FIRST, "social_insurance.csv.gz")

    assert [what for _, _, what in town.city.store.readings(town.firm.credit_code)] == [
        f"social_insurance file {FIRST}"
    ]


@pytest.mark.parametrize(
    "kind", ["file_cut", "file_other_firm", "file_repeated", "schema_drift", "wrong_unit", "stale"]
)
async def test_a_number_with_a_magic_suffix_spoils_the_first_file(town: Town, kind: str) -> None:
    sound = await subscribed(town)
    right = await town.file(FIRST, "social_insurance.csv.gz")
    await town.subscribe()
    await town.subscribe((town.firm.credit_code, f"{sound}~{kind}"))
    await day_is(town, "2025-06-18")

    manifest = await manifest_of(town, "2025-06-18")
    spoiled = await town.file("2025-06-18", "social_insurance.csv.gz")
    about = json.loads(json.dumps(manifest["files"]))[0]
    is_whole = about["sha256"] == hashlib.sha256(spoiled.content).hexdigest()
    rows = rows_of(spoiled.content) if is_whole else []

    assert spoiled.content != right.content
    assert is_whole == (kind != "file_cut")
    assert (manifest["day"] == "2025-06-18") == (kind != "stale")
    assert (len({row["统一社会信用代码"] for row in rows}) > 1) == (kind == "file_other_firm")
    assert (len(rows) >= 2 * len(rows_of(right.content))) == (kind == "file_repeated")


async def test_a_manifest_signed_by_a_stranger_does_not_verify(town: Town) -> None:
    await subscribed(town, "~wrong_signature")

    with pytest.raises(InvalidSignature):
        await manifest_of(town, FIRST)
