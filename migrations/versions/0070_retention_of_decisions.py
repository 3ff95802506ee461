"""decisions: how long inputs of decisions are kept, by kind and effective date; when a key was last lent."""

from datetime import date

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0070"
down_revision = "0052"
branch_labels = None
depends_on = None

FIRST_DAY = date(2016, 1, 1)
# Five years of a loan's term and five after its end, the longest that anybody is known to ask for.
MONTHS = 120
BASIS = "参照《征信业管理条例》第十六条：不良信息自终止之日起保存五年（适用范围和期限待核）"


def upgrade() -> None:
    """Go forward."""
    retention = op.create_table(
        "retention",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("legal_basis", sa.String(), nullable=False),
        sa.Column("is_basis_verified", sa.Boolean(), nullable=False),
        sa.CheckConstraint("months > 0", name=op.f("ck_retention_months_positive")),
        sa.PrimaryKeyConstraint("kind", "valid_from", name="pk_retention"),
        schema="decisions",
    )
    op.bulk_insert(
        retention,
        [
            {"kind": kind, "valid_from": FIRST_DAY, "months": MONTHS, "legal_basis": BASIS, "is_basis_verified": False}
            for kind in ("score", "match", "lent")
        ],
    )
    steps.readable("decisions.retention")
    op.add_column("subject_key", sa.Column("last_lent_at", sa.DateTime(timezone=True)), schema="decisions")
    op.execute(
        "UPDATE decisions.subject_key k SET last_lent_at = p.shown_at"
        " FROM (SELECT key_id, max(shown_at) AS shown_at FROM profiles.profile GROUP BY key_id) p WHERE p.key_id = k.id"
    )
    steps.grant("decisions.subject_key", "UPDATE (last_lent_at)", steps.APP, steps.WORKER)


def downgrade() -> None:
    """Go back."""
    op.drop_column("subject_key", "last_lent_at", schema="decisions")
    op.drop_table("retention", schema="decisions")
