"""rights: what firms ask for over their data, exports and deletions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps

revision = "0171"
down_revision = "0170"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    moment = sa.DateTime(timezone=True)
    steps.create_schema("rights")
    op.create_table(
        "request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("done_at", moment),
        sa.Column("expires_at", moment),
        sa.Column("archive_sealed", sa.LargeBinary()),
        sa.Column("byte_count", sa.Integer()),
        sa.Column("facts_deleted", sa.Integer()),
        sa.Column("stays", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("kind IN ('export', 'deletion')", name=op.f("ck_request_kind_known")),
        sa.CheckConstraint("state IN ('asked', 'done', 'expired')", name=op.f("ck_request_state_known")),
        sa.CheckConstraint("(state = 'asked') = (done_at IS NULL)", name=op.f("ck_request_done_once")),
        sa.CheckConstraint(
            "(archive_sealed IS NOT NULL) = (kind = 'export' AND state = 'done')",
            name=op.f("ck_request_archive_while_it_lasts"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_request"),
        schema="rights",
    )
    op.create_index(
        "uq_request_firm_id_kind_asked",
        "request",
        ["firm_id", "kind"],
        unique=True,
        schema="rights",
        postgresql_where=sa.text("state = 'asked'"),
    )
    op.create_index("ix_request_firm_id_id", "request", ["firm_id", "id"], schema="rights")
    op.create_index(
        "ix_request_expires_at",
        "request",
        ["expires_at"],
        schema="rights",
        postgresql_where=sa.text("archive_sealed IS NOT NULL"),
    )
    steps.readable("rights.request")
    steps.grant("rights.request", "INSERT", steps.APP, steps.WORKER)
    # The web takes requests in and hands archives out; only the worker makes and ends them.
    steps.grant("rights.request", "UPDATE", steps.WORKER)
    steps.protect("rights.request", f"firm_id = {steps.VIEWER}")


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("rights")
