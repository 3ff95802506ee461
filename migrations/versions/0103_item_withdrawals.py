"""consents: one item taken back of a consent, the rest kept."""

import sqlalchemy as sa
from alembic import op

from migrations import steps
from xinyidai.foundation.sealing import Xid8

revision = "0103"
down_revision = "0102"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "item_withdrawal",
        sa.Column("consent_id", sa.Uuid(), nullable=False),
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("consent_id", "item_code", name="pk_item_withdrawal"),
        sa.ForeignKeyConstraint(["consent_id"], ["consents.consent.id"], name="fk_item_withdrawal_consent_id_consent"),
        schema="consents",
    )
    steps.append_only("consents.item_withdrawal")
    steps.readable("consents.item_withdrawal")
    # Column by column, so that nobody can backdate a row behind the sealed blocks by writing its xid.
    steps.grant(
        "consents.item_withdrawal",
        "INSERT (consent_id, item_code, withdrawn_at, withdrawn_by)",
        steps.APP,
        steps.WORKER,
    )
    # Seen by whoever sees the consent: a receiver must know what it may no longer read.
    of_the_consent = "SELECT FROM consents.consent AS c WHERE c.id = consent_id"
    steps.protect(
        "consents.item_withdrawal",
        f"EXISTS ({of_the_consent})",
        check=f"EXISTS ({of_the_consent} AND c.subject_id = {steps.VIEWER} AND item_code = ANY (c.item_codes))",
    )
    steps.apply_sql("consents/permitted_subjects_v3.sql")


def downgrade() -> None:
    """Go back; whatever was taken back by itself opens again, so take the consents back before."""
    steps.apply_sql("consents/permitted_subjects_v2.sql")
    op.drop_table("item_withdrawal", schema="consents")
