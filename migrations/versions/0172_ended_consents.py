"""loans: what lender and fund of a running loan are told when the firm takes a post-loan consent back."""

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0172"
down_revision = "0171"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "ended_consent",
        sa.Column("loan_id", sa.Uuid(), nullable=False),
        sa.Column("consent_id", sa.Uuid(), nullable=False),
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.Uuid(), nullable=False),
        sa.Column("fund_id", sa.Uuid()),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.loan.id"], name="fk_ended_consent_loan_id_loan"),
        sa.PrimaryKeyConstraint("loan_id", "consent_id", "item_code", name="pk_ended_consent"),
        schema="loans",
    )
    op.create_index("ix_ended_consent_fund_id_ended_at", "ended_consent", ["fund_id", "ended_at"], schema="loans")
    steps.writable("loans.ended_consent", "INSERT")
    steps.append_only("loans.ended_consent")
    told = f"lender_id = {steps.VIEWER} OR fund_id = {steps.VIEWER} OR firm_id = {steps.VIEWER}"
    steps.protect("loans.ended_consent", told, check="false")


def downgrade() -> None:
    """Go back."""
    op.drop_table("ended_consent", schema="loans")
