"""profiles: the profiles that were shown."""

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("profiles")
    op.create_table(
        "profile",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("receiver_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("consent_ids", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("feature_version", sa.String(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("values_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("invoice_rows", sa.Integer(), nullable=False),
        sa.Column("first_issued_on", sa.Date()),
        sa.Column("last_issued_on", sa.Date()),
        sa.Column("facts_fingerprint", sa.String(), nullable=False),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("invoice_rows >= 0", name=op.f("ck_profile_rows_counted")),
        sa.CheckConstraint("as_of <= known_at", name=op.f("ck_profile_known_when_shown")),
        sa.PrimaryKeyConstraint("id", name="pk_profile"),
        schema="profiles",
    )
    op.create_index("ix_profile_firm_id_id", "profile", ["firm_id", "id"], schema="profiles")
    steps.append_only("profiles.profile")
    steps.writable("profiles.profile", "INSERT")
    steps.protect("profiles.profile", f"firm_id = {steps.VIEWER} OR receiver_id = {steps.VIEWER}")


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("profiles")
