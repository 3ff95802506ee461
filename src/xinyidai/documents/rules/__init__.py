"""Documents: what may be kept, under which name, and why a file is refused. Pure."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from xinyidai.foundation.errors import Refusal

DocumentId = NewType("DocumentId", UUID)

MAX_BYTES = 10 * 1024 * 1024
MAX_NAME = 200
MAX_OPENED = 20
"""How many documents one act of a higher room may open."""


_NO_LETTERS = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories: control, formatting, surrogates, private use, separators of lines and paragraphs."""


class DocumentType(StrEnum):
    """What a file may be. OFD (GB/T 33190) is what Chinese e-invoices and official papers come as."""

    PDF = "pdf"
    JPEG = "jpeg"
    PNG = "png"
    OFD = "ofd"
    DOCX = "docx"
    XLSX = "xlsx"


MEDIA_TYPES: Mapping[DocumentType, str] = {
    DocumentType.PDF: "application/pdf",
    DocumentType.JPEG: "image/jpeg",
    DocumentType.PNG: "image/png",
    DocumentType.OFD: "application/ofd",
    DocumentType.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    DocumentType.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
SUFFIXES: Mapping[DocumentType, tuple[str, ...]] = {one: (one.value,) for one in DocumentType} | {
    DocumentType.JPEG: ("jpg", "jpeg")
}


class DocumentEmpty(Refusal):
    """The file holds no bytes."""

    code = "document_empty"
    status = 422
    title_zh = "文件是空的"
    title_en = "The file is empty"


class DocumentTooLarge(Refusal):
    """The file is larger than one document may be."""

    code = "document_too_large"
    status = 413
    title_zh = "文件超过 {most_bytes} 字节"
    title_en = "The file is larger than {most_bytes} bytes"


class DocumentTypeRefused(Refusal):
    """The bytes are of no kind that is kept, are cut off, carry macros, or are locked by a password."""

    code = "document_type_refused"
    status = 422
    title_zh = "只接受完整、未加密、不含宏的文件：{allowed}"
    title_en = "Only whole files without password or macros are taken: {allowed}"


class DocumentBursts(Refusal):
    """Unpacked, the file would be far larger than it looks (压缩炸弹)."""

    code = "document_bursts"
    status = 422
    title_zh = "文件解压后过大，未予接收"
    title_en = "Unpacked, the file would be too large; it was not taken"


class DocumentNameRefused(Refusal):
    """The name is missing, too long, or holds characters that no file's name should."""

    code = "document_name_refused"
    status = 422
    title_zh = "文件名须为 1 至 {most} 个字，且不含控制字符和路径"
    title_en = "A file's name has 1 to {most} characters, none of them control characters or parts of a path"


class DocumentNameDisagrees(Refusal):
    """The name says another kind of file than the bytes do."""

    code = "document_name_disagrees"
    status = 422
    title_zh = "文件名与内容不符：内容是 {found}"
    title_en = "Name and content disagree: the content is {found}"


class DocumentDestroyed(Refusal):
    """The document was destroyed; its digest is what is left."""

    code = "document_destroyed"
    status = 410
    title_zh = "文件已销毁，只保留摘要"
    title_en = "The document was destroyed; only its digest is kept"


class DocumentInUse(Refusal):
    """A case that is not closed rests on the document."""

    code = "document_in_use"
    status = 409
    title_zh = "文件正用于未办结的事项，不能销毁"
    title_en = "A case that is still open rests on the document; it cannot be destroyed"


class DocumentAltered(Refusal):
    """What is stored is not what was handed in: nobody is shown it."""

    code = "document_altered"
    status = 409
    title_zh = "存储的文件与登记的摘要不一致，已停止提供，请联系平台"
    title_en = "What is stored is not what was handed in; it is shown to nobody. Tell the platform"


class TooManyDocuments(Refusal):
    """More documents are named than one case may rest on."""

    code = "too_many_documents"
    status = 422
    title_zh = "一次最多使用 {most} 份文件"
    title_en = "At most {most} documents may be used at once"


@dataclass(frozen=True)
class DocumentView:
    """A document without its bytes; `name` is None once it was destroyed."""

    id: DocumentId
    owner_id: UUID
    kind: DocumentType
    name: str | None
    byte_count: int
    digest: bytes
    handed_in_at: datetime
    destroyed_at: datetime | None


@dataclass(frozen=True)
class Content:
    """A document with its bytes, which were checked against its digest."""

    view: DocumentView
    plain: bytes


def check_size(byte_count: int) -> None:
    """Refuse no bytes and too many.

    Raises
    ------
    DocumentEmpty, DocumentTooLarge
    """
    if not byte_count:
        raise DocumentEmpty
    if byte_count > MAX_BYTES:
        raise DocumentTooLarge(most_bytes=MAX_BYTES)


def clean_name(name: str) -> str:
    """Return a name in one Unicode form, without blanks around it.

    Letters that turn the direction of writing are refused with the control characters: by them ``gpj.exe`` reads as
    ``exe.jpg``.

    Raises
    ------
    DocumentNameRefused
    """
    cleaned = unicodedata.normalize("NFC", name).strip()
    is_bad = any(letter in "/\\" or unicodedata.category(letter) in _NO_LETTERS for letter in cleaned)
    if not 1 <= len(cleaned) <= MAX_NAME or is_bad or not cleaned.strip("."):
        raise DocumentNameRefused(most=MAX_NAME)
    return cleaned


def check_name_agrees(name: str, found: DocumentType) -> None:
    """Refuse a name whose suffix is not one of the found type's.

    Raises
    ------
    DocumentNameDisagrees
    """
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    if suffix not in SUFFIXES[found]:
        raise DocumentNameDisagrees(found=found.value)
