"""quality: every waiver ends on a day, and its finding is open again."""

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0191"
down_revision = "0190"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("finding", sa.Column("waiver_until_on", sa.Date()), schema="quality")
    op.execute(
        "UPDATE quality.finding SET waiver_until_on = (closed_at AT TIME ZONE 'Asia/Shanghai')::date + 366"
        " WHERE state = 'waived'"
    )
    op.create_check_constraint(
        op.f("ck_finding_waived_until_some_day"),
        "finding",
        "(state = 'waived') <= (waiver_until_on IS NOT NULL)",
        schema="quality",
    )
    op.create_index(
        "ix_finding_waiver_until_on",
        "finding",
        ["waiver_until_on"],
        schema="quality",
        postgresql_where=sa.text("state = 'waived'"),
    )
    steps.grant("quality.finding", "UPDATE (waiver_until_on)", steps.APP, steps.WORKER)


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_finding_waiver_until_on", "finding", schema="quality")
    op.drop_constraint(op.f("ck_finding_waived_until_some_day"), "finding", schema="quality")
    op.drop_column("finding", "waiver_until_on", schema="quality")
