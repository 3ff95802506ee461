"""objections: disputed facts, repairs of records, and the policy of both."""

from datetime import date

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps

revision = "0140"
down_revision = "0130"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
KINDS = "'vat_invoice', 'honour_list', 'penalty', 'enforcement'"
SEVERITIES = "'minor', 'ordinary', 'serious'"
FACT = ["firm_id", "kind", "delivery_no", "line_no"]


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("objections")
    _create_objection()
    _create_repair()
    _create_clock()
    _create_repair_rule()
    steps.writable(
        "objections.objection",
        "INSERT, UPDATE (state, accepted_by, accepted_at, asked_by, asked_at, decided_by, decided_at, remedy,"
        " refusal_code, correction_id, settled_at, closed_by, closed_at, overdue_at, late_party_id)",
    )
    steps.writable(
        "objections.repair",
        "INSERT, UPDATE (state, first_reviewed_by, first_reviewed_at, second_reviewed_by, refused_by, refusal_code,"
        " settled_at, overdue_at)",
    )
    # A firm files; every later step is taken in platform scope by a service that has checked whose step it is.
    steps.protect(
        "objections.objection",
        f"firm_id = {steps.VIEWER} OR (sender_id = {steps.VIEWER} AND asked_at IS NOT NULL)",
        check=f"firm_id = {steps.VIEWER} AND state = 'filed'",
    )
    steps.protect(
        "objections.repair", f"firm_id = {steps.VIEWER}", check=f"firm_id = {steps.VIEWER} AND state = 'filed'"
    )


def _of_a_case() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("delivery_no", sa.Integer(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("told_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("document_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("is_due_provisional", sa.Boolean(), nullable=False),
        sa.Column("filed_by", sa.Uuid(), nullable=False),
        sa.Column("filed_at", MOMENT, nullable=False),
        sa.Column("refusal_code", sa.String()),
        sa.Column("settled_at", MOMENT),
        sa.Column("overdue_at", MOMENT),
    ]


def _checks(table: str, checks: dict[str, str]) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}")) for name, rule in checks.items()]


def _create_objection() -> None:
    op.create_table(
        "objection",
        *_of_a_case(),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("accepted_by", sa.Uuid()),
        sa.Column("accepted_at", MOMENT),
        sa.Column("asked_by", sa.Uuid()),
        sa.Column("asked_at", MOMENT),
        sa.Column("decided_by", sa.Uuid()),
        sa.Column("decided_at", MOMENT),
        sa.Column("remedy", sa.String()),
        sa.Column("correction_id", sa.Uuid()),
        sa.Column("closed_by", sa.Uuid()),
        sa.Column("closed_at", MOMENT),
        sa.Column("late_party_id", sa.Uuid()),
        sa.PrimaryKeyConstraint("id", name="pk_objection"),
        *_checks(
            "objection",
            {
                "kind_known": f"kind IN ({KINDS})",
                "reason_known": "reason IN ('not_ours', 'amount_wrong', 'date_wrong', 'counterparty_wrong',"
                " 'status_wrong', 'twice')",
                "state_known": "state IN ('filed', 'accepted', 'asked', 'upheld', 'refused', 'closed', 'withdrawn')",
                "remedy_known": "remedy IN ('corrected', 'voided', 'corrected_before')",
                "refusal_code_known": "refusal_code IN ('record_right', 'evidence_missing', 'not_about_the_fact')",
                "settled_once": "(state IN ('filed', 'accepted', 'asked')) = (settled_at IS NULL)",
                "remedy_when_upheld": "(remedy IS NULL) OR (state IN ('upheld', 'closed'))",
                "code_when_refused": "(refusal_code IS NULL) OR (state IN ('refused', 'closed'))",
                "decided_whole": "(decided_at IS NULL) = (remedy IS NULL AND refusal_code IS NULL)",
                "decided_one_way": "remedy IS NULL OR refusal_code IS NULL",
                "late_whole": "(overdue_at IS NULL) = (late_party_id IS NULL)",
            },
        ),
        schema="objections",
    )
    still_open = {"schema": "objections", "postgresql_where": sa.text("settled_at IS NULL")}
    op.create_index("uq_objection_fact_open", "objection", FACT, unique=True, **still_open)
    op.create_index("ix_objection_firm_id_id", "objection", ["firm_id", "id"], schema="objections")
    op.create_index("ix_objection_sender_id_id", "objection", ["sender_id", "id"], schema="objections")
    op.create_index("ix_objection_due_on_open", "objection", ["due_on"], **still_open)


def _create_repair() -> None:
    op.create_table(
        "repair",
        *_of_a_case(),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("listed_on", sa.Date(), nullable=False),
        sa.Column("first_reviewed_by", sa.Uuid()),
        sa.Column("first_reviewed_at", MOMENT),
        sa.Column("second_reviewed_by", sa.Uuid()),
        sa.Column("refused_by", sa.Uuid()),
        sa.PrimaryKeyConstraint("id", name="pk_repair"),
        *_checks(
            "repair",
            {
                "kind_known": f"kind IN ({KINDS})",
                "severity_known": f"severity IN ({SEVERITIES})",
                "state_known": "state IN ('filed', 'second_review', 'repaired', 'refused', 'withdrawn')",
                "refusal_code_known": "refusal_code IN ('not_made_good', 'evidence_missing', 'wrong_severity',"
                " 'not_repairable', 'no_such_record')",
                "settled_once": "(state IN ('filed', 'second_review')) = (settled_at IS NULL)",
                "refused_with_code": "(state = 'refused') = (refusal_code IS NOT NULL)",
                "repaired_by_two": "state <> 'repaired'"
                " OR (first_reviewed_by IS NOT NULL AND second_reviewed_by IS NOT NULL)",
                "two_people": "second_reviewed_by <> first_reviewed_by",
            },
        ),
        schema="objections",
    )
    op.create_index(
        "uq_repair_fact_standing",
        "repair",
        FACT,
        unique=True,
        schema="objections",
        postgresql_where=sa.text("state NOT IN ('refused', 'withdrawn')"),
    )
    op.create_index("ix_repair_firm_id_id", "repair", ["firm_id", "id"], schema="objections")
    op.create_index(
        "ix_repair_due_on_open",
        "repair",
        ["due_on"],
        schema="objections",
        postgresql_where=sa.text("settled_at IS NULL"),
    )


def _create_clock() -> None:
    table = op.create_table(
        "clock",
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("objection_working_days", sa.Integer(), nullable=False),
        sa.Column("repair_working_days", sa.Integer(), nullable=False),
        sa.Column("max_open", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("effective_from", name="pk_clock"),
        schema="objections",
    )
    steps.append_only("objections.clock")
    steps.readable("objections.clock")
    op.bulk_insert(
        table,
        [
            {
                "effective_from": date(2016, 1, 1),
                "objection_working_days": 5,
                "repair_working_days": 3,
                "max_open": 50,
                "reason": "Five and three working days as the plan of the city has them; fifty open cases of one firm"
                " are the project's own bound against floods, not a legal limit",
            }
        ],
    )


def _create_repair_rule() -> None:
    table = op.create_table(
        "repair_rule",
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("min_months", sa.Integer(), nullable=False),
        sa.Column("ends_use", sa.Boolean(), nullable=False),
        sa.Column("is_verified", sa.Boolean(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("severity", "effective_from", name="pk_repair_rule"),
        sa.CheckConstraint(f"severity IN ({SEVERITIES})", name=op.f("ck_repair_rule_severity_known")),
        schema="objections",
    )
    steps.append_only("objections.repair_rule")
    steps.readable("objections.repair_rule")
    orders = (
        (date(2023, 5, 1), False, "国家发展改革委令第58号 (2023), mapped to the three grades of the later order"),
        (date(2026, 4, 1), True, "国家发展改革委令第36号 (2025), read on a mirror"),
    )
    op.bulk_insert(
        table,
        [
            {
                "severity": severity,
                "effective_from": effective_from,
                "min_months": min_months,
                "ends_use": ends_use,
                "is_verified": False,
                "basis": basis,
            }
            for effective_from, ends_use, basis in orders
            for severity, min_months in (("minor", 0), ("ordinary", 3), ("serious", 12))
        ],
    )


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("objections")
