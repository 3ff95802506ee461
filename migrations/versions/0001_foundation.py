"""foundation: outbox, timetable, sealed blocks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("foundation")
    # Alembic's own table: readiness compares its revision with the code's.
    steps.readable("public.alembic_version")
    steps.apply_sql("foundation/refuse_change_v1.sql")
    _create_outbox()
    op.create_table(
        "job_due",
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("business_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True)),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.Column("last_error", sa.String()),
        sa.PrimaryKeyConstraint("job", "period", name="pk_job_due"),
        schema="foundation",
    )
    op.create_table(
        "sealed_block",
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("refs", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("leaves", postgresql.ARRAY(sa.LargeBinary()), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("previous_root", sa.LargeBinary(), nullable=False),
        sa.Column("last_xid", sa.BigInteger(), nullable=False),
        sa.Column("algorithm", sa.String(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("stream", "seq", name="pk_sealed_block"),
        schema="foundation",
    )
    steps.append_only("foundation.sealed_block")
    op.create_table(
        "idempotent_answer",
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", postgresql.JSONB()),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", "key_digest", name="pk_idempotent_answer"),
        schema="foundation",
    )
    steps.writable("foundation.idempotent_answer")
    for table in ("outbox_event", "outbox_delivery", "job_due"):
        steps.writable(f"foundation.{table}")
    steps.writable("foundation.sealed_block", "INSERT")


def _create_outbox() -> None:
    op.create_table(
        "outbox_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("aggregate", sa.String(), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_event"),
        schema="foundation",
    )
    op.create_index("ix_outbox_event_name_recorded_at", "outbox_event", ["name", "recorded_at"], schema="foundation")
    op.create_table(
        "outbox_delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("consumer", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.Column("last_error", sa.String()),
        sa.CheckConstraint("state IN ('waiting', 'done', 'parked')", name=op.f("ck_outbox_delivery_state_known")),
        sa.ForeignKeyConstraint(
            ["event_id"], ["foundation.outbox_event.id"], name="fk_outbox_delivery_event_id_outbox_event"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_delivery"),
        sa.UniqueConstraint("event_id", "consumer", name="uq_outbox_delivery_event_id_consumer"),
        schema="foundation",
    )
    op.create_index(
        "ix_outbox_delivery_waiting",
        "outbox_delivery",
        ["due_at"],
        schema="foundation",
        postgresql_where=sa.text("state = 'waiting'"),
    )


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("foundation")
