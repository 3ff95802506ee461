"""sources: the parts of a pull, one an item, and a circuit breaker for each source."""

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0150"
down_revision = "0141"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
# Every pull so far asked for invoices alone.
CARRY_OVER = """
INSERT INTO sources.pull_part (firm_id, pull_id, item_code, place, state, reason, pages_done, pages, covers_from,
                               covers_to, received, loaded, delivery_id, ended_at)
SELECT firm_id, id, 'vat_invoice', 0,
       CASE WHEN delivery_id IS NOT NULL THEN 'got' WHEN state = 'ready' THEN 'nothing'
            WHEN state = 'denied' THEN 'refused' WHEN ended_at IS NULL THEN 'waiting' ELSE 'failed' END,
       reason, pages_done, pages, covers_from, covers_to,
       CASE WHEN delivery_id IS NOT NULL THEN coalesce(received, 0) END,
       CASE WHEN delivery_id IS NOT NULL THEN coalesce(loaded, 0) END, delivery_id, ended_at
FROM sources.pull
"""
STATES = "'pending', 'running', 'ready', {partly}'denied', 'failed', 'timed_out'"


def upgrade() -> None:
    """Go forward."""
    _know("'tax', 'utilities'", STATES.format(partly="'partly', "))
    op.add_column("pull", sa.Column("put_offs", sa.Integer(), nullable=False, server_default="0"), schema="sources")
    op.alter_column("pull", "put_offs", server_default=None, schema="sources")
    _create_part()
    op.execute(CARRY_OVER)
    steps.writable("sources.pull_part")
    steps.protect("sources.pull_part", f"firm_id = {steps.VIEWER}")
    _create_breaker()
    steps.writable("sources.source_breaker")


def _know(sources: str, states: str) -> None:
    for name, condition in (("source_known", f"source IN ({sources})"), ("state_known", f"state IN ({states})")):
        op.drop_constraint(op.f(f"ck_pull_{name}"), "pull", schema="sources")
        op.create_check_constraint(op.f(f"ck_pull_{name}"), "pull", condition, schema="sources")


def _create_part() -> None:
    op.create_table(
        "pull_part",
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("pull_id", sa.Uuid(), nullable=False),
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("pages_done", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer()),
        sa.Column("covers_from", sa.Date()),
        sa.Column("covers_to", sa.Date()),
        sa.Column("received", sa.Integer()),
        sa.Column("loaded", sa.Integer()),
        sa.Column("delivery_id", sa.Uuid()),
        sa.Column("expected_by", sa.Date()),
        sa.Column("ended_at", MOMENT),
        sa.CheckConstraint(
            "state IN ('waiting', 'reading', 'got', 'nothing', 'expected', 'refused', 'failed')",
            name=op.f("ck_pull_part_state_known"),
        ),
        sa.CheckConstraint(
            "(state = 'got') = (delivery_id IS NOT NULL)"
            " AND (state = 'got') = (received IS NOT NULL) AND (state = 'got') = (loaded IS NOT NULL)",
            name=op.f("ck_pull_part_got_is_stored"),
        ),
        sa.CheckConstraint(
            "(state IN ('waiting', 'reading')) = (ended_at IS NULL)", name=op.f("ck_pull_part_ended_once")
        ),
        sa.ForeignKeyConstraint(["pull_id"], ["sources.pull.id"], name="fk_pull_part_pull_id_pull"),
        sa.ForeignKeyConstraint(["delivery_id"], ["sources.delivery.id"], name="fk_pull_part_delivery_id_delivery"),
        sa.PrimaryKeyConstraint("firm_id", "pull_id", "item_code", name="pk_pull_part"),
        schema="sources",
    )
    op.create_index("ix_pull_part_delivery_id", "pull_part", ["delivery_id"], schema="sources")


def _create_breaker() -> None:
    op.create_table(
        "source_breaker",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("openings", sa.Integer(), nullable=False),
        sa.Column("rests_until", MOMENT),
        sa.Column("probing_until", MOMENT),
        sa.Column("last_success_at", MOMENT),
        sa.Column("last_failure_at", MOMENT),
        sa.Column("last_reason", sa.String()),
        sa.CheckConstraint("source IN ('tax', 'utilities')", name=op.f("ck_source_breaker_source_known")),
        sa.CheckConstraint("state IN ('closed', 'open', 'half_open')", name=op.f("ck_source_breaker_state_known")),
        sa.CheckConstraint("(state = 'open') = (rests_until IS NOT NULL)", name=op.f("ck_source_breaker_open_rests")),
        sa.CheckConstraint(
            "(state = 'half_open') = (probing_until IS NOT NULL)", name=op.f("ck_source_breaker_half_open_probes")
        ),
        sa.PrimaryKeyConstraint("source", name="pk_source_breaker"),
        schema="sources",
    )


def downgrade() -> None:
    """Go back: what an older platform cannot name is told as failed, and pulls of other sources go."""
    op.drop_table("source_breaker", schema="sources")
    op.drop_table("pull_part", schema="sources")
    op.execute("DELETE FROM sources.pull WHERE source <> 'tax'")
    op.execute("UPDATE sources.pull SET state = 'failed' WHERE state = 'partly'")
    op.drop_column("pull", "put_offs", schema="sources")
    _know("'tax'", STATES.format(partly=""))
