"""consents: how long what was read under a consent may be kept; null for consents given before it was asked."""

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0102"
down_revision = "0101"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.add_column("consent", sa.Column("data_life_days", sa.Integer()), schema="consents")
    op.create_check_constraint(
        op.f("ck_consent_data_life_positive"), "consent", "data_life_days > 0", schema="consents"
    )
    steps.apply_sql("consents/only_revoke_v2.sql")


def downgrade() -> None:
    """Go back; what was agreed on the life of data is lost."""
    for trigger in ("consent_only_revoke", "consent_no_truncate"):
        op.execute(f"DROP TRIGGER {trigger} ON consents.consent")
    steps.apply_sql("consents/only_revoke_v1.sql", replaces=True)
    op.drop_column("consent", "data_life_days", schema="consents")
