"""sources: pulls, the platform's askings of outside systems."""

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "pull",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("months_from", sa.Date(), nullable=False),
        sa.Column("months_to", sa.Date(), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_code", sa.LargeBinary()),
        sa.Column("sealed_token", sa.LargeBinary()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("leased_until", moment),
        sa.Column("retries_at", moment),
        sa.Column("touched_at", moment, nullable=False),
        sa.Column("pages_done", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer()),
        sa.Column("covers_from", sa.Date()),
        sa.Column("covers_to", sa.Date()),
        sa.Column("received", sa.Integer()),
        sa.Column("loaded", sa.Integer()),
        sa.Column("delivery_id", sa.Uuid()),
        sa.Column("ended_at", moment),
        sa.CheckConstraint("source IN ('tax')", name=op.f("ck_pull_source_known")),
        sa.CheckConstraint(
            "state IN ('pending', 'running', 'ready', 'denied', 'failed', 'timed_out')",
            name=op.f("ck_pull_state_known"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'running') OR (sealed_code IS NULL AND sealed_token IS NULL)",
            name=op.f("ck_pull_secrets_destroyed"),
        ),
        sa.CheckConstraint("(state IN ('pending', 'running')) = (ended_at IS NULL)", name=op.f("ck_pull_ended_once")),
        sa.ForeignKeyConstraint(["delivery_id"], ["sources.delivery.id"], name="fk_pull_delivery_id_delivery"),
        sa.PrimaryKeyConstraint("id", name="pk_pull"),
        sa.UniqueConstraint("firm_id", "code_digest", name="uq_pull_firm_id_code_digest"),
        schema="sources",
    )
    op.create_index(
        "uq_pull_open_firm_id_source",
        "pull",
        ["firm_id", "source"],
        unique=True,
        schema="sources",
        postgresql_where=sa.text("state IN ('pending', 'running')"),
    )
    op.create_index("ix_pull_firm_id_id", "pull", ["firm_id", "id"], schema="sources")
    steps.writable("sources.pull")
    steps.protect("sources.pull", f"firm_id = {steps.VIEWER}")


def downgrade() -> None:
    """Go back."""
    op.drop_table("pull", schema="sources")
