"""risk_sharing: covers, claims, what each party paid, recoveries."""

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

PARTIES = (
    f"firm_id = {steps.VIEWER} OR lender_id = {steps.VIEWER}"
    f" OR fund_id = {steps.VIEWER} OR guarantor_id = {steps.VIEWER}"
)
# Visible with the claim: its own policy decides inside the sub-select.
WITH_THE_CLAIM = "EXISTS (SELECT 1 FROM risk_sharing.claim claim WHERE claim.id = claim_id)"


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("risk_sharing")
    _create_cover()
    _create_claim()
    _create_claim_step()
    _create_recovery()


def _create_cover() -> None:
    op.create_table(
        "cover",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("loan_id", sa.Uuid(), nullable=False),
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("scheme_version", sa.Integer(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.Uuid(), nullable=False),
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("guarantor_id", sa.Uuid()),
        sa.Column("principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("lender_ppm", sa.Integer(), nullable=False),
        sa.Column("fund_ppm", sa.Integer(), nullable=False),
        sa.Column("guarantor_ppm", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("included_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_cover"),
        sa.UniqueConstraint("loan_id", name="uq_cover_loan_id"),
        sa.UniqueConstraint("reservation_id", name="uq_cover_reservation_id"),
        sa.CheckConstraint("state IN ('active', 'compensated', 'ended')", name=op.f("ck_cover_state_known")),
        sa.CheckConstraint("lender_ppm + fund_ppm + guarantor_ppm = 1000000", name=op.f("ck_cover_shares_whole")),
        schema="risk_sharing",
    )
    op.create_index("ix_cover_agreement_id", "cover", ["agreement_id"], schema="risk_sharing")
    steps.writable("risk_sharing.cover")
    steps.protect("risk_sharing.cover", PARTIES)


def _create_claim() -> None:
    op.create_table(
        "claim",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cover_id", sa.Uuid(), nullable=False),
        sa.Column("loan_id", sa.Uuid(), nullable=False),
        sa.Column("reservation_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.Uuid(), nullable=False),
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("guarantor_id", sa.Uuid()),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("days_past_due", sa.Integer(), nullable=False),
        sa.Column("claimed_fen", sa.BigInteger(), nullable=False),
        sa.Column("filed_by", sa.Uuid(), nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_reviewed_by", sa.Uuid()),
        sa.Column("first_reviewed_at", sa.DateTime(timezone=True)),
        sa.Column("second_reviewed_by", sa.Uuid()),
        sa.Column("second_reviewed_at", sa.DateTime(timezone=True)),
        sa.Column("denial_code", sa.String()),
        sa.Column("denied_by", sa.Uuid()),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("paid_at", sa.DateTime(timezone=True)),
        sa.Column("loss_fen", sa.BigInteger()),
        sa.Column("fund_paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("guarantor_paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("lender_borne_fen", sa.BigInteger(), nullable=False),
        sa.Column("fund_returned_fen", sa.BigInteger(), nullable=False),
        sa.Column("guarantor_returned_fen", sa.BigInteger(), nullable=False),
        sa.Column("lender_returned_fen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_claim"),
        sa.ForeignKeyConstraint(["cover_id"], ["risk_sharing.cover.id"], name="fk_claim_cover_id_cover"),
        *_claim_checks(),
        schema="risk_sharing",
    )
    op.create_index(
        "uq_claim_loan_id_standing",
        "claim",
        ["loan_id"],
        unique=True,
        schema="risk_sharing",
        postgresql_where=sa.text("state NOT IN ('denied', 'lapsed')"),
    )
    op.create_index("ix_claim_agreement_id", "claim", ["agreement_id"], schema="risk_sharing")
    op.create_index("ix_claim_fund_id_id", "claim", ["fund_id", "id"], schema="risk_sharing")
    steps.writable("risk_sharing.claim")
    steps.protect("risk_sharing.claim", PARTIES)


def _claim_checks() -> list[sa.CheckConstraint]:
    checks = {
        "state_known": "state IN ('lodged', 'second_review', 'approved', 'denied', 'paid', 'recovering', 'settled',"
        " 'lapsed')",
        "denial_code_known": "denial_code IN ('out_of_product', 'rate_over_limit', 'purpose_changed', 'lender_breach',"
        " 'late_claim', 'refinanced_old_debt', 'related_party', 'evidence_missing')",
        "three_people": "first_reviewed_by <> filed_by AND second_reviewed_by <> filed_by"
        " AND second_reviewed_by <> first_reviewed_by",
        "denied_with_code": "(state = 'denied') = (denial_code IS NOT NULL)",
        "approved_by_two": "state NOT IN ('approved', 'paid', 'recovering', 'settled')"
        " OR (first_reviewed_by IS NOT NULL AND second_reviewed_by IS NOT NULL)",
        "loss_whole": "loss_fen IS NULL OR (fund_paid_fen >= 0 AND guarantor_paid_fen >= 0 AND lender_borne_fen >= 0"
        " AND fund_paid_fen + guarantor_paid_fen + lender_borne_fen = loss_fen AND loss_fen <= claimed_fen)",
        "returned_within": "fund_returned_fen BETWEEN 0 AND fund_paid_fen"
        " AND guarantor_returned_fen BETWEEN 0 AND guarantor_paid_fen"
        " AND lender_returned_fen BETWEEN 0 AND lender_borne_fen",
    }
    return [sa.CheckConstraint(rule, name=op.f(f"ck_claim_{name}")) for name, rule in checks.items()]


def _create_claim_step() -> None:
    op.create_table(
        "claim_step",
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("journal_id", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("claim_id", "party", "stage", name="pk_claim_step"),
        sa.ForeignKeyConstraint(["claim_id"], ["risk_sharing.claim.id"], name="fk_claim_step_claim_id_claim"),
        sa.CheckConstraint("party IN ('fund', 'guarantor', 'lender')", name=op.f("ck_claim_step_party_known")),
        sa.CheckConstraint("stage IN ('paid')", name=op.f("ck_claim_step_stage_known")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_claim_step_amount_positive")),
        schema="risk_sharing",
    )
    steps.append_only("risk_sharing.claim_step")
    steps.writable("risk_sharing.claim_step", "INSERT")
    steps.protect("risk_sharing.claim_step", WITH_THE_CLAIM)


def _create_recovery() -> None:
    op.create_table(
        "recovery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("received_fen", sa.BigInteger(), nullable=False),
        sa.Column("costs_fen", sa.BigInteger(), nullable=False),
        sa.Column("fund_fen", sa.BigInteger(), nullable=False),
        sa.Column("guarantor_fen", sa.BigInteger(), nullable=False),
        sa.Column("lender_fen", sa.BigInteger(), nullable=False),
        sa.Column("interest_fen", sa.BigInteger(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recovery"),
        sa.ForeignKeyConstraint(["claim_id"], ["risk_sharing.claim.id"], name="fk_recovery_claim_id_claim"),
        sa.UniqueConstraint("claim_id", "reference", name="uq_recovery_claim_id_reference"),
        sa.CheckConstraint(
            "received_fen > 0 AND costs_fen >= 0 AND fund_fen >= 0 AND guarantor_fen >= 0 AND lender_fen >= 0"
            " AND interest_fen >= 0"
            " AND received_fen = costs_fen + fund_fen + guarantor_fen + lender_fen + interest_fen",
            name=op.f("ck_recovery_received_whole"),
        ),
        schema="risk_sharing",
    )
    steps.append_only("risk_sharing.recovery")
    steps.writable("risk_sharing.recovery", "INSERT")
    steps.protect("risk_sharing.recovery", WITH_THE_CLAIM)


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("risk_sharing")
