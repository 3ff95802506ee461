"""What a file is, told by its bytes. Pure, and bounded: a packed file is unpacked no further than MAX_UNPACKED."""

from io import BytesIO

from xinyidai.documents.rules import DocumentBursts, DocumentType, DocumentTypeRefused
from xinyidai.foundation.archives import ArchiveBroken, ArchiveTooLarge, parts_of

MAX_UNPACKED = 100 * 1024 * 1024
MAX_RATIO = 200
"""Packed text of office files reaches about 20; a file of zeros reaches 1,000."""
RATIO_COUNTS_FROM = 1024 * 1024
MAX_PARTS = 2_000

_PDF = b"%PDF-"
_PDF_END = b"%%EOF"
_TAIL = 2_048
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_PNG, _PNG_FIRST, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IHDR", b"IEND\xae\x42\x60\x82"
_ZIP = b"PK\x03\x04"
_OFFICE = {"word/document.xml": DocumentType.DOCX, "xl/workbook.xml": DocumentType.XLSX}
_MACROS = "vbaproject.bin"


def type_of(content: bytes) -> DocumentType:
    """Return what a file is, by its first bytes, its end, and for packed files by what is inside.

    Raises
    ------
    DocumentTypeRefused
        None of the kinds that are kept; cut off; with macros; locked by a password.
    DocumentBursts
        Unpacked, it would be larger than MAX_UNPACKED or grow by more than MAX_RATIO.
    """
    if content.startswith(_PDF) and _PDF_END in content[-_TAIL:]:
        return DocumentType.PDF
    if content.startswith(_JPEG) and content.rfind(_JPEG_END) > len(_JPEG):
        return DocumentType.JPEG
    if content.startswith(_PNG) and content[12:16] == _PNG_FIRST and content.endswith(_PNG_END):
        return DocumentType.PNG
    if content.startswith(_ZIP):
        return _packed_type(content)
    raise _refused()


def _packed_type(content: bytes) -> DocumentType:
    most_bytes = min(MAX_UNPACKED, max(RATIO_COUNTS_FROM, len(content) * MAX_RATIO))
    try:
        found = _named_type(parts_of(BytesIO(content), most_parts=MAX_PARTS, most_bytes=most_bytes))
    except ArchiveTooLarge as error:
        raise DocumentBursts from error
    except ArchiveBroken as error:
        raise _refused() from error
    if found is None:
        raise _refused()
    return found


def _named_type(names: frozenset[str]) -> DocumentType | None:
    if any(name.lower().endswith(_MACROS) for name in names):
        return None
    if "OFD.xml" in names:
        return DocumentType.OFD
    if "[Content_Types].xml" not in names:
        return None
    return next((kind for name, kind in _OFFICE.items() if name in names), None)


def _refused() -> DocumentTypeRefused:
    return DocumentTypeRefused(allowed="、".join(one.value.upper() for one in DocumentType))
