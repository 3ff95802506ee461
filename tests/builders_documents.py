"""Files for tests: whole ones of every kind, made here, and such as are refused."""

import zipfile
import zlib
from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from struct import pack

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.documents import service
from xinyidai.documents.rules import DocumentType, DocumentView


def a_pdf(words: str = "判决书") -> bytes:
    """Return the least that is told as a PDF."""
    return b"%PDF-1.7\n% " + words.encode() + b"\nstartxref\n0\n%%EOF\n"


def a_jpeg(words: str = "photo") -> bytes:
    """Return the least that is told as a JPEG."""
    return b"\xff\xd8\xff\xe0" + words.encode() + b"\xff\xd9"


def a_png(words: str = "stamp") -> bytes:
    """Return a PNG of one pixel with a comment."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return pack(">I", len(body)) + name + body + pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixel = chunk(b"IDAT", zlib.compress(b"\x00\x00"))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"tEXt", b"a\x00" + words.encode()) + pixel + chunk(b"IEND", b"")


def packed(parts: Mapping[str, bytes]) -> bytes:
    """Return parts as a packed file."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in parts.items():
            file.writestr(name, body)
    return written.getvalue()


def an_ofd(words: str = "invoice") -> bytes:
    """Return the least that is told as an OFD."""
    return packed({"OFD.xml": b"<OFD/>", "Doc_0/Document.xml": words.encode()})


def a_docx(words: str = "contract", more: Mapping[str, bytes] | None = None) -> bytes:
    """Return the least that is told as a DOCX."""
    return packed({"[Content_Types].xml": b"<Types/>", "word/document.xml": words.encode(), **(more or {})})


def an_xlsx(words: str = "figures") -> bytes:
    """Return the least that is told as an XLSX."""
    return packed({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": words.encode()})


WHOLE = {
    DocumentType.PDF: a_pdf,
    DocumentType.JPEG: a_jpeg,
    DocumentType.PNG: a_png,
    DocumentType.OFD: an_ofd,
    DocumentType.DOCX: a_docx,
    DocumentType.XLSX: an_xlsx,
}


async def a_document(
    session: AsyncSession, owner: Viewer, words: str = "判决书", *, name: str = "判决书.pdf", now: datetime
) -> DocumentView:
    """Return a PDF that the owner handed in; the session is in platform scope again afterwards."""
    await act_as(session, owner, now=now)
    view = await service.hand_in(session, owner, name=name, content=a_pdf(words), now=now)
    await session.flush()
    await act_as_platform(session, now=now)
    return view
