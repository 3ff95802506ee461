"""sources: a number that a firm gives at one source may be the same at another."""

from alembic import op

revision = "0211"
down_revision = "0210"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.drop_constraint("uq_pull_firm_id_code_digest", "pull", schema="sources")
    op.create_unique_constraint(
        "uq_pull_firm_id_source_code_digest", "pull", ["firm_id", "source", "code_digest"], schema="sources"
    )


def downgrade() -> None:
    """Go back."""
    op.drop_constraint("uq_pull_firm_id_source_code_digest", "pull", schema="sources")
    op.create_unique_constraint("uq_pull_firm_id_code_digest", "pull", ["firm_id", "code_digest"], schema="sources")
