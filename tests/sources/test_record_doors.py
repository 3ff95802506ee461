"""The doors of records: HTTP, the file drop, Excel files and what they may hide."""

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import xlsxwriter
from builders_consents import a_consenting_firm
from builders_doors import a_door
from builders_parties import a_credit_code
from builders_sources import Row, a_record, an_agency
from conftest import Database
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.access.rules import OrganisationKind, PrincipalKind, Role, Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.ids import new_id
from xinyidai.sources import service
from xinyidai.sources.routes import router
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.rules.records.kinds import KINDS
from xinyidai.sources.rules.workbooks import as_field
from xinyidai.sources.schemas import RecordItem
from xinyidai.sources.service import workbooks

CODE = a_credit_code()
BOOK = "xl/workbook.xml"


async def a_sender(database: Database, noon: datetime) -> Viewer:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        agency = await an_agency(session, now=noon)
        await a_consenting_firm(session, credit_code=CODE, item_codes=["electricity"], now=noon)
    return agency


async def a_key(database: Database, noon: datetime) -> Viewer:
    agency = await a_sender(database, noon)
    kind, roles = OrganisationKind.AGENCY, frozenset({Role.OFFICER})
    scopes = frozenset({"sources:write", "sources:read"})
    return Viewer(new_id(), PrincipalKind.CLIENT, agency.organisation_id, kind, roles, scopes)


def a_workbook(folder: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    path = folder / "records.xlsx"
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd"}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, header)
        for number, row in enumerate(rows, 1):
            sheet.write_row(number, 0, row)
    return path


def an_archive(folder: Path, parts: dict[str, bytes]) -> Path:
    path = folder / "archive.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


async def test_records_come_by_http_as_rows_and_as_csv(database: Database, noon: datetime) -> None:
    key = await a_key(database, noon)
    march, april = a_record("electricity", CODE), a_record("electricity", CODE, month="2025-04", used_kwh="x")
    body = ",".join(march) + "\n" + ",".join(map(str, (march | {"month": "2025-05"}).values())) + "\n"

    async with a_door(database, router, key, now=noon) as client:
        rows = await client.post("/sources/records", json={"item": "electricity", "rows": [march, april]})
        headers = {"content-type": "text/csv"}
        csv = await client.post("/sources/records/csv?item=electricity", content=body, headers=headers)
        listed = await client.get("/sources/deliveries")

    assert (rows.json()["loaded"], rows.json()["rejected"]) == (1, {"bad_number": 1})
    assert (csv.status_code, csv.json()["loaded"]) == (201, 1)
    assert [one["kind"] for one in listed.json()["deliveries"]] == ["electricity", "electricity"]


async def test_what_is_no_record_is_refused_whole(database: Database, noon: datetime) -> None:
    key = await a_key(database, noon)
    cases: list[tuple[dict[str, object], str]] = [
        ({"item": "electricity", "rows": [{"credit_code": CODE, "usage": "1"}]}, "field_unknown"),
        ({"item": "vat_invoice", "rows": [{}]}, "input_refused"),
        ({"item": "person_belief_and_body", "rows": [{}]}, "input_refused"),
        ({"item": "electricity", "rows": []}, "input_refused"),
        ({"item": "electricity", "rows": [{"credit_code": 7}]}, "input_refused"),
    ]

    async with a_door(database, router, key, now=noon) as client:
        answers = [await client.post("/sources/records", json=sent) for sent, _ in cases]
        listed = await client.get("/sources/deliveries")

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(422, code) for _, code in cases]
    assert listed.json()["deliveries"] == []


def test_the_doors_name_every_kind() -> None:
    assert list(RecordItem.__args__) == list(KINDS)  # type: ignore[attr-defined]


async def test_an_excel_file_is_taken_in_as_it_was_typed(database: Database, noon: datetime, tmp_path: Path) -> None:
    agency = await a_sender(database, noon)
    header = [*KINDS["electricity"].delivered, "remark"]
    rows: list[list[object]] = [
        [CODE, "2025-03", 1200, 840.5, 0, False, "typed as numbers"],
        [CODE, "2025-04", "1300", "910.00", "0", "否", "typed as text"],
        [CODE, "2025-05", 1.5, 1, 0, True, "half a kWh"],
        [CODE, date(2025, 6, 1), 1, 1, 0, True, "a day is no month"],
        [CODE, "2025-02"],
    ]

    report = await service.receive_file(
        database.worker, agency, a_workbook(tmp_path, header, rows), kind=DeliveryKind.ELECTRICITY, now=noon
    )

    assert (report.received, report.loaded) == (5, 2)
    assert report.rejected == {"bad_number": 1, "bad_date": 1, "missing_field": 1}


async def refusal_of(database: Database, agency: Viewer, path: Path, noon: datetime) -> str:
    with pytest.raises(Refusal) as refused:
        await service.receive_file(database.worker, agency, path, kind=DeliveryKind.ELECTRICITY, now=noon)
    return refused.value.code


async def test_no_archive_unpacks_to_more_than_it_may(
    database: Database, noon: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agency = await a_sender(database, noon)
    monkeypatch.setattr(workbooks, "MAX_UNPACKED_BYTES", 1 << 20)
    bomb = an_archive(tmp_path, {BOOK: b"<x/>", "xl/worksheets/sheet1.xml": bytes(2 << 20)})
    assert bomb.stat().st_size < 10_000
    codes = [await refusal_of(database, agency, bomb, noon)]
    # The directory lies about the size: the part goes on after it, so its checksum is wrong.
    lying = bomb.read_bytes().replace((2 << 20).to_bytes(4, "little"), (5).to_bytes(4, "little"))
    bomb.write_bytes(lying)
    codes.append(await refusal_of(database, agency, bomb, noon))

    assert codes == ["file_too_large", "file_unreadable"]


async def test_an_archive_that_is_no_workbook_is_refused(database: Database, noon: datetime, tmp_path: Path) -> None:
    agency = await a_sender(database, noon)
    archives: list[dict[str, bytes]] = [{"readme.txt": b"x"}, {BOOK: b"<broken"}, {BOOK: b"<workbook/>"}, {}]
    codes = [await refusal_of(database, agency, an_archive(tmp_path, parts), noon) for parts in archives]

    assert set(codes) <= {"file_unreadable", "file_without_column"}
    assert codes[0] == codes[3] == "file_unreadable"


async def test_half_a_workbook_is_refused(database: Database, noon: datetime, tmp_path: Path) -> None:
    agency = await a_sender(database, noon)
    path = a_workbook(tmp_path, KINDS["electricity"].delivered, [[CODE, "2025-03", 1, 1, 0, False]])
    path.write_bytes(path.read_bytes()[:-200])

    assert await refusal_of(database, agency, path, noon) == "file_unreadable"


@given(st.binary(max_size=400))
def test_any_bytes_are_a_workbook_or_a_refusal(body: bytes) -> None:
    with pytest.raises(Refusal):
        workbooks.check_workbook(io.BytesIO(b"PK\x03\x04" + body))


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (1200.0, "1200"),
        (840.5, "840.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e300, "1e+300"),
        (True, "true"),
        (date(2025, 3, 1), "2025-03-01"),
        (datetime(2025, 3, 1), "2025-03-01"),  # noqa: DTZ001 - a cell knows no zone
        (datetime(2025, 3, 1, 8, tzinfo=UTC), "2025-03-01T08:00:00+00:00"),
        ("", None),
        ("007", "007"),
    ],
)
def test_a_cell_is_read_as_it_was_typed(cell: object, text: str | None) -> None:
    assert as_field(cell) == text  # type: ignore[arg-type]


def test_a_row_of_the_builder_has_the_columns_of_a_delivery() -> None:
    rows: list[Row] = [a_record(item, CODE) for item in KINDS]

    assert [tuple(row) for row in rows] == [kind.delivered for kind in KINDS.values()]
