"""The table of profiles: what was shown to whom, when."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Index, LargeBinary, Uuid
from sqlmodel import Field, SQLModel

from xinyidai.foundation.database import type_of_moment
from xinyidai.foundation.ids import new_id


class Profile(SQLModel, table=True):
    """One profile that was shown, its values sealed under the firm's key. Append-only."""

    __tablename__ = "profile"
    __table_args__ = (
        CheckConstraint("invoice_rows >= 0", name="rows_counted"),
        CheckConstraint("as_of <= known_at", name="known_when_shown"),
        Index("ix_profile_firm_id_id", "firm_id", "id"),
        {"schema": "profiles"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    firm_id: UUID
    receiver_id: UUID
    purpose: str
    consent_ids: list[UUID] = Field(sa_type=ARRAY(Uuid))
    as_of: datetime = Field(sa_type=type_of_moment)
    known_at: datetime = Field(sa_type=type_of_moment)
    feature_version: str
    key_id: UUID
    values_sealed: bytes = Field(sa_type=LargeBinary)
    invoice_rows: int
    first_issued_on: date | None = None
    last_issued_on: date | None = None
    facts_fingerprint: str
    shown_at: datetime = Field(sa_type=type_of_moment)
