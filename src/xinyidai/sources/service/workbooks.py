"""Excel files: looked at as the archives they are before anything is unpacked, then read as plain cells.

An .xlsx is a zip of XML: a few kilobytes can stand for gigabytes. So the sizes that its directory names are added up
first, and each part is unpacked once, no further than its named size and with its checksum, before the reader sees it.
"""

import zipfile
import zlib
from typing import BinaryIO, Final

from python_calamine import CalamineError, CalamineWorkbook

from xinyidai.sources.rules import FileFormat, FileTooLarge, FileUnreadable
from xinyidai.sources.rules.workbooks import Cell

MAX_UNPACKED_BYTES: Final = 256 * 1024**2
MAX_PARTS: Final = 1_000
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What a broken, encrypted or oddly packed archive raises."""


def check_workbook(stream: BinaryIO) -> None:
    """Refuse what is no Excel file, or would unpack to too much; the stream is at its beginning afterwards."""
    try:
        with zipfile.ZipFile(stream) as archive:
            parts = archive.infolist()
            if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
                raise FileTooLarge(most=MAX_UNPACKED_BYTES, unit="bytes unpacked")
            is_whole = archive.testzip() is None
    except _BROKEN as error:
        raise FileUnreadable(format=FileFormat.XLSX) from error
    if not is_whole or not any(part.filename == "xl/workbook.xml" for part in parts):
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
