"""Opening what was delivered: whole-file refusals first, then chunks of bounded size."""

import codecs
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from xinyidai.foundation.canonical import canonical_bytes
from xinyidai.sources.rules import (
    CHUNK_ROWS,
    MAX_FILE_BYTES,
    MAX_ROWS,
    FileChanged,
    FileCutInHalf,
    FileEmpty,
    FileFormat,
    FileMissing,
    FileTooLarge,
    FileUnreadable,
    FileWithoutColumn,
    FileWrongEncoding,
)
from xinyidai.sources.rules.amounts import IntArray
from xinyidai.sources.rules.checking import read_rows
from xinyidai.sources.rules.delivery import COLUMNS, Fault, FieldUnknown
from xinyidai.sources.rules.layouts import Layout, ReadRows
from xinyidai.sources.rules.workbooks import as_field
from xinyidai.sources.service.lines import MARK, WholeLines, storable
from xinyidai.sources.service.workbooks import check_workbook, read_workbook

MAX_FIELD_NAME = 64
MAX_FIELDS_NAMED = 10
_BLOCK = 1024**2
_CSV_BLOCK = 8 * 1024**2
_PARQUET_MARK = b"PAR1"
_SUFFIXES = {".parquet": FileFormat.PARQUET, ".pq": FileFormat.PARQUET, ".xlsx": FileFormat.XLSX}
INVOICES = Layout(COLUMNS, read_rows)


@dataclass(frozen=True)
class Broken:
    """A line of a CSV file with an open quote, or with more or fewer fields than the header."""

    line_no: int
    content: str
    fault: Fault


@dataclass(frozen=True)
class Chunk:
    """Up to some hundred thousand rows, their columns read, and the broken lines met on the way."""

    rows: ReadRows
    broken: tuple[Broken, ...]


@dataclass(frozen=True)
class Source:
    """Something delivered whose whole was looked at: its size, its digest, and how to read it in chunks."""

    file_format: FileFormat
    byte_count: int
    digest: bytes
    chunks: Callable[[], Iterator[Chunk]]


def apart(source: Source, occasion: str) -> Source:
    """Return a source whose digest tells it from the same bytes on another occasion: what came between may differ."""
    return replace(source, digest=hashlib.sha256(f"{occasion}/".encode() + source.digest).digest())


def open_file(path: Path, file_format: FileFormat | None, layout: Layout = INVOICES) -> Source:
    """Look at a file: its size before anything is read, then its ends, its encoding and its digest in one pass."""
    try:
        found = path.stat()
    except OSError as error:
        raise FileMissing from error
    if not stat.S_ISREG(found.st_mode):
        raise FileMissing
    if found.st_size > MAX_FILE_BYTES:
        raise FileTooLarge(most=MAX_FILE_BYTES, unit="bytes")
    written = file_format or _format_of(path)
    with path.open("rb") as stream:
        digest = _inspect(stream, found.st_size, written)

    def chunks() -> Iterator[Chunk]:
        with path.open("rb") as stream:
            yield from _read(stream, written, layout)
            if _has_changed(found, os.fstat(stream.fileno())):
                raise FileChanged

    return Source(written, found.st_size, digest, chunks)


def open_csv(body: bytes, layout: Layout = INVOICES) -> Source:
    """Look at a CSV body."""
    digest = _inspect(io.BytesIO(body), len(body), FileFormat.CSV)
    return Source(FileFormat.CSV, len(body), digest, lambda: _read(io.BytesIO(body), FileFormat.CSV, layout))


def open_rows(rows: Sequence[Mapping[str, str | None]], layout: Layout = INVOICES) -> Source:
    """Look at rows that came as JSON; their fields are text or absent."""
    if not rows:
        raise FileEmpty
    unknown = sorted({name for row in rows for name in row} - set(layout.columns))
    if unknown:
        raise FieldUnknown(fields=", ".join(name[:MAX_FIELD_NAME] for name in unknown[:MAX_FIELDS_NAMED]))
    said = [dict(row) for row in rows]
    written = canonical_bytes(said)
    batch = pa.RecordBatch.from_pylist(said, schema=_as_text(layout))
    numbers = np.arange(1, len(rows) + 1)
    return Source(
        FileFormat.JSON,
        len(written),
        hashlib.sha256(written).digest(),
        lambda: iter([Chunk(layout.read(batch, numbers), ())]),
    )


def _has_changed(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)


def _format_of(path: Path) -> FileFormat:
    return _SUFFIXES.get(path.suffix.lower(), FileFormat.CSV)


def _inspect(stream: BinaryIO, size: int, file_format: FileFormat) -> bytes:
    if size == 0:
        raise FileEmpty
    if file_format is FileFormat.PARQUET:
        _check_marks(stream, size)
    if file_format is FileFormat.XLSX:
        check_workbook(stream)
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    last = b""
    at = 0
    while block := stream.read(_BLOCK):
        digest.update(block)
        last = block[-1:]
        if file_format is FileFormat.CSV:
            _check_encoding(decoder, block, at)
        at += len(block)
    if file_format is FileFormat.CSV and last != b"\n":
        # A last line without its end cannot be told from one that was cut in the middle of an amount.
        raise FileCutInHalf(why="the last line has no end")
    return digest.digest()


def _check_encoding(decoder: codecs.IncrementalDecoder, block: bytes, at: int) -> None:
    try:
        decoder.decode(block)
    except UnicodeDecodeError as error:
        raise FileWrongEncoding(at=at + error.start) from error


def _check_marks(stream: BinaryIO, size: int) -> None:
    head = stream.read(len(_PARQUET_MARK))
    if head != _PARQUET_MARK:
        raise FileUnreadable(format=FileFormat.PARQUET)
    stream.seek(max(size - len(_PARQUET_MARK), len(_PARQUET_MARK)))
    if stream.read() != _PARQUET_MARK:
        raise FileCutInHalf(why="the closing mark is missing")
    stream.seek(0)


def _read(stream: BinaryIO, file_format: FileFormat, layout: Layout) -> Iterator[Chunk]:
    readers = {FileFormat.CSV: _read_csv, FileFormat.PARQUET: _read_parquet, FileFormat.XLSX: _read_xlsx}
    try:
        yield from readers[file_format](stream, layout)
    except (pa.ArrowException, ValueError) as error:
        raise FileUnreadable(format=file_format) from error
    except OSError as error:
        # The Parquet reader reports broken content as an OSError too; a disk that fails gives its number.
        if error.errno is not None:
            raise
        raise FileUnreadable(format=file_format) from error


def _check_columns(names: Sequence[str], layout: Layout) -> None:
    absent = [name for name in layout.columns if names.count(name) != 1]
    if absent:
        raise FileWithoutColumn(columns=", ".join(absent))


def _read_parquet(stream: BinaryIO, layout: Layout) -> Iterator[Chunk]:
    # The library pre-buffers whole row groups by default, which a file of one group would make the whole file.
    parquet = pa_parquet.ParquetFile(stream, pre_buffer=False)
    _check_columns(parquet.schema_arrow.names, layout)
    if parquet.metadata.num_rows > MAX_ROWS:
        raise FileTooLarge(most=MAX_ROWS, unit="rows")
    line_no = 1
    for batch in parquet.iter_batches(batch_size=CHUNK_ROWS, columns=list(layout.columns), use_threads=False):
        yield Chunk(layout.read(batch, np.arange(line_no, line_no + len(batch))), ())
        line_no += len(batch)


def _read_xlsx(stream: BinaryIO, layout: Layout) -> Iterator[Chunk]:
    names, rows = read_workbook(stream)
    _check_columns(names, layout)
    places = [names.index(name) for name in layout.columns]
    for start in range(0, max(len(rows), 1), CHUNK_ROWS):
        cut = rows[start : start + CHUNK_ROWS]
        columns = [pa.array([as_field(row[place]) for row in cut], pa.string()) for place in places]
        batch = pa.RecordBatch.from_arrays(columns, schema=_as_text(layout))
        yield Chunk(layout.read(batch, np.arange(start + 1, start + 1 + len(cut))), ())


def _read_csv(stream: BinaryIO, layout: Layout) -> Iterator[Chunk]:
    broken: list[Broken] = []
    lines = WholeLines(stream, block_bytes=_CSV_BLOCK)

    def set_aside(line: pa_csv.InvalidRow) -> str:
        # Its number counts the header as the first line, and blank lines not at all.
        if line.text == MARK:
            taken = lines.taken_out.popleft()
            broken.append(Broken(line.number - 1, taken.content, taken.fault))
        else:
            broken.append(Broken(line.number - 1, storable(line.text), Fault.WRONG_COLUMN_COUNT))
        return "skip"

    _check_columns(_csv_names(stream), layout)
    reader = pa_csv.open_csv(
        lines,
        # Line numbers of broken rows are known only to a reader without threads.
        read_options=pa_csv.ReadOptions(block_size=_CSV_BLOCK, use_threads=False),
        parse_options=pa_csv.ParseOptions(invalid_row_handler=set_aside),
        convert_options=pa_csv.ConvertOptions(
            include_columns=list(layout.columns),
            column_types={name: pa.string() for name in layout.columns},
            strings_can_be_null=False,
        ),
    )
    last = 0
    for batch in reader:
        numbers = _numbers_between(last, len(batch), broken)
        last = int(numbers[-1]) if len(numbers) else last
        passed = tuple(one for one in broken if one.line_no < last)
        del broken[: len(passed)]
        if last > MAX_ROWS:
            raise FileTooLarge(most=MAX_ROWS, unit="rows")
        yield Chunk(layout.read(batch, numbers), passed)
    if broken:
        yield Chunk(layout.read(pa.RecordBatch.from_pylist([], schema=_as_text(layout)), np.arange(0)), tuple(broken))


def _as_text(layout: Layout) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in layout.columns])


def _csv_names(stream: BinaryIO) -> list[str]:
    first = stream.readline(_BLOCK).decode("utf-8-sig")
    stream.seek(0)
    reader = pa_csv.open_csv(io.BytesIO(first.encode()), read_options=pa_csv.ReadOptions(use_threads=False))
    return list(reader.schema.names)


def _numbers_between(last: int, count: int, broken: Sequence[Broken]) -> IntArray:
    """Number `count` rows after `last`, leaving out the broken ones between them."""
    taken = {one.line_no for one in broken}
    numbers = np.arange(last + 1, last + 1 + count + len(taken))
    return numbers[~np.isin(numbers, list(taken))][:count] if taken else numbers[:count]
