"""The tables of consents, and of how wide they may be."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, Text, Uuid, text
from sqlmodel import Field, SQLModel

from xinyidai.consents.rules import ConsentState, Purpose, SubjectKind
from xinyidai.foundation.database import one_of, type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.sealing import Stream, Xid8, register_stream

ACTS = register_stream(Stream("consents.act", "consents.sealable_act"))


class Consent(SQLModel, table=True):
    """What one subject allowed once; only its revocation is ever added, by a trigger's word."""

    __tablename__ = "consent"
    __table_args__ = (
        one_of("subject_kind", SubjectKind),
        one_of("purpose", Purpose),
        CheckConstraint("state IN ('active', 'revoked')", name="state_known"),
        CheckConstraint("(state = 'revoked') = (revoked_at IS NOT NULL)", name="revoked_has_moment"),
        CheckConstraint("granted_at < expires_at", name="expires_later"),
        CheckConstraint("data_life_days > 0", name="data_life_positive"),
        CheckConstraint(
            "purpose <> 'credit_query' OR (cardinality(receiver_ids) = 1 AND cardinality(item_codes) = 0)",
            name="authority_names_one",
        ),
        Index("ix_consent_subject_id_purpose", "subject_id", "purpose"),
        Index("ix_consent_xid", "xid"),
        Index("ix_consent_revoked_xid", "revoked_xid"),
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
    data_life_days: int | None = None
    xid: str = Field(
        default=None, sa_type=Xid8, nullable=False, sa_column_kwargs={"server_default": text("pg_current_xact_id()")}
    )
    revoked_xid: str | None = Field(default=None, sa_type=Xid8)
    """Which transaction gave and which revoked it, for sealing: a trigger writes both, whatever is sent."""


class ItemWithdrawal(SQLModel, table=True):
    """One item that a subject took back of a consent, for good; the rest of the consent stands."""

    __tablename__ = "item_withdrawal"
    __table_args__ = (
        ForeignKeyConstraint(["consent_id"], ["consents.consent.id"], name="fk_item_withdrawal_consent_id_consent"),
        Index("ix_item_withdrawal_xid", "xid"),
        {"schema": "consents"},
    )

    consent_id: UUID = Field(primary_key=True)
    item_code: str = Field(primary_key=True)
    withdrawn_at: datetime = Field(sa_type=type_of_moment)
    withdrawn_by: UUID
    xid: str = Field(
        default=None, sa_type=Xid8, nullable=False, sa_column_kwargs={"server_default": text("pg_current_xact_id()")}
    )


class PurposePolicyRow(SQLModel, table=True):
    """One version of what a consent may allow for a purpose; a new version closes the one before."""

    __tablename__ = "purpose_policy"
    __table_args__ = (
        one_of("purpose", Purpose),
        CheckConstraint("valid_to IS NULL OR valid_from < valid_to", name="valid_some_day"),
        CheckConstraint("most_months > 0 AND most_receivers > 0 AND most_data_life_days > 0", name="bounds_positive"),
        CheckConstraint(
            "(most_data_life_days IS NULL) = (cardinality(categories) + cardinality(item_codes) = 0)",
            name="what_is_read_has_a_life",
        ),
        Index("uq_purpose_policy_purpose_current", "purpose", unique=True, postgresql_where=text("valid_to IS NULL")),
        {"schema": "consents"},
    )

    purpose: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    valid_from: date
    valid_to: date | None = None
    most_months: int
    most_receivers: int
    most_data_life_days: int | None = None
    categories: list[str] = Field(sa_type=ARRAY(Text))
    item_codes: list[str] = Field(sa_type=ARRAY(Text))
    receiver_kinds: list[str] = Field(sa_type=ARRAY(Text))
    legal_basis: str
    is_verified: bool
