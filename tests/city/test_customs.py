"""The customs: XML in GBK for whom holds the key and the firm's number."""

import re
from datetime import date

import pytest
from builders_town import QUOTA, Town

from city.world.calendar import month_named, name_of
from city.world.observing import shown
from city.world.trade import ImportExport

SPAN = (month_named("2024-01"), month_named("2025-04"))


def elements(document: str, tag: str) -> list[str]:
    return re.findall(rf"<{tag}[^>]*>([^<]*)</{tag}>", document)


async def test_trade_is_xml_in_gbk_with_the_firms_months(town: Town) -> None:
    answer = await town.customs("trade", await town.reference("customs"))
    document = answer.content.decode("gbk")
    rows = [
        row for row in shown(1, town.firm, "import_export", *SPAN, date(2025, 6, 16)) if isinstance(row, ImportExport)
    ]

    assert answer.headers["content-type"] == "application/xml; charset=GBK"
    assert document.startswith('<?xml version="1.0" encoding="GBK"?>')
    assert f'统一社会信用代码="{town.firm.credit_code}"' in document
    assert re.findall('所属月份="([^"]+)"', document) == [name_of(row.month) for row in rows]
    assert elements(document, "出口额") == [f"{row.exported_fen // 100}.{row.exported_fen % 100:02d}" for row in rows]
    assert set(elements(document, "海关信用等级")) <= {"高级认证企业", "常规管理企业", "失信企业"}
    assert len(rows) > 10


async def test_freight_is_another_document(town: Town) -> None:
    document = (await town.customs("freight", await town.reference("customs"))).content.decode("gbk")

    assert "<物流统计 " in document
    assert all(count.isdigit() for count in elements(document, "运单数"))
    assert len(elements(document, "仓储货值")) > 10


async def test_a_wrong_key_or_number_opens_nothing(town: Town) -> None:
    reference = await town.reference("customs", scope="logistics")

    keyless = await town.http.get("/customs/freight", params={"reference": reference}, headers={"X-Api-Key": "guess"})
    made_up, other_item = await town.customs("freight", "HG1"), await town.customs("trade", reference)

    assert [one.status_code for one in (keyless, made_up, other_item)] == [401, 403, 403]


@pytest.mark.parametrize("query", [{"from": "2010-01"}, {"to": "soon"}, {"from": "2025-06"}])
async def test_spans_that_make_no_sense_are_refused_or_cut(town: Town, query: dict[str, str]) -> None:
    answer = await town.customs("trade", await town.reference("customs"), **query)

    assert answer.status_code == (200 if query == {"from": "2010-01"} else 422)


async def test_too_many_calls_are_asked_to_wait(town: Town) -> None:
    reference = await town.reference("customs")

    answers = [await town.customs("trade", reference) for _ in range(QUOTA + 1)]

    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0


async def test_public_registers_are_open_and_their_reading_is_written_down(town: Town) -> None:
    code = town.firm.credit_code

    answers = {
        item: await town.http.get(f"/registry/records/{item}", params={"credit_code": code})
        for item in ("registration_change", "permit", "penalty", "intellectual_property", "honour_list")
    }
    unknown = [
        await town.http.get("/registry/records/vat_invoice", params={"credit_code": code}),
        await town.http.get("/registry/records/permit", params={"credit_code": "91"}),
    ]

    assert {one.status_code for one in answers.values()} == {200}
    assert {item: one.json()["item"] for item, one in answers.items()} == {item: item for item in answers}
    assert [one.status_code for one in unknown] == [404, 404]
    assert [what for _, client, what in town.city.store.readings(code) if client == "public"] == list(answers)
