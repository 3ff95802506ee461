"""reporting: schema and rights."""

from migrations import steps

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("reporting")


def downgrade() -> None:
    """Go back."""
    steps.drop_schema("reporting")
