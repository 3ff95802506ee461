"""Tables of objections: the cases, and the policy that says how long they may take and what a repair ends."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Index, LargeBinary, Uuid, text
from sqlmodel import Field, SQLModel

from xinyidai.foundation.database import one_of, type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.objections.rules import FactKind, ObjectionReason, ObjectionRefusal, ObjectionState, Remedy
from xinyidai.objections.rules.repairs import RepairRefusal, RepairState, Severity


class Objection(SQLModel, table=True):
    """One fact that a firm disputes; what the firm says is sealed under the firm's key."""

    __tablename__ = "objection"
    __table_args__ = (
        one_of("kind", FactKind),
        one_of("reason", ObjectionReason),
        one_of("state", ObjectionState),
        one_of("remedy", Remedy),
        one_of("refusal_code", ObjectionRefusal),
        Index(
            "uq_objection_fact_open",
            "firm_id",
            "kind",
            "delivery_no",
            "line_no",
            unique=True,
            postgresql_where=text("settled_at IS NULL"),
        ),
        Index("ix_objection_firm_id_id", "firm_id", "id"),
        Index("ix_objection_sender_id_id", "sender_id", "id"),
        Index("ix_objection_due_on_open", "due_on", postgresql_where=text("settled_at IS NULL")),
        CheckConstraint("(state IN ('filed', 'accepted', 'asked')) = (settled_at IS NULL)", name="settled_once"),
        CheckConstraint("(remedy IS NULL) OR (state IN ('upheld', 'closed'))", name="remedy_when_upheld"),
        CheckConstraint("(refusal_code IS NULL) OR (state IN ('refused', 'closed'))", name="code_when_refused"),
        CheckConstraint("(decided_at IS NULL) = (remedy IS NULL AND refusal_code IS NULL)", name="decided_whole"),
        CheckConstraint("remedy IS NULL OR refusal_code IS NULL", name="decided_one_way"),
        CheckConstraint("(overdue_at IS NULL) = (late_party_id IS NULL)", name="late_whole"),
        {"schema": "objections"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    firm_id: UUID
    kind: str
    delivery_no: int
    line_no: int
    sender_id: UUID
    reason: str
    key_id: UUID
    told_sealed: bytes = Field(sa_type=LargeBinary)
    document_ids: list[UUID] = Field(sa_type=ARRAY(Uuid))
    state: str = ObjectionState.FILED.value
    due_on: date
    is_due_provisional: bool
    filed_by: UUID
    filed_at: datetime = Field(sa_type=type_of_moment)
    accepted_by: UUID | None = None
    accepted_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    asked_by: UUID | None = None
    asked_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    decided_by: UUID | None = None
    decided_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    remedy: str | None = None
    refusal_code: str | None = None
    correction_id: UUID | None = None
    """The delivery that brought the correction."""
    settled_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    closed_by: UUID | None = None
    closed_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    overdue_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    late_party_id: UUID | None = None


class Repair(SQLModel, table=True):
    """A record against a firm that it asks to be let go; decided by two people."""

    __tablename__ = "repair"
    __table_args__ = (
        one_of("kind", FactKind),
        one_of("severity", Severity),
        one_of("state", RepairState),
        one_of("refusal_code", RepairRefusal),
        Index(
            "uq_repair_fact_standing",
            "firm_id",
            "kind",
            "delivery_no",
            "line_no",
            unique=True,
            postgresql_where=text("state NOT IN ('refused', 'withdrawn')"),
        ),
        Index("ix_repair_firm_id_id", "firm_id", "id"),
        Index("ix_repair_due_on_open", "due_on", postgresql_where=text("settled_at IS NULL")),
        CheckConstraint("(state IN ('filed', 'second_review')) = (settled_at IS NULL)", name="settled_once"),
        CheckConstraint("(state = 'refused') = (refusal_code IS NOT NULL)", name="refused_with_code"),
        CheckConstraint(
            "state <> 'repaired' OR (first_reviewed_by IS NOT NULL AND second_reviewed_by IS NOT NULL)",
            name="repaired_by_two",
        ),
        CheckConstraint("second_reviewed_by <> first_reviewed_by", name="two_people"),
        {"schema": "objections"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    firm_id: UUID
    kind: str
    delivery_no: int
    line_no: int
    severity: str
    listed_on: date
    key_id: UUID
    told_sealed: bytes = Field(sa_type=LargeBinary)
    document_ids: list[UUID] = Field(sa_type=ARRAY(Uuid))
    state: str = RepairState.FILED.value
    due_on: date
    is_due_provisional: bool
    filed_by: UUID
    filed_at: datetime = Field(sa_type=type_of_moment)
    first_reviewed_by: UUID | None = None
    first_reviewed_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    second_reviewed_by: UUID | None = None
    refused_by: UUID | None = None
    refusal_code: str | None = None
    settled_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    overdue_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class ClockPolicy(SQLModel, table=True):
    """How long answers may take, by the day from which it holds."""

    __tablename__ = "clock"
    __table_args__ = ({"schema": "objections"},)

    effective_from: date = Field(primary_key=True)
    objection_working_days: int
    repair_working_days: int
    max_open: int
    reason: str


class RepairRulePolicy(SQLModel, table=True):
    """What a repair asks for and ends, by severity and the day from which it holds."""

    __tablename__ = "repair_rule"
    __table_args__ = (one_of("severity", Severity), {"schema": "objections"})

    severity: str = Field(primary_key=True)
    effective_from: date = Field(primary_key=True)
    min_months: int
    ends_use: bool
    is_verified: bool
    basis: str
