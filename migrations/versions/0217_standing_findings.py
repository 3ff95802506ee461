"""quality: standing findings of a firm are found along an index, waived ones too."""

import sqlalchemy as sa
from alembic import op

revision = "0217"
down_revision = "0216"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.drop_index("ix_finding_firm_id_open", "finding", schema="quality")
    op.create_index(
        "ix_finding_firm_id_standing",
        "finding",
        ["firm_id"],
        schema="quality",
        postgresql_where=sa.text("state IN ('open', 'waived')"),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_finding_firm_id_standing", "finding", schema="quality")
    op.create_index(
        "ix_finding_firm_id_open", "finding", ["firm_id"], schema="quality", postgresql_where=sa.text("state = 'open'")
    )
