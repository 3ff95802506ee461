"""foundation: find the open periods of the timetable without reading the done ones."""

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_index(
        "ix_job_due_open", "job_due", ["job"], schema="foundation", postgresql_where=sa.text("done_at IS NULL")
    )


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_job_due_open", "job_due", schema="foundation")
