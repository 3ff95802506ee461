"""consents: the artefact, and the question that the facts' row-level security asks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("consents")
    op.create_table(
        "consent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("item_codes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("receiver_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("granted_by", sa.Uuid(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text_version", sa.String(), nullable=False),
        sa.Column("text_digest", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_by", sa.Uuid()),
        sa.CheckConstraint(
            "subject_kind IN ('firm', 'sole_trader', 'owner', 'guarantor')",
            name=op.f("ck_consent_subject_kind_known"),
        ),
        sa.CheckConstraint(
            "purpose IN ('pre_loan', 'post_loan', 'evaluation', 'model_training')",
            name=op.f("ck_consent_purpose_known"),
        ),
        sa.CheckConstraint("state IN ('active', 'revoked')", name=op.f("ck_consent_state_known")),
        sa.CheckConstraint(
            "(state = 'revoked') = (revoked_at IS NOT NULL)", name=op.f("ck_consent_revoked_has_moment")
        ),
        sa.CheckConstraint("granted_at < expires_at", name=op.f("ck_consent_expires_later")),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
        schema="consents",
    )
    op.create_index("ix_consent_subject_id_purpose", "consent", ["subject_id", "purpose"], schema="consents")
    steps.apply_sql("consents/only_revoke_v1.sql")
    steps.apply_sql("consents/permitted_subjects_v1.sql")
    steps.readable("consents.consent")
    steps.grant("consents.consent", "INSERT, UPDATE (state, revoked_at, revoked_by)", steps.APP, steps.WORKER)
    steps.protect(
        "consents.consent",
        f"subject_id = {steps.VIEWER} OR {steps.VIEWER} = ANY (receiver_ids)",
        check=f"subject_id = {steps.VIEWER}",
    )


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("consents")
