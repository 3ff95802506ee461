"""access: what row-level security knows of who asks."""

from migrations import steps

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("access")
    steps.apply_sql("access/scope_v1.sql")
    # Made in 0001, protected here: the policy needs the functions of this schema.
    steps.protect("foundation.idempotent_answer", f"organisation_id = {steps.VIEWER}")


def downgrade() -> None:
    """Go back."""
    steps.unprotect("foundation.idempotent_answer")
    steps.drop_schema("access")
