"""The clients of three offices against the city over real HTTP: every fault that it plays has its name here."""

from collections.abc import AsyncGenerator
from datetime import date, timedelta
from pathlib import Path

import httpx2
import pytest
from builders_city_offices import BENEFITS, COURT_SECRET, CUSTOMS_KEY, TODAY, Offices, open_offices

from xinyidai.foundation.errors import SourceUnavailable
from xinyidai.sources.adapters import Row, SourceBusy, SourceDenied, SourcePending, SourceSilent
from xinyidai.sources.adapters.asking import NotThere
from xinyidai.sources.adapters.benefits import Benefits
from xinyidai.sources.adapters.courts import Courts
from xinyidai.sources.adapters.customs import Customs
from xinyidai.sources.rules.offices import AnswerFault, AnswerRefused
from xinyidai.sources.rules.offices.day_files import FILES, KeptRows, rows_kept

TOMORROW = TODAY + timedelta(days=1)


@pytest.fixture
async def offices(tmp_path: Path) -> AsyncGenerator[Offices]:
    async with open_offices(tmp_path) as opened:
        yield opened


@pytest.fixture
async def customs(offices: Offices) -> AsyncGenerator[Customs]:
    client = Customs(offices.url, "platform", CUSTOMS_KEY)
    yield client
    await client.aclose()


@pytest.fixture
async def courts(offices: Offices) -> AsyncGenerator[Courts]:
    client = Courts(offices.url, "platform", COURT_SECRET)
    yield client
    await client.aclose()


@pytest.fixture
async def benefits(offices: Offices) -> AsyncGenerator[Benefits]:
    client = Benefits(offices.url, "platform", BENEFITS, offices.public_key)
    yield client
    await client.aclose()


async def months(offices: Offices, client: Customs, reference: str, item: str = "import_export") -> tuple[Row, ...]:
    page = await client.page(
        reference,
        item,
        credit_code=offices.firm.credit_code,
        months_from=date(2024, 1, 1),
        months_to=date(2025, 5, 1),
        number=1,
    )
    assert (page.number, page.pages) == (1, 1)
    return page.rows


WIRE = [
    ("429", SourceBusy),
    ("500", SourceUnavailable),
    ("dropped_connection", SourceSilent),
]


@pytest.mark.parametrize("item", ["import_export", "logistics"])
async def test_customs_tell_a_firms_months(offices: Offices, customs: Customs, item: str) -> None:
    rows = await months(offices, customs, await offices.reference("customs"), item)

    assert len(rows) > 10
    assert {row["credit_code"] for row in rows} == {offices.firm.credit_code}


@pytest.mark.parametrize(("kind", "error"), [*WIRE, ("truncated_body", AnswerRefused)])
async def test_a_wire_that_fails_at_the_customs_has_a_name(
    offices: Offices, customs: Customs, kind: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await months(offices, customs, await offices.reference("customs", kind))


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("truncated_body", AnswerFault.UNREADABLE),
        ("schema_drift", AnswerFault.SCHEMA_CHANGED),
        ("wrong_unit", AnswerFault.UNIT_DOUBTFUL),
    ],
)
async def test_a_document_of_the_customs_that_is_wrong_is_not_believed(
    offices: Offices, customs: Customs, kind: str, fault: AnswerFault
) -> None:
    with pytest.raises(AnswerRefused) as refused:
        await months(offices, customs, await offices.reference("customs", kind))

    assert refused.value.fault is fault


async def test_a_clock_that_is_wrong_at_the_customs_changes_no_row(offices: Offices, customs: Customs) -> None:
    reference = await offices.reference("customs")

    skewed, right = [await months(offices, customs, reference + suffix) for suffix in ("~clock_skew", "")]

    assert skewed == right


async def test_an_old_answer_of_the_customs_ends_earlier(offices: Offices, customs: Customs) -> None:
    reference = await offices.reference("customs")

    stale, right = [await months(offices, customs, reference + suffix) for suffix in ("~stale", "")]

    assert str(stale[-1]["month"]) < str(right[-1]["month"])


async def test_no_number_opens_nothing_at_the_customs(offices: Offices, customs: Customs) -> None:
    with pytest.raises(SourceDenied):
        await months(offices, customs, "HG1")


async def test_an_office_that_hangs_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinyidai.sources.adapters.wire.TIMEOUT", httpx2.Timeout(0.1))
    async with open_offices(tmp_path, hang_seconds=1.0) as slow:
        client = Customs(slow.url, "platform", CUSTOMS_KEY)
        with pytest.raises(SourceSilent):
            await months(slow, client, await slow.reference("customs", "time_out"))
        await client.aclose()


async def test_more_bytes_than_the_bound_are_not_read(
    offices: Offices, customs: Customs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinyidai.sources.adapters.customs.MAX_DOCUMENT_BYTES", 100)

    with pytest.raises(SourceUnavailable, match="too large"):
        await months(offices, customs, await offices.reference("customs"))


async def cases(offices: Offices, client: Courts, job_id: str, item: str = "enforcement") -> tuple[Row, ...]:
    page = await client.page(
        job_id,
        item,
        credit_code=offices.firm.credit_code,
        months_from=date(2024, 1, 1),
        months_to=date(2025, 5, 1),
        number=1,
    )
    return page.rows


async def test_courts_take_a_query_and_answer_later(offices: Offices, courts: Courts) -> None:
    job_id = (await courts.exchange(await offices.reference("courts"))).secret

    with pytest.raises(SourcePending):
        await cases(offices, courts, job_id)
    offices.wall.wait(seconds=10)
    rows = await cases(offices, courts, job_id)

    assert rows
    assert {row["credit_code"] for row in rows} == {offices.firm.credit_code}


@pytest.mark.parametrize(("kind", "error"), WIRE)
async def test_a_wire_that_fails_at_the_courts_has_a_name(
    offices: Offices, courts: Courts, kind: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await courts.exchange(await offices.reference("courts", kind))


async def test_a_receipt_that_is_cut_is_not_believed(offices: Offices, courts: Courts) -> None:
    with pytest.raises(AnswerRefused):
        await courts.exchange(await offices.reference("courts", "truncated_body"))


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("schema_drift", AnswerFault.SCHEMA_CHANGED),
        ("wrong_unit", AnswerFault.UNIT_DOUBTFUL),
        ("stale", AnswerFault.STALE),
    ],
)
async def test_an_answer_of_the_courts_that_is_wrong_is_not_believed(
    offices: Offices, courts: Courts, kind: str, fault: AnswerFault
) -> None:
    job_id = (await courts.exchange(await offices.reference("courts", kind))).secret
    offices.wall.wait(seconds=10)

    with pytest.raises(AnswerRefused) as refused:
        await cases(offices, courts, job_id)

    assert refused.value.fault is fault


async def test_a_job_that_nobody_knows_is_not_there(offices: Offices, courts: Courts) -> None:
    with pytest.raises(NotThere):
        await cases(offices, courts, "no/such job")


async def day_file(offices: Offices, client: Benefits, item: str = "social_insurance") -> KeptRows:
    entries = await client.entries(TOMORROW)
    content = await client.file(TOMORROW, item)
    return rows_kept(content, entries[item], FILES[item], credit_codes={offices.firm.credit_code})


@pytest.mark.parametrize("item", ["social_insurance", "housing_fund"])
async def test_a_listed_firm_has_its_first_file_the_next_day(offices: Offices, benefits: Benefits, item: str) -> None:
    refused = await benefits.send_list([(offices.firm.credit_code, await offices.reference("benefits"))])
    await offices.day_is(TOMORROW)

    found = await day_file(offices, benefits, item)

    assert refused == frozenset()
    assert len(found.lines) > 20


async def test_who_gave_no_reference_is_refused_by_name(offices: Offices, benefits: Benefits) -> None:
    reference = await offices.reference("benefits")

    refused = await benefits.send_list([(offices.firm.credit_code, reference), (offices.other.credit_code, "SBGJJ1")])

    assert refused == {offices.other.credit_code}


async def test_a_day_that_has_not_come_has_no_file(benefits: Benefits) -> None:
    with pytest.raises(NotThere):
        await benefits.entries(TOMORROW)


async def test_a_list_that_is_signed_with_another_secret_is_refused(offices: Offices) -> None:
    client = Benefits(offices.url, "platform", "guess", offices.public_key)

    with pytest.raises(SourceDenied):
        await client.send_list([])
    await client.aclose()


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("wrong_signature", AnswerFault.SIGNATURE_WRONG),
        ("stale", AnswerFault.ANOTHER_DAY),
        ("file_cut", AnswerFault.DIGEST_WRONG),
        ("schema_drift", AnswerFault.SCHEMA_CHANGED),
        ("wrong_unit", AnswerFault.UNIT_DOUBTFUL),
        ("truncated_body", AnswerFault.SIGNATURE_WRONG),
    ],
)
async def test_a_day_file_that_is_wrong_is_not_believed(
    offices: Offices, benefits: Benefits, kind: str, fault: AnswerFault
) -> None:
    await benefits.send_list([(offices.firm.credit_code, await offices.reference("benefits", kind))])
    await offices.day_is(TOMORROW)

    with pytest.raises(AnswerRefused) as refused:
        await day_file(offices, benefits)

    assert refused.value.fault is fault


@pytest.mark.parametrize(("kind", "error"), WIRE)
async def test_a_wire_that_fails_at_the_benefits_has_a_name(
    offices: Offices, benefits: Benefits, kind: str, error: type[Exception]
) -> None:
    await benefits.send_list([(offices.firm.credit_code, await offices.reference("benefits", kind))])
    await offices.day_is(TOMORROW)

    with pytest.raises(error):
        await day_file(offices, benefits)


@pytest.mark.parametrize(
    ("kind", "discarded", "times"), [("file_other_firm", 1, 1), ("file_repeated", 0, 2), ("clock_skew", 0, 1)]
)
async def test_rows_of_others_are_discarded_and_repeated_ones_go_on(
    offices: Offices, benefits: Benefits, kind: str, discarded: int, times: int
) -> None:
    reference = await offices.reference("benefits")
    await benefits.send_list([(offices.firm.credit_code, reference)])
    await offices.day_is(TOMORROW)
    sound = await day_file(offices, benefits)
    await offices.play("benefits", kind)

    found = await day_file(offices, benefits)

    assert (len(found.lines), found.discarded) == (len(sound.lines) * times, discarded)
