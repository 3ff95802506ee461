"""loans: class floors, credit lines, loans, instalments, repayments."""

from datetime import date

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

REPAYMENT_KINDS = "repayment_kind IN ('equal_instalments', 'interest_first')"
CLASSES = "risk_class IN ('pass', 'special_mention', 'substandard', 'doubtful', 'loss')"
# Visible with the loan: its own policy decides inside the sub-select.
WITH_THE_LOAN = "EXISTS (SELECT 1 FROM loans.loan loan WHERE loan.id = loan_id)"
PARTIES = f"firm_id = {steps.VIEWER} OR lender_id = {steps.VIEWER}"


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("loans")
    _create_class_floor()
    _create_credit_line()
    _create_loan()
    _create_instalment()
    _create_repayment()


def _create_class_floor() -> None:
    floor = op.create_table(
        "class_floor",
        sa.Column("risk_class", sa.String(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("from_days", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("is_verified", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("risk_class", "effective_from", name="pk_class_floor"),
        sa.CheckConstraint(CLASSES, name=op.f("ck_class_floor_risk_class_known")),
        schema="loans",
    )
    # Floors from memory of 《商业银行金融资产风险分类办法》, in force 2023-07-01; they count from 2000 on, for want of
    # older ones.
    floors = {"pass": 0, "special_mention": 1, "substandard": 91, "doubtful": 271, "loss": 361}
    op.bulk_insert(
        floor,
        [
            {
                "risk_class": name,
                "effective_from": date(2000, 1, 1),
                "from_days": days,
                "source": "银保监会 人民银行令〔2023〕1号",
                "is_verified": False,
            }
            for name, days in floors.items()
        ],
    )
    steps.readable("loans.class_floor")


def _create_credit_line() -> None:
    op.create_table(
        "credit_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("demand_id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.Uuid(), nullable=False),
        sa.Column("reservation_id", sa.Uuid()),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("rate_bp", sa.Integer(), nullable=False),
        sa.Column("term_months", sa.Integer(), nullable=False),
        sa.Column("repayment_kind", sa.String(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("draw_by", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_credit_line"),
        sa.UniqueConstraint("offer_id", name="uq_credit_line_offer_id"),
        sa.CheckConstraint("state IN ('granted', 'drawn', 'lapsed')", name=op.f("ck_credit_line_state_known")),
        sa.CheckConstraint(REPAYMENT_KINDS, name=op.f("ck_credit_line_repayment_kind_known")),
        schema="loans",
    )
    op.create_index("ix_credit_line_lender_id_id", "credit_line", ["lender_id", "id"], schema="loans")
    steps.writable("loans.credit_line")
    steps.protect("loans.credit_line", PARTIES)


def _create_loan() -> None:
    op.create_table(
        "loan",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.Uuid(), nullable=False),
        sa.Column("reservation_id", sa.Uuid()),
        sa.Column("principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("rate_bp", sa.Integer(), nullable=False),
        sa.Column("term_months", sa.Integer(), nullable=False),
        sa.Column("repayment_kind", sa.String(), nullable=False),
        sa.Column("disbursed_on", sa.Date(), nullable=False),
        sa.Column("matures_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disbursed_by", sa.Uuid(), nullable=False),
        sa.Column("payment_kind", sa.String(), nullable=False),
        sa.Column("payment_reference", sa.String()),
        sa.Column("region_code", sa.String()),
        sa.Column("industry_code", sa.String()),
        sa.Column("is_first_loan", sa.Boolean()),
        sa.Column("first_loan_definition", sa.String()),
        sa.Column("first_loan_attested_by", sa.Uuid()),
        sa.Column("first_loan_attested_at", sa.DateTime(timezone=True)),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("principal_repaid_fen", sa.BigInteger(), nullable=False),
        sa.Column("principal_recovered_fen", sa.BigInteger(), nullable=False),
        sa.Column("days_past_due", sa.Integer(), nullable=False),
        sa.Column("risk_class", sa.String(), nullable=False),
        sa.Column("counted_on", sa.Date(), nullable=False),
        sa.Column("defaulted_on", sa.Date()),
        sa.Column("closed_on", sa.Date()),
        sa.PrimaryKeyConstraint("id", name="pk_loan"),
        sa.ForeignKeyConstraint(["line_id"], ["loans.credit_line.id"], name="fk_loan_line_id_credit_line"),
        sa.UniqueConstraint("offer_id", name="uq_loan_offer_id"),
        sa.UniqueConstraint("line_id", name="uq_loan_line_id"),
        *_loan_checks(),
        schema="loans",
    )
    op.create_index("ix_loan_lender_id_id", "loan", ["lender_id", "id"], schema="loans")
    op.create_index("ix_loan_firm_id", "loan", ["firm_id"], schema="loans")
    op.create_index("ix_loan_disbursed_on", "loan", ["disbursed_on"], schema="loans")
    steps.writable("loans.loan")
    steps.protect("loans.loan", PARTIES)


def _loan_checks() -> list[sa.CheckConstraint]:
    checks = {
        "state_known": "state IN ('performing', 'overdue', 'compensated', 'closed')",
        "repayment_kind_known": REPAYMENT_KINDS,
        "risk_class_known": CLASSES,
        "payment_kind_known": "payment_kind IN ('entrusted', 'self')",
        "first_loan_definition_known": "first_loan_definition IN ('no_record_in_registry', 'no_record_firm_or_owner')",
        "principal_positive": "principal_fen > 0",
        "principal_within": "principal_repaid_fen >= 0 AND principal_recovered_fen >= 0"
        " AND principal_repaid_fen + principal_recovered_fen <= principal_fen",
        "first_loan_attested": "(is_first_loan IS NULL) = (first_loan_attested_by IS NULL)"
        " AND (is_first_loan IS NULL) = (first_loan_attested_at IS NULL)"
        " AND (is_first_loan IS NULL) = (first_loan_definition IS NULL)",
    }
    return [sa.CheckConstraint(rule, name=op.f(f"ck_loan_{name}")) for name, rule in checks.items()]


def _create_instalment() -> None:
    op.create_table(
        "instalment",
        sa.Column("loan_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("interest_fen", sa.BigInteger(), nullable=False),
        sa.Column("principal_paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("interest_paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("interest_waived_fen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("loan_id", "number", name="pk_instalment"),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.loan.id"], name="fk_instalment_loan_id_loan"),
        sa.CheckConstraint(
            "principal_paid_fen BETWEEN 0 AND principal_fen", name=op.f("ck_instalment_principal_within")
        ),
        sa.CheckConstraint(
            "interest_paid_fen >= 0 AND interest_waived_fen >= 0"
            " AND interest_paid_fen + interest_waived_fen <= interest_fen",
            name=op.f("ck_instalment_interest_within"),
        ),
        schema="loans",
    )
    op.create_index(
        "ix_instalment_unpaid",
        "instalment",
        ["due_on"],
        schema="loans",
        postgresql_where=sa.text(
            "principal_paid_fen < principal_fen OR interest_paid_fen + interest_waived_fen < interest_fen"
        ),
    )
    steps.writable("loans.instalment")
    steps.protect("loans.instalment", WITH_THE_LOAN)


def _create_repayment() -> None:
    op.create_table(
        "repayment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("loan_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("interest_fen", sa.BigInteger(), nullable=False),
        sa.Column("waived_interest_fen", sa.BigInteger(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_repayment"),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.loan.id"], name="fk_repayment_loan_id_loan"),
        sa.UniqueConstraint("loan_id", "reference", name="uq_repayment_loan_id_reference"),
        sa.CheckConstraint(
            "amount_fen > 0 AND amount_fen = principal_fen + interest_fen", name=op.f("ck_repayment_amount_whole")
        ),
        schema="loans",
    )
    steps.append_only("loans.repayment")
    steps.writable("loans.repayment", "INSERT")
    steps.protect("loans.repayment", WITH_THE_LOAN)


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("loans")
