"""Tables to take away: one sheet of cells with units, written as CSV and as XLSX. Pure.

An amount takes two columns, yuan with two decimals for reading and whole fen for reckoning. A text never becomes a
formula: a spreadsheet would run what a stranger typed as a name.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO, StringIO
from typing import Final

from xlsxwriter import Workbook

from xinyidai.foundation.pages.figures import FEN_PER_YUAN
from xinyidai.foundation.pages.words import Both, Language, Message, Said, in_language

BYTE_ORDER_MARK: Final = "\ufeff"
"""Without it spreadsheets read a CSV in the machine's old code page."""
_STARTS_A_FORMULA: Final = "=+-@＝＋－＠"
_WIDTH: Final = 18

Cell = str | int | Message | Both | None


class Unit(StrEnum):
    """What a column's whole numbers count."""

    TEXT = "text"
    COUNT = "count"
    FEN = "fen"
    BP = "bp"
    PPM = "ppm"
    PER_MILLE = "per_mille"
    """Kept in ppm, shown in thousandths."""


_MARKS: Final = {Unit.BP: " (%)", Unit.PPM: " (%)", Unit.PER_MILLE: " (‰)"}


class FileKind(StrEnum):
    """As what a table is taken away."""

    CSV = "csv"
    XLSX = "xlsx"

    @property
    def media_type(self) -> str:
        """Return what the answer says it is."""
        if self is FileKind.CSV:
            return "text/csv"
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True)
class Column:
    """A column: the code of its definition, its head, and its unit."""

    code: str
    title: Said
    unit: Unit = Unit.COUNT


@dataclass(frozen=True)
class Sheet:
    """A table with what must be known to read it: `notes` are (label, text) above the heads."""

    title: Said
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[tuple[Said, Said | str], ...] = ()


@dataclass(frozen=True)
class _Written:
    """A cell as it is written: a text, or a number with the spreadsheet's format."""

    text: str
    number: float | int | None = None
    format: str = ""


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: one that begins like one gets an apostrophe."""
    return f"'{text}" if text.lstrip()[:1] in tuple(_STARTS_A_FORMULA) or text[:1] in tuple("\t\r\n") else text


def file_of(sheet: Sheet, kind: FileKind, language: Language) -> bytes:
    """Return the sheet as a file's bytes."""
    return csv_of(sheet, language) if kind is FileKind.CSV else xlsx_of(sheet, language)


def csv_of(sheet: Sheet, language: Language) -> bytes:
    """Return the sheet as CSV: the title, the notes, an empty row, the heads, the rows."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for row in _above(sheet, language):
        writer.writerow([harmless(text) for text in row])
    writer.writerow([])
    writer.writerow([harmless(head) for head in _heads(sheet, language)])
    for cells in _lines(sheet, language):
        writer.writerow([cell.text if cell.number is not None else harmless(cell.text) for cell in cells])
    return (BYTE_ORDER_MARK + out.getvalue()).encode()


def xlsx_of(sheet: Sheet, language: Language) -> bytes:
    """Return the sheet as XLSX, laid out like the CSV; texts are texts and numbers numbers."""
    return book_of([sheet], language)


def book_of(sheets: Sequence[Sheet], language: Language) -> bytes:
    """Return sheets as the numbered worksheets of one XLSX file."""
    out = BytesIO()
    book = Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    bold = book.add_format({"bold": True})
    formats = {style: book.add_format({"num_format": style}) for style in ("0", "#,##0", "#,##0.00", "0.00%", "0.000")}
    for sheet in sheets:
        page = book.add_worksheet()
        above = list(_above(sheet, language))
        for line, texts in enumerate(above):
            for place, text in enumerate(texts):
                page.write_string(line, place, text, bold if line == 0 else None)
        heads = _heads(sheet, language)
        top = len(above) + 1
        for place, head in enumerate(heads):
            page.write_string(top, place, head, bold)
        for line, cells in enumerate(_lines(sheet, language), start=top + 1):
            for place, cell in enumerate(cells):
                if cell.number is not None:
                    page.write_number(line, place, cell.number, formats[cell.format])
                else:
                    page.write_string(line, place, cell.text)
        page.set_column(0, max(0, len(heads) - 1), _WIDTH)
        page.freeze_panes(top + 1, 1)
    book.close()
    return out.getvalue()


def _above(sheet: Sheet, language: Language) -> Iterator[list[str]]:
    yield [in_language(sheet.title, language)]
    for label, said in sheet.notes:
        yield [in_language(label, language), said if isinstance(said, str) else in_language(said, language)]


def _heads(sheet: Sheet, language: Language) -> list[str]:
    heads: list[str] = []
    for column in sheet.columns:
        title = in_language(column.title, language)
        if column.unit is Unit.FEN:
            yuan, fen = ("元", "分") if language is Language.ZH else ("yuan", "fen")
            heads += [f"{title} ({yuan})", f"{title} ({fen})"]
        else:
            heads.append(title + _MARKS.get(column.unit, ""))
    return heads


def _lines(sheet: Sheet, language: Language) -> Iterator[list[_Written]]:
    for row in sheet.rows:
        pairs = zip(sheet.columns, row, strict=True)
        yield [written for column, cell in pairs for written in _written(column.unit, cell, language)]


def _written(unit: Unit, cell: Cell, language: Language) -> list[_Written]:
    if cell is None:
        return [_Written("")] * (2 if unit is Unit.FEN else 1)
    if not isinstance(cell, int):
        return [_Written(cell if isinstance(cell, str) else in_language(cell, language))]
    if unit is Unit.FEN:
        whole, rest = divmod(abs(cell), FEN_PER_YUAN)
        yuan = f"{'-' if cell < 0 else ''}{whole}.{rest:02d}"
        return [_Written(yuan, cell / FEN_PER_YUAN, "#,##0.00"), _Written(str(cell), cell, "0")]
    if unit is Unit.BP:
        return [_Written(f"{cell / 100:.2f}", cell / 10_000, "0.00%")]
    if unit is Unit.PPM:
        return [_Written(f"{cell / 10_000:.4f}", cell / 1_000_000, "0.00%")]
    if unit is Unit.PER_MILLE:
        return [_Written(f"{cell / 1_000:.3f}", cell / 1_000, "0.000")]
    return [_Written(str(cell), cell, "#,##0")]
