"""The audit record, one table, insert only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Index, Uuid, text
from sqlmodel import Field, SQLModel

from xinyidai.foundation.database import type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.sealing import Stream, Xid8, register_stream

RECORDS = register_stream(Stream("audit.record", "audit.sealable_record"))


class AuditRecord(SQLModel, table=True):
    """One act of one principal, and the parties whose data it read or changed."""

    __tablename__ = "record"
    __table_args__ = (
        CheckConstraint("cardinality(subject_ids) <= 1000", name="subjects_bounded"),
        CheckConstraint("cardinality(consent_ids) <= 1000", name="consents_bounded"),
        Index("ix_record_subject_ids", "subject_ids", postgresql_using="gin"),
        Index("ix_record_organisation_id_id", "organisation_id", "id"),
        Index("ix_record_xid", "xid"),
        {"schema": "audit"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    action: str
    principal_id: UUID | None
    principal_kind: str
    organisation_id: UUID | None
    organisation_kind: str | None
    subject_ids: list[UUID] = Field(sa_type=ARRAY(Uuid))
    object_kind: str
    object_id: str
    purpose: str | None
    consent_ids: list[UUID] = Field(sa_type=ARRAY(Uuid))
    happened_at: datetime = Field(sa_type=type_of_moment)
    recorded_at: datetime = Field(sa_type=type_of_moment)
    xid: str = Field(sa_type=Xid8, sa_column_kwargs={"server_default": text("pg_current_xact_id()")})
