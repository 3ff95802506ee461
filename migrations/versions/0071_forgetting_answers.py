"""foundation: kept answers to money calls may be forgotten by the worker, oldest first."""

from alembic import op

from migrations import steps

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_index("ix_idempotent_answer_recorded_at", "idempotent_answer", ["recorded_at"], schema="foundation")
    steps.grant("foundation.idempotent_answer", "DELETE", steps.WORKER)


def downgrade() -> None:
    """Go back."""
    op.execute(f"REVOKE DELETE ON foundation.idempotent_answer FROM {steps.WORKER}")
    op.drop_index("ix_idempotent_answer_recorded_at", "idempotent_answer", schema="foundation")
