"""Tables of documents: the sealed bytes, and to whom they were opened."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from xinyidai.documents.rules import MAX_BYTES, DocumentType
from xinyidai.foundation.database import one_of, type_of_moment
from xinyidai.foundation.ids import new_id


class Document(SQLModel, table=True):
    """One file of one owner; destroyed, its key, name and bytes are gone and its digest stays."""

    __tablename__ = "document"
    __table_args__ = (
        one_of("kind", DocumentType),
        Index(
            "uq_document_owner_id_digest_kept",
            "owner_id",
            "digest",
            unique=True,
            postgresql_where=text("destroyed_at IS NULL"),
        ),
        Index("ix_document_owner_id_id", "owner_id", "id"),
        CheckConstraint(f"byte_count BETWEEN 1 AND {MAX_BYTES}", name="byte_count_in_range"),
        CheckConstraint("octet_length(digest) = 32", name="digest_whole"),
        CheckConstraint(
            "(destroyed_at IS NULL) = (wrapped_key IS NOT NULL)"
            " AND (destroyed_at IS NULL) = (name_sealed IS NOT NULL)"
            " AND (destroyed_at IS NULL) = (content_sealed IS NOT NULL)"
            " AND (destroyed_at IS NULL) = (destroyed_by IS NULL)",
            name="destroyed_whole",
        ),
        {"schema": "documents"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    owner_id: UUID
    kind: str
    byte_count: int
    digest: bytes = Field(sa_type=LargeBinary)
    wrapped_key: bytes | None = Field(default=None, sa_type=LargeBinary)
    name_sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    content_sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    handed_in_by: UUID
    handed_in_at: datetime = Field(sa_type=type_of_moment)
    destroyed_by: UUID | None = None
    destroyed_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class OpenedTo(SQLModel, table=True):
    """That a higher room let an organisation see a document, for one case of its own, and until when."""

    __tablename__ = "opened_to"
    __table_args__ = (
        Index("ix_opened_to_object_kind_object_id", "object_kind", "object_id"),
        CheckConstraint("closed_at >= opened_at", name="closed_later"),
        {"schema": "documents"},
    )

    document_id: UUID = Field(primary_key=True, foreign_key="documents.document.id")
    organisation_id: UUID = Field(primary_key=True)
    object_kind: str = Field(primary_key=True)
    object_id: UUID = Field(primary_key=True)
    owner_id: UUID
    opened_at: datetime = Field(sa_type=type_of_moment)
    closed_at: datetime | None = Field(default=None, sa_type=type_of_moment)
