"""The consents' table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Index, LargeBinary, Text, Uuid
from sqlmodel import Field, SQLModel

from xinyidai.consents.rules import ConsentState, Purpose, SubjectKind
from xinyidai.foundation.database import one_of, type_of_moment
from xinyidai.foundation.ids import new_id


class Consent(SQLModel, table=True):
    """What one subject allowed once; only its revocation is ever added, by a trigger's word."""

    __tablename__ = "consent"
    __table_args__ = (
        one_of("subject_kind", SubjectKind),
        one_of("purpose", Purpose),
        CheckConstraint("state IN ('active', 'revoked')", name="state_known"),
        CheckConstraint("(state = 'revoked') = (revoked_at IS NOT NULL)", name="revoked_has_moment"),
        CheckConstraint("granted_at < expires_at", name="expires_later"),
        CheckConstraint(
            "purpose <> 'credit_query' OR (cardinality(receiver_ids) = 1 AND cardinality(item_codes) = 0)",
            name="authority_names_one",
        ),
        Index("ix_consent_subject_id_purpose", "subject_id", "purpose"),
        {"schema": "consents"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    subject_id: UUID
    subject_kind: str
    purpose: str
    item_codes: list[str] = Field(sa_type=ARRAY(Text))
    receiver_ids: list[UUID] = Field(sa_type=ARRAY(Uuid))
    granted_by: UUID
    granted_at: datetime = Field(sa_type=type_of_moment)
    expires_at: datetime = Field(sa_type=type_of_moment)
    text_version: str
    text_digest: bytes = Field(sa_type=LargeBinary)
    state: str = ConsentState.ACTIVE
    revoked_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    revoked_by: UUID | None = None
