"""sources: the list for daily files, and the files day by day."""

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0160"
down_revision = "0150"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
OPEN = "state IN ('asked', 'listed')"


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "subscription",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("reference_digest", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_reference", sa.LargeBinary()),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("is_on_list", sa.Boolean(), nullable=False),
        sa.Column("listed_from", sa.Date()),
        sa.Column("rests_on", sa.Date()),
        sa.Column("ended_at", MOMENT),
        sa.CheckConstraint(
            "state IN ('asked', 'listed', 'refused', 'ended')", name=op.f("ck_subscription_state_known")
        ),
        sa.CheckConstraint(
            f"({OPEN}) = (sealed_reference IS NOT NULL)", name=op.f("ck_subscription_reference_while_open")
        ),
        sa.CheckConstraint(f"({OPEN}) = (ended_at IS NULL)", name=op.f("ck_subscription_ended_once")),
        sa.PrimaryKeyConstraint("id", name="pk_subscription"),
        schema="sources",
    )
    op.create_index(
        "uq_subscription_open_firm_id",
        "subscription",
        ["firm_id"],
        unique=True,
        schema="sources",
        postgresql_where=sa.text(OPEN),
    )
    op.create_index("ix_subscription_firm_id_id", "subscription", ["firm_id", "id"], schema="sources")
    op.create_index(
        "ix_subscription_told",
        "subscription",
        ["id"],
        schema="sources",
        postgresql_where=sa.text(f"is_on_list OR {OPEN}"),
    )
    steps.writable("sources.subscription")
    steps.protect("sources.subscription", f"firm_id = {steps.VIEWER}")
    op.create_table(
        "sent_list",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("named", sa.Integer()),
        sa.Column("refused", sa.Integer()),
        sa.Column("digest", sa.LargeBinary()),
        sa.Column("sent_at", MOMENT),
        sa.CheckConstraint("(sent_at IS NULL) = (digest IS NULL)", name=op.f("ck_sent_list_sent_whole")),
        sa.PrimaryKeyConstraint("day", name="pk_sent_list"),
        schema="sources",
    )
    steps.writable("sources.sent_list")
    op.create_table(
        "day_file",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("leased_until", MOMENT),
        sa.Column("touched_at", MOMENT, nullable=False),
        sa.Column("digest", sa.LargeBinary()),
        sa.Column("received", sa.Integer()),
        sa.Column("discarded", sa.Integer()),
        sa.Column("outdated", sa.Integer()),
        sa.Column("loaded", sa.Integer()),
        sa.Column("delivery_id", sa.Uuid()),
        sa.Column("settled_at", MOMENT),
        sa.CheckConstraint("state IN ('waiting', 'loaded', 'refused', 'lost')", name=op.f("ck_day_file_state_known")),
        sa.CheckConstraint("(state = 'loaded') = (digest IS NOT NULL)", name=op.f("ck_day_file_loaded_is_known")),
        sa.CheckConstraint("discarded + outdated <= received", name=op.f("ck_day_file_rows_reconcile")),
        sa.ForeignKeyConstraint(["delivery_id"], ["sources.delivery.id"], name="fk_day_file_delivery_id_delivery"),
        sa.PrimaryKeyConstraint("day", "item_code", name="pk_day_file"),
        schema="sources",
    )
    op.create_index(
        "ix_day_file_wanted",
        "day_file",
        ["day"],
        schema="sources",
        postgresql_where=sa.text("state IN ('waiting', 'refused')"),
    )
    steps.writable("sources.day_file")


def downgrade() -> None:
    """Go back."""
    op.drop_table("day_file", schema="sources")
    op.drop_table("sent_list", schema="sources")
    op.drop_table("subscription", schema="sources")
