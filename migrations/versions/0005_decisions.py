"""decisions: keys of subjects, decisions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("decisions")
    _create_subject_key()
    op.create_table(
        "decision",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("vector_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("vector_digest", sa.LargeBinary(), nullable=False),
        sa.Column("reasons_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", postgresql.JSONB(), nullable=False),
        sa.Column("versions", postgresql.JSONB(), nullable=False),
        sa.Column("consent_ids", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decision"),
        sa.ForeignKeyConstraint(["key_id"], ["decisions.subject_key.id"], name="fk_decision_key_id_subject_key"),
        schema="decisions",
    )
    op.execute("ALTER TABLE decisions.decision ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()")
    op.create_index("ix_decision_subject_id_id", "decision", ["subject_id", "id"], schema="decisions")
    steps.append_only("decisions.decision")
    steps.readable("decisions.decision")
    # Column by column, so that nobody can backdate a row behind the sealed blocks by writing its xid.
    columns = (
        "id, kind, subject_id, key_id, made_at, vector_sealed, vector_digest, reasons_sealed, outcome, versions,"
        " consent_ids"
    )
    steps.grant("decisions.decision", f"INSERT ({columns})", steps.APP, steps.WORKER)
    steps.protect("decisions.decision", f"subject_id = {steps.VIEWER}")
    steps.apply_sql("decisions/decision_leaf_v1.sql")
    steps.readable("decisions.decision_leaf")


def _create_subject_key() -> None:
    op.create_table(
        "subject_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary()),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("destroyed_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name=op.f("ck_subject_key_destroyed")),
        sa.PrimaryKeyConstraint("id", name="pk_subject_key"),
        schema="decisions",
    )
    op.create_index(
        "uq_subject_key_live",
        "subject_key",
        ["subject_id"],
        unique=True,
        schema="decisions",
        postgresql_where=sa.text("destroyed_at IS NULL"),
    )
    steps.grant("decisions.subject_key", "SELECT, INSERT", steps.APP, steps.WORKER)
    # Only the worker ends a retention; the web never destroys a key, and the auditor has no use for one.
    steps.grant("decisions.subject_key", "UPDATE (wrapped, destroyed_at)", steps.WORKER)
    steps.protect("decisions.subject_key", f"subject_id = {steps.VIEWER}")


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("decisions")
