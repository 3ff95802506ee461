"""Tables of the room: the rules, what they found, and how every delivery came through."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Index, Text, text
from sqlmodel import Field, SQLModel

from xinyidai.foundation.database import one_of, type_of_fen, type_of_json, type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.quality.rules import FindingState, RuleClass, Severity
from xinyidai.quality.rules.columns import Plain


class QualityRule(SQLModel, table=True):
    """One version of a rule, in force from a Shanghai day until before another."""

    __tablename__ = "rule"
    __table_args__ = (
        one_of("rule_class", RuleClass),
        one_of("severity", Severity),
        CheckConstraint("valid_to IS NULL OR valid_from < valid_to", name="valid_some_day"),
        Index("uq_rule_code_current", "code", unique=True, postgresql_where=text("valid_to IS NULL")),
        {"schema": "quality"},
    )

    code: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    item_code: str
    rule_class: str
    severity: str
    fields: list[str] = Field(sa_type=ARRAY(Text))
    condition: str
    name_zh: str
    name_en: str
    message_zh: str
    message_en: str
    passing: dict[str, Plain] = Field(sa_type=type_of_json)
    failing: dict[str, Plain] = Field(sa_type=type_of_json)
    valid_from: date
    valid_to: date | None = None


class Finding(SQLModel, table=True):
    """What a rule found in a line of a delivery, or, without a line, in a delivery as a whole.

    No foreign key to the fact, whose table depends on the item: a finding tells a reference and never what it says.
    """

    __tablename__ = "finding"
    __table_args__ = (
        one_of("severity", Severity),
        one_of("state", FindingState),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed_once"),
        CheckConstraint("(line_no IS NULL) = (firm_id IS NULL)", name="of_a_row_or_a_delivery"),
        CheckConstraint("(waiver_asked_at IS NULL) = (waiver_reason IS NULL)", name="asked_with_a_reason"),
        CheckConstraint("(state = 'waived') <= (waiver_decided_by IS NOT NULL)", name="waived_by_somebody"),
        CheckConstraint("(state = 'waived') <= (waiver_until_on IS NOT NULL)", name="waived_until_some_day"),
        Index(
            "uq_finding_standing",
            "delivery_no",
            "line_no",
            "rule_code",
            unique=True,
            postgresql_where=text("state IN ('open', 'waived')"),
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_finding_sender_id_id", "sender_id", "id"),
        Index("ix_finding_firm_id_standing", "firm_id", postgresql_where=text("state IN ('open', 'waived')")),
        Index("ix_finding_waiver_until_on", "waiver_until_on", postgresql_where=text("state = 'waived'")),
        {"schema": "quality"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    item_code: str
    rule_code: str
    rule_version: int
    severity: str
    sender_id: UUID
    delivery_no: int
    line_no: int | None = None
    firm_id: UUID | None = None
    state: str = FindingState.OPEN.value
    first_seen_at: datetime = Field(sa_type=type_of_moment)
    closed_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    waiver_reason: str | None = None
    waiver_asked_by: UUID | None = None
    waiver_asked_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    waiver_decided_by: UUID | None = None
    waiver_decided_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    waiver_until_on: date | None = None
    """The day on which a granted waiver ends; it stays when it has ended."""


class JudgedDelivery(SQLModel, table=True):
    """How one delivery came through: counts, never a row's content.

    `judged` are its facts that were current and readable when it was judged, `failed` those of them with an error;
    `refused` are the rows kept aside at the door but repeats and those of firms that allow nothing.
    """

    __tablename__ = "judged_delivery"
    __table_args__ = (
        CheckConstraint("failed <= judged", name="failed_of_the_judged"),
        Index("ix_judged_delivery_unlinked", "delivery_no", postgresql_where=text("linked_at IS NULL")),
        Index("ix_judged_delivery_sender_id_item_code", "sender_id", "item_code", "delivery_no"),
        {"schema": "quality"},
    )

    delivery_no: int = Field(primary_key=True)
    delivery_id: UUID
    sender_id: UUID
    item_code: str
    received_at: datetime = Field(sa_type=type_of_moment)
    received: int
    judged: int
    failed: int
    refused: int
    unknown_firm: int
    newest_on: date | None = None
    judged_at: datetime = Field(sa_type=type_of_moment)
    linked_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    """When its firms were judged over all their rows and sources."""


class RuleTally(SQLModel, table=True):
    """How often one rule was asked in one delivery, and how often it said no."""

    __tablename__ = "count"
    __table_args__ = (CheckConstraint("failed <= checked", name="failed_of_the_checked"), {"schema": "quality"})

    delivery_no: int = Field(primary_key=True)
    rule_code: str = Field(primary_key=True)
    rule_version: int
    sender_id: UUID
    checked: int
    failed: int


class BatchFigure(SQLModel, table=True):
    """Figures of one column of one delivery, kept so that the next is compared without reading facts again.

    `mean` is in the column's own unit, rounded; None where the column holds no numbers.
    """

    __tablename__ = "batch_figure"
    __table_args__ = ({"schema": "quality"},)

    delivery_no: int = Field(primary_key=True)
    column_name: str = Field(primary_key=True)
    sender_id: UUID
    item_code: str
    rows: int
    zeros: int
    blanks: int
    mean: int | None = Field(default=None, sa_type=type_of_fen)
