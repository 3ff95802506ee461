"""reporting: views over the rooms below; no table of its own."""

from migrations import steps

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("reporting")
    for view in ("lending_fact", "book_difference"):
        steps.apply_sql(f"reporting/{view}_v1.sql")
        steps.readable(f"reporting.{view}")


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("reporting")
