"""sources: the daily look for what may not be kept looks only into tables of which some consent has ended."""

from migrations import steps

revision = "0210"
down_revision = "0202"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    steps.apply_sql("sources/past_keeping_v2.sql")


def downgrade() -> None:
    """Go back."""
    steps.apply_sql("sources/past_keeping_v1.sql")
