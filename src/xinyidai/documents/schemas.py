"""Documents on the wire."""

from datetime import datetime
from uuid import UUID

from litestar.datastructures import UploadFile
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from xinyidai.documents.rules import DocumentType, DocumentView
from xinyidai.foundation.paging import Page

_DOCUMENT: JsonDict = {
    "id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11",
    "owner_id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
    "kind": "pdf",
    "name": "判决书.pdf",
    "byte_count": 48213,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "handed_in_at": "2025-06-16T04:00:00Z",
    "destroyed_at": None,
}


class DocumentIn(BaseModel):
    """One file, in a form of several parts (multipart/form-data)."""

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, json_schema_extra={"example": {"file": "(bytes of the file)"}}
    )

    file: UploadFile = Field(description="The file, with its name; at most 10 MiB")


class DocumentOut(BaseModel):
    """A document without its bytes; `name` is null once it was destroyed."""

    model_config = ConfigDict(json_schema_extra={"example": _DOCUMENT})

    id: UUID
    owner_id: UUID
    kind: DocumentType
    name: str | None
    byte_count: int
    sha256: str
    handed_in_at: datetime
    destroyed_at: datetime | None

    @classmethod
    def of(cls, view: DocumentView) -> "DocumentOut":
        """Build from a document."""
        return cls(
            id=view.id,
            owner_id=view.owner_id,
            kind=view.kind,
            name=view.name,
            byte_count=view.byte_count,
            sha256=view.digest.hex(),
            handed_in_at=view.handed_in_at,
            destroyed_at=view.destroyed_at,
        )


class DocumentPageOut(BaseModel):
    """A page of documents and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"documents": [_DOCUMENT], "next_cursor": None}})

    documents: list[DocumentOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[DocumentView]) -> "DocumentPageOut":
        """Build from a page."""
        return cls(documents=[DocumentOut.of(view) for view in page.rows], next_cursor=page.next_cursor)
