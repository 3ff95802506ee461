"""audit: the append-only record of acts on parties' data."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps
from xinyidai.foundation.sealing import Xid8

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WRITTEN_BY_SERVICE = (
    "id, action, principal_id, principal_kind, organisation_id, organisation_kind, subject_ids, object_kind, object_id,"
    " purpose, consent_ids, happened_at, recorded_at"
)


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("audit")
    op.create_table(
        "record",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("principal_id", sa.Uuid()),
        sa.Column("principal_kind", sa.String(), nullable=False),
        sa.Column("organisation_id", sa.Uuid()),
        sa.Column("organisation_kind", sa.String()),
        sa.Column("subject_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("object_kind", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String()),
        sa.Column("consent_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.CheckConstraint("cardinality(subject_ids) <= 1000", name=op.f("ck_record_subjects_bounded")),
        sa.CheckConstraint("cardinality(consent_ids) <= 1000", name=op.f("ck_record_consents_bounded")),
        sa.PrimaryKeyConstraint("id", name="pk_record"),
        schema="audit",
    )
    op.create_index("ix_record_subject_ids", "record", ["subject_ids"], schema="audit", postgresql_using="gin")
    op.create_index("ix_record_organisation_id_id", "record", ["organisation_id", "id"], schema="audit")
    op.create_index("ix_record_xid", "record", ["xid"], schema="audit")
    steps.append_only("audit.record")
    steps.readable("audit.record")
    # Column by column, so that nobody can backdate a row behind the sealed blocks by writing its xid.
    op.execute(f"GRANT INSERT ({WRITTEN_BY_SERVICE}) ON audit.record TO {steps.APP}, {steps.WORKER}")
    steps.protect("audit.record", f"organisation_id = {steps.VIEWER}")
    steps.apply_sql("audit/sealable_record_v1.sql")
    steps.apply_sql("audit/looks_at_v1.sql")
    steps.grant("audit.sealable_record", "SELECT", steps.WORKER, steps.AUDITOR)
    op.execute(f"GRANT EXECUTE ON FUNCTION audit.looks_at(uuid, uuid, integer) TO {steps.APP}, {steps.WORKER}")


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("audit")
