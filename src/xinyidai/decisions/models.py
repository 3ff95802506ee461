"""Tables of decisions."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Index, LargeBinary, Uuid, text
from sqlmodel import Field, SQLModel

from xinyidai.foundation.canonical import Json
from xinyidai.foundation.database import type_of_json, type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.sealing import Stream, Xid8, register_stream

STREAM = register_stream(Stream("decisions.decision", "decisions.decision_leaf"))


class SubjectKey(SQLModel, table=True):
    """A key of one subject, wrapped by the platform's; at most one lives, and a destroyed one leaves its dates."""

    __tablename__ = "subject_key"
    __table_args__ = (
        CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name="destroyed"),
        Index(
            "uq_subject_key_live",
            "subject_id",
            unique=True,
            postgresql_where=text("destroyed_at IS NULL"),
        ),
        {"schema": "decisions"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    subject_id: UUID
    wrapped: bytes | None = Field(default=None, sa_type=LargeBinary)
    made_at: datetime = Field(sa_type=type_of_moment)
    destroyed_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    last_lent_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class Retention(SQLModel, table=True):
    """How many months the inputs of decisions of a kind are kept, from a Shanghai day on until the next row's."""

    __tablename__ = "retention"
    __table_args__ = (CheckConstraint("months > 0", name="months_positive"), {"schema": "decisions"})

    kind: str = Field(primary_key=True)
    valid_from: date = Field(primary_key=True)
    months: int
    legal_basis: str
    is_basis_verified: bool


class Decision(SQLModel, table=True):
    """One automated decision about one subject. Append-only and sealed."""

    __tablename__ = "decision"
    __table_args__ = (
        Index("ix_decision_subject_id_id", "subject_id", "id"),
        {"schema": "decisions"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str
    subject_id: UUID
    key_id: UUID = Field(foreign_key="decisions.subject_key.id")
    made_at: datetime = Field(sa_type=type_of_moment)
    vector_sealed: bytes = Field(sa_type=LargeBinary)
    vector_digest: bytes = Field(sa_type=LargeBinary)
    reasons_sealed: bytes = Field(sa_type=LargeBinary)
    outcome: dict[str, Json] = Field(sa_type=type_of_json)
    versions: dict[str, str] = Field(sa_type=type_of_json)
    consent_ids: list[UUID] = Field(sa_type=ARRAY(Uuid))
    xid: str = Field(sa_type=Xid8, sa_column_kwargs={"server_default": text("pg_current_xact_id()")})
