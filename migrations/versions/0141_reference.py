"""foundation: the version of what every process keeps of policy, catalogue and rules."""

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0141"
down_revision = "0140"
branch_labels = None
depends_on = None

KEPT = (
    "catalogue.item",
    "catalogue.item_standard",
    "consents.purpose_policy",
    "objections.repair_rule",
    "quality.rule",
)


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "reference",
        sa.Column("version", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_reference")),
        schema="foundation",
    )
    op.execute("INSERT INTO foundation.reference VALUES (gen_random_uuid())")
    steps.readable("foundation.reference")
    steps.apply_sql("foundation/renew_reference_v1.sql")
    for table in KEPT:
        steps.renews_reference(table)


def downgrade() -> None:
    """Go back."""
    for table in reversed(KEPT):
        op.execute(f"DROP TRIGGER {table.split('.')[-1]}_renews_reference ON {table}")
    op.execute("DROP FUNCTION foundation.renew_reference()")
    op.drop_table("reference", schema="foundation")
