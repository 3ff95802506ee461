"""The regulator's desk: its figures in words, files that a spreadsheet opens, and the pages in a browser."""

import csv
import re
import zipfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO, StringIO
from xml.etree import ElementTree

import pytest
from builders_agreements import a_line
from builders_databases import Database, a_clone, a_furnished_clone
from builders_desks import Reader, a_reader
from builders_loans import a_loan
from builders_matching import a_bank, a_choice, a_dispatch, an_offer
from builders_pages import a_page, a_server, both_languages, needs_chromium, sign_in_as
from builders_parties import a_firm, a_regulator
from playwright.async_api import Browser

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.embedded import PostgresServer
from xinyidai.foundation.pages.tables import Column, Sheet, Unit, csv_of, harmless, xlsx_of
from xinyidai.foundation.pages.words import Language, msg
from xinyidai.ledger import queries as ledger
from xinyidai.risk_sharing import service as risk_sharing

PATHS = [
    "/regulator",
    *[f"/regulator/lending?by={by}" for by in ("month", "lender", "region", "industry", "risk_class")],
    "/regulator/risk",
    "/regulator/drift",
    "/regulator/reconciliation",
    "/regulator/metrics",
]
MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Market:
    """A regulator, and what was lent in its market."""

    regulator: Viewer
    lender_id: str
    lent_fen: int


async def a_market(database: Database, *, now: datetime) -> Market:
    """Two banks lend in two months, district and industry differ; one bank drifts from its indication."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        line, other = await a_line(session, now=now), await a_line(session, now=now)
        beibei = await a_firm(session, region_code="500109", industry_code="C35", now=now)
        later = now + MONTH
        lent = [
            await a_loan(session, line, amount_fen=12_345_678, now=later),
            await a_loan(session, line, amount_fen=50_000_000, firm=beibei, now=now),
            await a_loan(session, other, amount_fen=30_000_003, firm=beibei, now=later),
        ]
        for loan in lent:
            await risk_sharing.make_cover(session, loan.id, now=later)
        bank = await a_bank(session, now=now)
        firm, dispatch = await a_dispatch(session, bank, now=now)
        await a_choice(session, firm, bank, dispatch, now=now)
        await an_offer(session, bank, dispatch, rate_bp=450, now=now)
        regulator = (await a_regulator(session, now=now)).maker
    return Market(regulator, str(line.lender.id), 92_345_681)


@pytest.fixture
async def furnished(cluster: PostgresServer, noon: datetime) -> AsyncGenerator[tuple[Database, Market]]:
    async with a_furnished_clone(cluster, a_market, now=noon) as made:
        yield made


@pytest.fixture
def database(furnished: tuple[Database, Market]) -> Database:
    return furnished[0]


@pytest.fixture
def market(furnished: tuple[Database, Market]) -> Market:
    return furnished[1]


@pytest.fixture
async def reader(database: Database, noon: datetime, market: Market) -> AsyncGenerator[Reader]:
    async with a_reader(database, market.regulator, now=noon + MONTH) as signed_in:
        yield signed_in


async def test_the_overview_says_this_month_in_one_sentence(reader: Reader) -> None:
    page = await reader.read("/regulator")

    assert "本月新发放 42.35 万元，共 2 笔，加权年利率" in page
    assert "放款金额较上月同期 -15.31%" in page
    assert "与会计账一致" in page
    assert "少于 5 家企业" in page
    assert all(f'href="/regulator/metrics#{code}"' in page for code in ("disbursed_fen", "loans", "overdue_fen"))


async def test_a_month_leads_to_its_banks_and_the_filters_stay_in_the_address(reader: Reader, market: Market) -> None:
    by_month = await reader.read("/regulator/lending?by=month")
    by_lender = await reader.read("/regulator/lending?by=lender&from_month=2025-06&to_month=2025-06")
    by_region = await reader.read(f"/regulator/lending?by=region&lender={market.lender_id}")

    assert 'href="/regulator/lending?from_month=2025-06&to_month=2025-06&by=lender"' in by_month
    assert f"lender={market.lender_id}" in by_lender
    assert re.search(r'<th scope="row">合计</th>\s*<td class="text-end nowrap">2</td>', by_region)
    assert f'<option value="{market.lender_id}" selected>' in by_region


@pytest.mark.parametrize("by", ["month", "lender", "region", "industry", "risk_class"])
async def test_a_csv_opens_again_and_sums_to_the_ledger(
    reader: Reader, database: Database, noon: datetime, by: str
) -> None:
    answer = await reader.client.get(f"/regulator/files/{by}/csv")
    rows = list(csv.reader(StringIO(answer.content.decode("utf-8-sig"))))
    start = rows.index([])
    head, body, total = rows[start + 1], rows[start + 2 : -1], rows[-1]
    yuan, fen = head.index("放款金额 (元)"), head.index("放款金额 (分)")
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        booked = (await ledger.turnover(session, prefix="lending:lender:", kind="disbursement")).raised_fen

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert sum(int(row[fen]) for row in body) == int(total[fen]) == booked
    assert all(row[yuan] == f"{int(row[fen]) // 100}.{int(row[fen]) % 100:02d}" for row in [*body, total])
    assert ["演示数据", "演示数据，非真实企业"] in rows[:start]
    assert {"统计区间", "截至", "放款金额"} <= {row[0] for row in rows[:start]}


def cells_of(body: bytes) -> list[list[str]]:
    """Return the cells of an XLSX's first sheet, as texts; shared strings looked up, formulas refused."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(BytesIO(body)) as archive:
        texts = [
            "".join(part.text or "" for part in item.iter(f"{space}t"))
            for item in ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))  # noqa: S314 - our own file
        ]
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))  # noqa: S314
    assert list(sheet.iter(f"{space}f")) == []
    rows = []
    for row in sheet.iter(f"{space}row"):
        values = [(cell.get("t"), cell.findtext(f"{space}v") or "") for cell in row]
        rows.append([texts[int(value)] if kind == "s" else value for kind, value in values])
    return rows


async def test_an_xlsx_opens_again_with_numbers_that_sum_to_the_total(reader: Reader, market: Market) -> None:
    answer = await reader.client.get("/regulator/files/lender/xlsx")
    rows = cells_of(answer.content)
    start = next(place for place, row in enumerate(rows) if row and "放款金额 (分)" in row)
    fen = rows[start].index("放款金额 (分)")
    body, total = rows[start + 1 : -1], rows[-1]

    assert sum(int(row[fen]) for row in body) == int(total[fen]) == market.lent_fen
    assert float(total[fen - 1]) == market.lent_fen / 100
    assert 'filename="xinyidai-lender-' in answer.headers["content-disposition"]


async def test_drift_and_reconciliation_can_be_taken_away_and_unknown_tables_are_not_there(reader: Reader) -> None:
    drift = await reader.client.get("/regulator/files/drift/csv")
    sums = await reader.client.get("/regulator/files/reconciliation/xlsx")
    unknown = [await reader.client.get(f"/regulator/files/{path}") for path in ("firm/csv", "lender/pdf")]
    refused = await reader.client.get("/regulator/lending?from_month=2025-13")

    assert "意向报价" in drift.content.decode("utf-8-sig")
    assert "92345681" in {cell for row in cells_of(sums.content) for cell in row}
    assert [answer.status_code for answer in unknown] == [404, 404]
    assert refused.status_code == 422


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", "-2+3"])
def test_a_name_never_becomes_a_formula(text: str) -> None:
    sheet = Sheet(msg("对账"), (Column("name", msg("银行"), Unit.TEXT),), ((text,),))
    written = list(csv.reader(StringIO(csv_of(sheet, Language.ZH).decode("utf-8-sig"), newline="")))[-1][0]

    assert harmless(text) == written == f"'{text}"
    assert cells_of(xlsx_of(sheet, Language.ZH))[-1][0].strip() == text.strip()


async def test_an_empty_market_says_so_and_others_may_not_read_it(cluster: PostgresServer, noon: datetime) -> None:
    async with a_clone(cluster) as database:
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=noon)
            regulator = (await a_regulator(session, now=noon)).maker
            firm = await a_firm(session, now=noon)
        async with a_reader(database, regulator, now=noon) as reading:
            pages = [await reading.read(path) for path in ("/regulator", "/regulator/risk", "/regulator/drift")]
        async with a_reader(database, firm, now=noon) as reading:
            refused = [(await reading.client.get(path)).status_code for path in PATHS]

    assert "本月还没有新发放的贷款" in pages[0]
    assert "所选范围内没有放款" in pages[1]
    assert "所选区间内没有意向报价" in pages[2]
    assert set(refused) == {403}


@needs_chromium
@both_languages
async def test_every_page_is_whole_and_accessible(
    browser: Browser, database: Database, noon: datetime, market: Market, language: str
) -> None:
    found: dict[str, list[str]] = {}
    person = market.regulator
    async with (
        a_server(database, now=noon + MONTH) as served,
        a_page(browser, served, language=language) as watched,
    ):
        await sign_in_as(watched.page.context, served, str(person.principal_id), str(person.organisation_id))
        for path in PATHS:
            await watched.open(path)
            found[path] = await watched.faults()

    assert {path: faults for path, faults in found.items() if faults} == {}
    assert watched.complaints == []
