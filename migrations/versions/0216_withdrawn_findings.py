"""quality: findings of a version of a rule that has ended are withdrawn, and stand no longer."""

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0216"
down_revision = "0215"
branch_labels = None
depends_on = None

CHECK = "ck_finding_state_known"


def upgrade() -> None:
    """Go forward."""
    _allow("open", "corrected", "waived", "withdrawn")
    _stands("state IN ('open', 'waived')")
    steps.grant("quality.finding", "UPDATE (rule_version, severity)", steps.APP, steps.WORKER)


def downgrade() -> None:
    """Go back; what was withdrawn counts as corrected."""
    op.execute(f"REVOKE UPDATE (rule_version, severity) ON quality.finding FROM {steps.APP}, {steps.WORKER}")
    op.execute("UPDATE quality.finding SET state = 'corrected' WHERE state = 'withdrawn'")
    _stands("state <> 'corrected'")
    _allow("open", "corrected", "waived")


def _allow(*states: str) -> None:
    op.drop_constraint(op.f(CHECK), "finding", schema="quality")
    listed = ", ".join(f"'{state}'" for state in states)
    op.create_check_constraint(op.f(CHECK), "finding", f"state IN ({listed})", schema="quality")


def _stands(where: str) -> None:
    op.drop_index("uq_finding_standing", "finding", schema="quality")
    op.create_index(
        "uq_finding_standing",
        "finding",
        ["delivery_no", "line_no", "rule_code"],
        unique=True,
        schema="quality",
        postgresql_where=sa.text(where),
        postgresql_nulls_not_distinct=True,
    )
