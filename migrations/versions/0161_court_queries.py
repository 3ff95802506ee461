"""sources: the courts and the customs as sources, and the numbers under which the courts call back."""

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0161"
down_revision = "0160"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
BEFORE, AFTER = "'tax', 'utilities'", "'tax', 'utilities', 'courts', 'customs'"


def upgrade() -> None:
    """Go forward."""
    _know(AFTER)
    op.create_table(
        "court_query",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("pull_id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("called_at", MOMENT),
        sa.ForeignKeyConstraint(["pull_id"], ["sources.pull.id"], name="fk_court_query_pull_id_pull"),
        sa.PrimaryKeyConstraint("job_id", name="pk_court_query"),
        schema="sources",
    )
    op.create_index("ix_court_query_pull_id", "court_query", ["pull_id"], schema="sources")
    steps.writable("sources.court_query", "INSERT, UPDATE (called_at)")
    steps.protect("sources.court_query", f"firm_id = {steps.VIEWER}")


def downgrade() -> None:
    """Go back."""
    op.drop_table("court_query", schema="sources")
    _know(BEFORE)


def _know(sources: str) -> None:
    for table in ("pull", "source_breaker"):
        name = op.f(f"ck_{table}_source_known")
        op.drop_constraint(name, table, schema="sources")
        op.create_check_constraint(name, table, f"source IN ({sources})", schema="sources")
