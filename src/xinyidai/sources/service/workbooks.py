"""Excel files: looked at as the archives they are before anything is unpacked for good, then read as plain cells."""

from typing import BinaryIO, Final

from python_calamine import CalamineError, CalamineWorkbook

from xinyidai.foundation.archives import ArchiveBroken, ArchiveTooLarge, parts_of
from xinyidai.sources.rules import FileFormat, FileTooLarge, FileUnreadable
from xinyidai.sources.rules.workbooks import Cell

MAX_UNPACKED_BYTES: Final = 256 * 1024**2
MAX_PARTS: Final = 1_000


def check_workbook(stream: BinaryIO) -> None:
    """Refuse what is no Excel file, or would unpack to too much; the stream is at its beginning afterwards."""
    try:
        names = parts_of(stream, most_parts=MAX_PARTS, most_bytes=MAX_UNPACKED_BYTES)
    except ArchiveTooLarge as error:
        raise FileTooLarge(most=MAX_UNPACKED_BYTES, unit="bytes unpacked") from error
    except ArchiveBroken as error:
        raise FileUnreadable(format=FileFormat.XLSX) from error
    if "xl/workbook.xml" not in names:
        raise FileUnreadable(format=FileFormat.XLSX)
    stream.seek(0)


def read_workbook(stream: BinaryIO) -> tuple[list[str], list[list[Cell]]]:
    """Return the header and the rows of the first sheet; a row shorter than the header is filled with nothing."""
    try:
        workbook = CalamineWorkbook.from_filelike(stream)
        cells = workbook.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, IndexError) as error:
        raise FileUnreadable(format=FileFormat.XLSX) from error
    header = [str(cell).strip() for cell in cells[0]] if cells else []
    return header, [row + [""] * (len(header) - len(row)) for row in cells[1:]]
