"""Tables beside the held copy: providers' keys, signed statements with their values, receipts of what passed through.

Statements, values and receipts are only ever added. A value is superseded by a later one of the same indicator and day:
from when on is read from the rows, so that nothing has to be written into the earlier one.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, UniqueConstraint, Uuid, text
from sqlmodel import Field, SQLModel

from xinyidai.foundation.database import type_of_fen, type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.sealing import Stream, Xid8, register_stream

STATEMENTS = register_stream(Stream("sources.statement", "sources.sealable_statement"))
RECEIPTS = register_stream(Stream("sources.receipt", "sources.sealable_receipt"))
DERIVED_VALUES = register_stream(Stream("sources.derived_value", "sources.sealable_derived_value"))


class ProviderKey(SQLModel, table=True):
    """A provider's public key: proposed by one person of the operator, approved by another, retired for good."""

    __tablename__ = "provider_key"
    __table_args__ = (
        UniqueConstraint("public_key"),
        CheckConstraint("octet_length(public_key) = 32", name="key_whole"),
        CheckConstraint("valid_from_at < valid_until", name="valid_some_time"),
        CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", name="approved_whole"),
        CheckConstraint("(retired_by IS NULL) = (retired_at IS NULL)", name="retired_whole"),
        CheckConstraint("approved_by <> proposed_by", name="two_people"),
        Index("ix_provider_key_provider_id_id", "provider_id", "id"),
        {"schema": "sources"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    provider_id: UUID
    public_key: bytes = Field(sa_type=LargeBinary)
    valid_from_at: datetime = Field(sa_type=type_of_moment)
    valid_until: datetime = Field(sa_type=type_of_moment)
    proposed_by: UUID
    proposed_at: datetime = Field(sa_type=type_of_moment)
    approved_by: UUID | None = None
    approved_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    retired_by: UUID | None = None
    retired_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class Statement(SQLModel, table=True):
    """What a provider said and signed, word by word. Append-only and sealed."""

    __tablename__ = "statement"
    __table_args__ = (
        UniqueConstraint("provider_id", "statement_id"),
        ForeignKeyConstraint(["key_id"], ["sources.provider_key.id"], name="fk_statement_key_id_provider_key"),
        Index("ix_statement_firm_id_id", "firm_id", "id"),
        Index("ix_statement_xid", "xid"),
        {"schema": "sources"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    statement_id: UUID
    provider_id: UUID
    sent_by: UUID
    firm_id: UUID
    item_code: str
    consent_id: UUID
    key_id: UUID
    words: str
    signature: bytes = Field(sa_type=LargeBinary)
    made_at: datetime = Field(sa_type=type_of_moment)
    received_at: datetime = Field(sa_type=type_of_moment)
    xid: str = Field(
        default=None, sa_type=Xid8, nullable=False, sa_column_kwargs={"server_default": text("pg_current_xact_id()")}
    )


class DerivedValue(SQLModel, table=True):
    """One value of a statement; the newest of an indicator and day stands. Append-only and sealed."""

    __tablename__ = "derived_value"
    __table_args__ = (
        ForeignKeyConstraint(
            ["statement_id"], ["sources.statement.id"], name="fk_derived_value_statement_id_statement"
        ),
        CheckConstraint("covers_from <= covers_to AND covers_to < as_of_on", name="covers_days_before"),
        Index("uq_derived_value_told_once", "firm_id", "indicator", "as_of_on", "recorded_at", unique=True),
        Index("ix_derived_value_xid", "xid"),
        {"schema": "sources"},
    )

    firm_id: UUID = Field(primary_key=True)
    statement_id: UUID = Field(primary_key=True)
    line_no: int = Field(primary_key=True)
    provider_id: UUID
    item_code: str
    consent_id: UUID
    indicator: str
    unit: str
    value: int | None = Field(default=None, sa_type=type_of_fen)
    as_of_on: date
    covers_from: date
    covers_to: date
    method_version: str
    made_at: datetime = Field(sa_type=type_of_moment)
    recorded_at: datetime = Field(sa_type=type_of_moment)
    xid: str = Field(
        default=None, sa_type=Xid8, nullable=False, sa_column_kwargs={"server_default": text("pg_current_xact_id()")}
    )


class Receipt(SQLModel, table=True):
    """What stays of a question that was passed through: never what was answered. Append-only and sealed."""

    __tablename__ = "receipt"
    __table_args__ = (
        ForeignKeyConstraint(["key_id"], ["sources.provider_key.id"], name="fk_receipt_key_id_provider_key"),
        CheckConstraint("octet_length(answer_digest) = 32", name="digest_whole"),
        CheckConstraint("covers_from <= covers_to", name="covers_in_order"),
        Index("ix_receipt_firm_id_id", "firm_id", "id"),
        Index("ix_receipt_asker_id_id", "asker_id", "id"),
        Index("ix_receipt_provider_id_id", "provider_id", "id"),
        Index("ix_receipt_xid", "xid"),
        {"schema": "sources"},
    )

    id: UUID = Field(primary_key=True)
    firm_id: UUID
    asker_id: UUID
    asked_by: UUID
    provider_id: UUID
    item_code: str
    purpose: str
    consent_ids: list[UUID] = Field(sa_type=ARRAY(Uuid))
    covers_from: date
    covers_to: date
    answer_digest: bytes = Field(sa_type=LargeBinary)
    key_id: UUID
    signature: bytes = Field(sa_type=LargeBinary)
    asked_at: datetime = Field(sa_type=type_of_moment)
    answered_at: datetime = Field(sa_type=type_of_moment)
    xid: str = Field(
        default=None, sa_type=Xid8, nullable=False, sa_column_kwargs={"server_default": text("pg_current_xact_id()")}
    )
