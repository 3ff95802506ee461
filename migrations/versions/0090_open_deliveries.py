"""foundation: find the deliveries that are not done without reading the done ones."""

import sqlalchemy as sa
from alembic import op

revision = "0090"
down_revision = "0071"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_index(
        "ix_outbox_delivery_open",
        "outbox_delivery",
        ["id"],
        schema="foundation",
        postgresql_where=sa.text("state <> 'done'"),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_outbox_delivery_open", "outbox_delivery", schema="foundation")
