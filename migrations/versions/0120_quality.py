"""quality: rules as data with their own examples, findings, and how every delivery came through.

Thresholds are as a working list has them, from published bounds and tariffs; none is verified with an owner yet.
"""

import csv
import json
from datetime import date
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import steps

revision = "0120"
down_revision = "0110"
branch_labels = None
depends_on = None

FIRST_DAY = date(2016, 1, 1)
RULES = Path(__file__).parents[1] / "sql" / "quality" / "rules_v1.csv"
CLASSES = (
    "'completeness', 'validity', 'uniqueness', 'timeliness', 'row_consistency', 'cross_row', 'cross_source', 'drift'"
)
SEVERITIES = "'error', 'warning', 'notice'"
DECIDED = "state, closed_at, waiver_reason, waiver_asked_by, waiver_asked_at, waiver_decided_by, waiver_decided_at"


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("quality")
    _create_rule()
    _create_finding()
    _create_judged_delivery()
    _create_figures()
    steps.readable("quality.rule")
    steps.writable("quality.finding", f"INSERT, UPDATE ({DECIDED}, delivery_no, line_no)")
    steps.writable("quality.judged_delivery", "INSERT, UPDATE (linked_at)")
    steps.writable("quality.count", "INSERT, UPDATE (checked, failed)")
    steps.writable("quality.batch_figure", "INSERT")
    for table in ("finding", "judged_delivery", "count", "batch_figure"):
        steps.protect(f"quality.{table}", f"sender_id = {steps.VIEWER}")


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("quality")


def _create_rule() -> None:
    rule = op.create_table(
        "rule",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("rule_class", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("fields", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("condition", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("message_zh", sa.String(), nullable=False),
        sa.Column("message_en", sa.String(), nullable=False),
        sa.Column("passing", JSONB(), nullable=False),
        sa.Column("failing", JSONB(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date()),
        sa.CheckConstraint(f"rule_class IN ({CLASSES})", name=op.f("ck_rule_rule_class_known")),
        sa.CheckConstraint(f"severity IN ({SEVERITIES})", name=op.f("ck_rule_severity_known")),
        sa.CheckConstraint("valid_to IS NULL OR valid_from < valid_to", name=op.f("ck_rule_valid_some_day")),
        sa.PrimaryKeyConstraint("code", "version", name="pk_rule"),
        schema="quality",
    )
    op.create_index(
        "uq_rule_code_current",
        "rule",
        ["code"],
        unique=True,
        schema="quality",
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.bulk_insert(rule, [_rule(row) for row in _rows()])


def _rows() -> list[dict[str, str]]:
    with RULES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _rule(row: dict[str, str]) -> dict[str, object]:
    read = {"fields": row["fields"].split(), "passing": json.loads(row["passing"])}
    return {**row, **read, "failing": json.loads(row["failing"]), "version": 1} | {
        "valid_from": FIRST_DAY,
        "valid_to": None,
    }


def _create_finding() -> None:
    op.create_table(
        "finding",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("rule_code", sa.String(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_no", sa.Integer(), nullable=False),
        sa.Column("line_no", sa.Integer()),
        sa.Column("firm_id", sa.Uuid()),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("waiver_reason", sa.String()),
        sa.Column("waiver_asked_by", sa.Uuid()),
        sa.Column("waiver_asked_at", sa.DateTime(timezone=True)),
        sa.Column("waiver_decided_by", sa.Uuid()),
        sa.Column("waiver_decided_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(f"severity IN ({SEVERITIES})", name=op.f("ck_finding_severity_known")),
        sa.CheckConstraint("state IN ('open', 'corrected', 'waived')", name=op.f("ck_finding_state_known")),
        sa.CheckConstraint("(state = 'open') = (closed_at IS NULL)", name=op.f("ck_finding_closed_once")),
        sa.CheckConstraint("(line_no IS NULL) = (firm_id IS NULL)", name=op.f("ck_finding_of_a_row_or_a_delivery")),
        sa.CheckConstraint(
            "(waiver_asked_at IS NULL) = (waiver_reason IS NULL)", name=op.f("ck_finding_asked_with_a_reason")
        ),
        sa.CheckConstraint(
            "(state = 'waived') <= (waiver_decided_by IS NOT NULL)", name=op.f("ck_finding_waived_by_somebody")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_finding"),
        schema="quality",
    )
    op.create_index(
        "uq_finding_standing",
        "finding",
        ["delivery_no", "line_no", "rule_code"],
        unique=True,
        schema="quality",
        postgresql_where=sa.text("state <> 'corrected'"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_index("ix_finding_sender_id_id", "finding", ["sender_id", "id"], schema="quality")
    op.create_index(
        "ix_finding_firm_id_open",
        "finding",
        ["firm_id"],
        schema="quality",
        postgresql_where=sa.text("state = 'open'"),
    )


def _create_judged_delivery() -> None:
    op.create_table(
        "judged_delivery",
        sa.Column("delivery_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("judged", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("unknown_firm", sa.Integer(), nullable=False),
        sa.Column("newest_on", sa.Date()),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("failed <= judged", name=op.f("ck_judged_delivery_failed_of_the_judged")),
        sa.PrimaryKeyConstraint("delivery_no", name="pk_judged_delivery"),
        schema="quality",
    )
    op.create_index(
        "ix_judged_delivery_unlinked",
        "judged_delivery",
        ["delivery_no"],
        schema="quality",
        postgresql_where=sa.text("linked_at IS NULL"),
    )
    op.create_index(
        "ix_judged_delivery_sender_id_item_code",
        "judged_delivery",
        ["sender_id", "item_code", "delivery_no"],
        schema="quality",
    )


def _create_figures() -> None:
    op.create_table(
        "count",
        sa.Column("delivery_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rule_code", sa.String(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("checked", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.CheckConstraint("failed <= checked", name=op.f("ck_count_failed_of_the_checked")),
        sa.PrimaryKeyConstraint("delivery_no", "rule_code", name="pk_count"),
        schema="quality",
    )
    op.create_table(
        "batch_figure",
        sa.Column("delivery_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("column_name", sa.String(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("zeros", sa.Integer(), nullable=False),
        sa.Column("blanks", sa.Integer(), nullable=False),
        sa.Column("mean", sa.BigInteger()),
        sa.PrimaryKeyConstraint("delivery_no", "column_name", name="pk_batch_figure"),
        schema="quality",
    )
