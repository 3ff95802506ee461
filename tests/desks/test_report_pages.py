"""The operator's reports: a page, a spreadsheet and a PDF with the same numbers, each with its definition."""

from datetime import datetime
from io import BytesIO
from pathlib import Path

from builders_agencies import an_agencys_desk
from builders_databases import a_furnished_clone
from builders_desks import a_reader
from pypdf import PdfReader
from python_calamine import CalamineWorkbook

from xinyidai.foundation.embedded import PostgresServer


def pages_of(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(pdf)).pages]


def sheets_of(book: bytes) -> list[list[list[object]]]:
    read = CalamineWorkbook.from_filelike(BytesIO(book))
    return [list(read.get_sheet_by_name(name).to_python()) for name in read.sheet_names]


async def test_the_monthly_report_of_quality_is_one_on_page_in_spreadsheet_and_on_paper(
    cluster: PostgresServer, tmp_path: Path, noon: datetime
) -> None:
    async with (
        a_furnished_clone(cluster, an_agencys_desk(tmp_path), now=noon) as (database, desk),
        a_reader(database, desk.operator, now=noon) as operator,
    ):
        path = "/operator/reports/quality/2025-06"
        listed = await operator.read("/operator/reports")
        shown = await operator.read(path)
        paper = pages_of((await operator.client.get(f"{path}/pdf")).content)
        book = sheets_of((await operator.client.get(f"{path}/xlsx")).content)
        answers = [
            (await operator.client.get(f"/operator/reports/quality/{month}")).status_code
            for month in ("2025-07", "2025-13", "x")
        ]

    assert path in listed
    assert "收到 6 行，合格率 16.67%" in shown
    assert shown.count("演示数据，非真实企业") >= 4
    assert all("演示数据，非真实企业" in page for page in paper)
    assert "数据质量月报 2025-06" in paper[0]
    assert "收到 6 行，合格率 16.67%" in paper[0]
    assert "供电企业" in "".join(paper)
    assert [sheet[0][0] for sheet in book] == ["数据质量", "退回与更正", "截至报告时间仍待更正的问题"]
    assert all(["演示数据", "演示数据，非真实企业"] in [row[:2] for row in sheet] for sheet in book)
    assert answers == [404, 404, 404]


async def test_the_annual_report_tells_lending_matching_consents_and_data(
    cluster: PostgresServer, tmp_path: Path, noon: datetime
) -> None:
    async with (
        a_furnished_clone(cluster, an_agencys_desk(tmp_path), now=noon) as (database, desk),
        a_reader(database, desk.operator, now=noon) as operator,
    ):
        path = "/operator/reports/operation/2025"
        shown = await operator.read(path)
        paper = pages_of((await operator.client.get(f"{path}/pdf")).content)
        book = sheets_of((await operator.client.get(f"{path}/xlsx")).content)
        answers = [
            (await operator.client.get(one)).status_code
            for one in ("/operator/reports/operation/2026", "/operator/reports/operation/1", f"{path}/docx")
        ]
        async with a_reader(database, desk.office.agency, now=noon) as agency:
            answers.append((await agency.client.get(path)).status_code)

    happened = {row[0]: row[1] for row in book[4]}
    assert len(book) == 6
    assert (happened["给出的授权"], happened["撤回的授权"], happened["提交的融资需求"]) == ("1", "0", "0")
    assert "consents_given v1: 统计区间内给出的授权数" in shown
    assert "平台运行年度报告 2025" in paper[0]
    assert all("演示数据，非真实企业" in page for page in paper)
    assert "有报送 2 项" in "".join(paper)
    assert answers == [404, 404, 422, 403]
