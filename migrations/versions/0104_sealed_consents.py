"""consents: what was agreed to, revoked and taken back is sealed like the audit trail; earlier acts from now on."""

import sqlalchemy as sa
from alembic import op

from migrations import steps
from xinyidai.foundation.sealing import Xid8

revision = "0104"
down_revision = "0103"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward; acts that are there already count as written by this transaction."""
    written_now = sa.text("pg_current_xact_id()")
    op.add_column("consent", sa.Column("xid", Xid8(), server_default=written_now, nullable=False), schema="consents")
    op.add_column("consent", sa.Column("revoked_xid", Xid8()), schema="consents")
    op.execute("ALTER TABLE consents.consent DISABLE TRIGGER consent_only_revoke")
    op.execute("UPDATE consents.consent SET revoked_xid = pg_current_xact_id() WHERE state = 'revoked'")
    op.execute("ALTER TABLE consents.consent ENABLE ALWAYS TRIGGER consent_only_revoke")
    op.create_index("ix_consent_xid", "consent", ["xid"], schema="consents")
    op.create_index("ix_consent_revoked_xid", "consent", ["revoked_xid"], schema="consents")
    op.create_index("ix_item_withdrawal_xid", "item_withdrawal", ["xid"], schema="consents")
    steps.apply_sql("consents/sealing_v1.sql")
    steps.grant("consents.sealable_act", "SELECT", steps.WORKER, steps.AUDITOR)


def downgrade() -> None:
    """Go back; the blocks stay, and a verification by this version's code would miss what they hold."""
    op.execute("DROP VIEW consents.sealable_act")
    op.execute("DROP TRIGGER consent_stamp_act ON consents.consent")
    op.execute("DROP FUNCTION consents.stamp_act()")
    op.drop_index("ix_item_withdrawal_xid", "item_withdrawal", schema="consents")
    op.drop_column("consent", "revoked_xid", schema="consents")
    op.drop_column("consent", "xid", schema="consents")
