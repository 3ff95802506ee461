"""The agencies' desk: its own deliveries alone, what to correct and how, waivers that two people decide."""

import re
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from builders_agencies import AgencysDesk, an_agencys_desk
from builders_databases import Database, a_furnished_clone
from builders_desks import TOKEN, Reader, a_reader
from builders_quality import electricity

from xinyidai.foundation.embedded import PostgresServer
from xinyidai.sources.rules.records.kinds import KINDS


@pytest.fixture
async def furnished(
    cluster: PostgresServer, tmp_path: Path, noon: datetime
) -> AsyncGenerator[tuple[Database, AgencysDesk]]:
    async with a_furnished_clone(cluster, an_agencys_desk(tmp_path), now=noon) as made:
        yield made


@pytest.fixture
def database(furnished: tuple[Database, AgencysDesk]) -> Database:
    return furnished[0]


@pytest.fixture
def desk(furnished: tuple[Database, AgencysDesk]) -> AgencysDesk:
    return furnished[1]


@pytest.fixture
async def reader(database: Database, desk: AgencysDesk, noon: datetime) -> AsyncGenerator[Reader]:
    async with a_reader(database, desk.office.agency, now=noon) as made:
        yield made


async def deliver(reader: Reader, kind: str, content: str) -> httpx.Response:
    token = TOKEN.search(await reader.read("/agency/deliveries/new"))
    assert token is not None
    return await reader.client.post(
        "/agency/deliveries/new",
        data={"kind": kind, "form_token": token.group(1)},
        files={"file": ("corrected.csv", content.encode(), "text/csv")},
    )


async def test_every_page_is_there(reader: Reader, desk: AgencysDesk) -> None:
    for path in desk.pages:
        await reader.read(path)


async def test_the_home_says_what_waits_and_how_rows_came_through(reader: Reader) -> None:
    shown = await reader.read("/agency")
    rates = await reader.client.get("/agency/files/rates/csv")
    back = await reader.client.get("/agency/files/returned/csv")
    book = await reader.client.get("/agency/files/findings/xlsx")
    unknown = await reader.client.get("/agency/files/nothing/csv")

    assert "2 个问题等待更正" in shown
    assert rates.text.splitlines()[-1] == "2025-06,用电,2,5,5,1,3,1,20.0000,1,20.0000,0,200.000"
    assert back.text.splitlines()[-1] == "2025-06,用电,3,2,1,0,33.3333"
    assert book.content[:2] == b"PK"
    assert unknown.status_code == 404


async def test_findings_tell_the_rule_since_when_and_the_place_of_one_row(reader: Reader) -> None:
    listed = await reader.client.get("/agency/files/findings/csv")
    none = await reader.read("/agency/findings?state=waived")
    rule = await reader.read("/agency/rules/electricity.tariff")

    assert listed.text.splitlines()[-1] == "电费与用量相符（每千瓦时 0.3 至 1.8 元）,用电,差错,2,1,0,2025-06-16,1,2"
    assert "没有符合条件的问题" in none
    assert rule.count("第 1 批第") == 3


async def test_an_agency_never_sees_anothers(
    database: Database, desk: AgencysDesk, reader: Reader, noon: datetime
) -> None:
    mine = await reader.read("/agency/findings")
    async with a_reader(database, desk.stranger, now=noon) as stranger:
        theirs = await stranger.read("/agency/findings")
        answers = [
            (await stranger.client.get(path)).status_code
            for path in (
                f"/agency/findings/{desk.open_id}",
                f"/agency/deliveries/{desk.first_id}",
                f"/agency/deliveries/{desk.first_id}/files/csv",
                "/operator/quality/findings",
            )
        ]

    assert "用水" not in mine
    assert "用电" not in theirs
    assert answers == [404, 404, 404, 403]


async def test_what_is_wrong_with_a_delivery_can_be_taken_away_and_comes_back_corrected(
    database: Database, desk: AgencysDesk, reader: Reader
) -> None:
    before = await reader.client.get(f"/agency/deliveries/{desk.first_id}/files/csv")
    page = await reader.read(f"/agency/deliveries/{desk.first_id}")
    heads = KINDS["electricity"].delivered
    row = {"credit_code": desk.office.code} | electricity("2023-05", charged_yuan="712.00")
    body = ",".join(heads) + "\n" + ",".join(str(row[head]) for head in heads) + "\n"
    answer = await deliver(reader, "electricity", body)
    arrived = await reader.read(answer.headers["location"])

    assert [line.split(",")[:2] for line in before.text.splitlines()[-3:]] == [["1", "1"], ["1", "2"], ["1", "3"]]
    assert "未登记的企业" in page
    assert answer.status_code == 303
    assert "收到 1 行，入库 1 行，隔离 0 行。" in arrived
    assert "还没有检查完" in arrived


async def test_a_file_that_is_none_is_said_at_its_field(reader: Reader) -> None:
    missing = await deliver(reader, "", "")
    broken = await deliver(reader, "electricity", "month\n2023-06\n")
    large = await deliver(reader, "electricity", "x" * (1024**2 + 1))

    assert [one.status_code for one in (missing, broken, large)] == [422, 422, 422]
    assert "请选择信息项" in missing.text
    assert "请选择要报送的 CSV 文件" in missing.text
    assert "文件超过 1 MB" in large.text


async def test_a_waiver_is_asked_with_a_reason_decided_by_the_operator_and_ends(
    database: Database, desk: AgencysDesk, reader: Reader, noon: datetime
) -> None:
    path, place = f"/agency/findings/{desk.open_id}", f"/operator/quality/waivers/{desk.open_id}"
    blank = await reader.send(path, {"reason": " "})
    asked = await reader.send(path, {"reason": "合同电价，见合同 12 号"})
    async with a_reader(database, desk.checker, now=noon) as checker:
        waiting = await checker.read("/operator/quality/waivers")
        unsaid = await checker.send(place, {"answer": ""})
        too_long = await checker.send(place, {"answer": "grant", "until_on": f"{noon + timedelta(days=400):%Y-%m-%d}"})
        until_on = f"{noon + timedelta(days=30):%Y-%m-%d}"
        granted = await checker.send(place, {"answer": "grant", "until_on": until_on})
        refused = await checker.send(f"/operator/quality/waivers/{desk.asked_id}", {"answer": "refuse"})
        after = await checker.read("/operator/quality/waivers")
    told = await reader.read("/agency/waivers")

    assert [one.status_code for one in (blank, asked, unsaid, too_long, granted, refused)] == [
        *(422, 303, 422, 422, 303, 303)
    ]
    assert "合同电价，见合同 12 号" in waiting
    assert waiting.count("待审核") == 2
    assert after.count("待审核") == 0
    assert until_on in told
    assert sorted(re.findall("已同意|未同意", told)) == ["已同意", "未同意"]


async def test_the_operator_sees_all_senders_filters_them_and_reads_the_rules(
    database: Database, desk: AgencysDesk, noon: datetime
) -> None:
    sender = desk.stranger.organisation_id
    async with a_reader(database, desk.operator, now=noon) as operator:
        for path in desk.operators_pages:
            await operator.read(path)
        every = await operator.client.get("/operator/quality/findings/files/csv")
        one = await operator.client.get(f"/operator/quality/findings/files/csv?sender={sender}&severity=error")
        rules = await operator.read("/operator/quality/rules?item=electricity")
        quality = await operator.read("/operator/quality")

    assert {line.split(",")[1] for line in every.text.splitlines()[-3:]} >= {"用电", "用水"}
    assert {line.split(",")[1] for line in one.text.splitlines()[3:]} == {"用水"}
    assert "within(charged_fen / used_kwh, 30, 180)" in rules
    assert "不合格示例" in rules
    assert "供电企业" in quality
    assert "166.667" in quality
