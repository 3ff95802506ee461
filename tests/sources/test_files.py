"""Files refused as a whole: a stable code, and not one row of anything changed."""

import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import asyncpg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders_examples import on_examples
from builders_parties import a_credit_code
from builders_sources import a_csv, a_parquet, a_row, an_agency, rows_of
from conftest import Database
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.sources import service
from xinyidai.sources.rules import COLUMNS, FileFormat
from xinyidai.sources.service import files

CODE = a_credit_code()


def cut_parquet(folder: Path) -> Path:
    path = a_parquet(folder, pd.DataFrame(rows_of(CODE, 50)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def cut_csv(folder: Path) -> Path:
    path = a_csv(folder, rows_of(CODE, 50))
    path.write_bytes(path.read_bytes()[:-20])
    return path


def cut_inside_a_letter(folder: Path) -> Path:
    path = a_csv(folder, rows_of(CODE, 1))
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index("重".encode()) + 1])
    return path


def in_gbk(folder: Path) -> Path:
    path = a_csv(folder, rows_of(CODE, 5))
    path.write_bytes(path.read_text(encoding="utf-8").encode("gbk"))
    return path


def in_utf_16(folder: Path) -> Path:
    path = a_csv(folder, rows_of(CODE, 5))
    path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16"))
    return path


def without_column(folder: Path) -> Path:
    path = folder / "short.csv"
    pd.DataFrame(rows_of(CODE, 5)).drop(columns=["tax_yuan", "status"]).to_csv(path, index=False)
    return path


def without_column_in_parquet(folder: Path) -> Path:
    return a_parquet(folder, pd.DataFrame(rows_of(CODE, 5)).drop(columns=["direction"]))


def with_a_column_twice(folder: Path) -> Path:
    path = folder / "twice.csv"
    path.write_text(",".join([*COLUMNS, "net_yuan"]) + "\n" + "," * len(COLUMNS) + "\n", encoding="utf-8")
    return path


def of_ten_gigabytes(folder: Path) -> Path:
    path = folder / "huge.csv"
    path.touch()
    os.truncate(path, 10 * 1024**3)
    return path


def empty(folder: Path) -> Path:
    path = folder / "empty.csv"
    path.touch()
    return path


def with_a_header_alone(folder: Path) -> Path:
    return a_csv(folder, [])


def parquet_without_rows(folder: Path) -> Path:
    return a_parquet(folder, pd.DataFrame(rows_of(CODE, 1)).iloc[:0])


def missing(folder: Path) -> Path:
    return folder / "nowhere.csv"


def a_folder(folder: Path) -> Path:
    return folder


def noise_called_parquet(folder: Path) -> Path:
    path = folder / "noise.parquet"
    path.write_bytes(b"not parquet at all")
    return path


def marks_around_noise(folder: Path) -> Path:
    path = folder / "marks.parquet"
    path.write_bytes(b"PAR1" + b"\x00" * 200 + b"PAR1")
    return path


def parquet_of_lists(folder: Path) -> Path:
    return a_parquet(folder, pd.DataFrame(rows_of(CODE, 2)).assign(counterparty=[["a"], ["b"]]))


def parquet_of_text_that_is_none(folder: Path) -> Path:
    table = pa.Table.from_pandas(pd.DataFrame(rows_of(CODE, 1)), preserve_index=False)
    broken = pa.array([b"\xff\xfe"], pa.binary()).view(pa.string())
    path = folder / "broken.parquet"
    pq.write_table(table.set_column(table.schema.get_field_index("counterparty"), "counterparty", broken), path)
    return path


def one_endless_line(folder: Path) -> Path:
    path = folder / "endless.csv"
    path.write_text(",".join(COLUMNS) + "\n" + "x" * (20 * 1024**2) + "\n", encoding="utf-8")
    return path


WHOLE_FILE_REFUSALS = [
    (cut_parquet, "file_cut_in_half"),
    (cut_csv, "file_cut_in_half"),
    (cut_inside_a_letter, "file_cut_in_half"),
    (in_gbk, "file_wrong_encoding"),
    (in_utf_16, "file_wrong_encoding"),
    (without_column, "file_without_column"),
    (without_column_in_parquet, "file_without_column"),
    (with_a_column_twice, "file_without_column"),
    (of_ten_gigabytes, "file_too_large"),
    (empty, "file_empty"),
    (with_a_header_alone, "file_empty"),
    (parquet_without_rows, "file_empty"),
    (missing, "file_missing"),
    (a_folder, "file_missing"),
    (noise_called_parquet, "file_unreadable"),
    (marks_around_noise, "file_unreadable"),
    (parquet_of_lists, "file_unreadable"),
    (parquet_of_text_that_is_none, "file_unreadable"),
    (one_endless_line, "file_unreadable"),
]


async def everything_kept(admin: asyncpg.Connection) -> list[tuple[str, int]]:
    tables = ["delivery", "invoice_fact", "rejected_row", "supersession", "fact_seal"]
    counts = [(table, await admin.fetchval(f"SELECT count(*) FROM sources.{table}")) for table in tables]
    return [
        *counts,
        ("audit", await admin.fetchval("SELECT count(*) FROM audit.record WHERE action LIKE 'sources.%'")),
        ("outbox", await admin.fetchval("SELECT count(*) FROM foundation.outbox_event WHERE name = 'DeliveryLoaded'")),
    ]


async def a_sender(database: Database, now: datetime) -> Viewer:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        return await an_agency(session, now=now)


async def test_a_bad_file_is_refused_by_name_and_changes_nothing(
    database: Database, admin: asyncpg.Connection, tmp_path: Path, noon: datetime
) -> None:
    agency = await a_sender(database, noon)
    before = await everything_kept(admin)
    codes = []

    for number, (make, _code) in enumerate(WHOLE_FILE_REFUSALS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(Refusal) as refused:
            await service.receive_file(database.worker, agency, make(folder), now=noon)
        codes.append((make.__name__, refused.value.code))

    assert codes == [(make.__name__, code) for make, code in WHOLE_FILE_REFUSALS]
    assert await everything_kept(admin) == before


async def test_ten_gigabytes_are_refused_without_reading_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = of_ten_gigabytes(tmp_path)
    opened: list[object] = []
    monkeypatch.setattr(Path, "open", lambda *asked: opened.append(asked))

    with pytest.raises(Refusal, match="too large"):
        files.open_file(path, None)

    assert opened == []


async def test_fewer_rows_than_announced_are_a_file_cut_at_a_lines_end(
    database: Database, admin: asyncpg.Connection, tmp_path: Path, noon: datetime
) -> None:
    agency = await a_sender(database, noon)
    before = await everything_kept(admin)
    path = a_csv(tmp_path, rows_of(CODE, 3))

    with pytest.raises(Refusal) as refused:
        await service.receive_file(database.worker, agency, path, expected_rows=4, now=noon)

    assert refused.value.code == "file_cut_in_half"
    assert await everything_kept(admin) == before


async def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = a_csv(tmp_path, rows_of(CODE, 3))
    source = files.open_file(path, None)
    a_csv(tmp_path, rows_of(CODE, 4))
    os.utime(path, ns=(1, 1))

    chunks = source.chunks()

    with pytest.raises(Refusal) as refused:
        list(chunks)
    assert refused.value.code == "file_changed"


@pytest.mark.parametrize("most", [5, 8])
def test_more_rows_than_a_delivery_may_have_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(files, "MAX_ROWS", most)
    written: list[Callable[[], Path]] = [
        lambda: a_csv(tmp_path, rows_of(CODE, 9)),
        lambda: a_parquet(tmp_path, pd.DataFrame(rows_of(CODE, 9))),
    ]

    for write in written:
        with pytest.raises(Refusal, match="too large"):
            list(files.open_file(write(), None).chunks())


def test_broken_lines_do_not_shift_the_numbers_of_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_CSV_BLOCK", 700)
    path = a_csv(tmp_path, rows_of(CODE, 40))
    lines = path.read_text(encoding="utf-8").splitlines()
    for number in (1, 7, 20, 21, 40):
        lines[number] += ",one too many"
    path.write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")

    chunks = list(files.open_file(path, None).chunks())

    read = [(int(line), text) for chunk in chunks for line, text in _numbered(chunk)]
    broken = [line.line_no for chunk in chunks for line in chunk.broken]
    assert len(chunks) > 3
    assert read == [(line, f"{line:08d}") for line in range(1, 41) if line not in (1, 7, 20, 21, 40)]
    assert broken == [1, 7, 20, 21, 40]


def _numbered(chunk: files.Chunk) -> list[tuple[int, str]]:
    return list(zip(chunk.rows.line_no.tolist(), chunk.rows.number.to_pylist(), strict=True))


def test_other_columns_are_not_even_read(tmp_path: Path) -> None:
    path = a_parquet(tmp_path, pd.DataFrame(rows_of(CODE, 2)).assign(legal_person="张三", phone="13800000000"))

    (chunk,) = files.open_file(path, FileFormat.PARQUET).chunks()

    assert sorted(chunk.rows.raw.schema.names) == sorted(COLUMNS)


def test_csv_and_parquet_of_the_same_rows_read_the_same(tmp_path: Path) -> None:
    rows = [a_row(CODE, invoice_no=str(number), net_yuan=f"{number}.10") for number in range(5)]
    frame = pd.DataFrame(rows).astype({"net_yuan": float, "invoice_no": int})
    frame["issued_on"] = pd.to_datetime(frame["issued_on"])

    (text,) = files.open_file(a_csv(tmp_path, rows), None).chunks()
    (typed,) = files.open_file(a_parquet(tmp_path, frame), None).chunks()

    assert text.rows.net.fen.tolist() == typed.rows.net.fen.tolist()
    assert text.rows.number.to_pylist() == typed.rows.number.to_pylist()
    assert text.rows.issued_on.tolist() == typed.rows.issued_on.tolist()


PIECES = [b'"', b'""', b",", b"a", b"\x00", b"\r", b" ", "买".encode(), b"\xef\xbb\xbf", b"," * 8, b'"x,y"', b"\x0b"]


@on_examples(300)
@given(
    lines=st.lists(
        st.one_of(
            st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join),
            st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=20).map(str.encode),
            st.just(b"C,1,out,2025-03-05,x,1.00,0.13,1.13,valid"),
        ),
        max_size=30,
    ),
    block=st.sampled_from([120, 400, files._CSV_BLOCK]),
)
def test_every_line_of_a_csv_file_is_read_or_named_once(lines: list[bytes], block: int) -> None:
    body = ",".join(COLUMNS).encode() + b"\n" + b"".join(line + b"\n" for line in lines)
    filled = [line for line in re.split(rb"[\r\n]+", b"\n".join(lines)) if line]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(files, "_CSV_BLOCK", block)
        chunks = list(files.open_csv(body).chunks())

    numbers = [int(number) for chunk in chunks for number in chunk.rows.line_no]
    named = [one.line_no for chunk in chunks for one in chunk.broken]
    assert sorted(numbers + named) == list(range(1, len(filled) + 1))
    assert all(chunk.rows.raw.num_rows == len(chunk.rows.line_no) for chunk in chunks)
    assert {one.line_no: one.content for chunk in chunks for one in chunk.broken} == {
        number: filled[number - 1].decode().replace("\0", "\\u0000") for number in named
    }
