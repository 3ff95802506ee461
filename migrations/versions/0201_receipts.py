"""sources: receipts of questions that were passed through to an item's owner; never what was answered."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps
from xinyidai.foundation.sealing import Xid8

revision = "0201"
down_revision = "0200"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
COLUMNS = (
    "id, firm_id, asker_id, asked_by, provider_id, item_code, purpose, consent_ids, covers_from, covers_to,"
    " answer_digest, key_id, signature, asked_at, answered_at"
)


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "receipt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("asker_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("consent_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("covers_from", sa.Date(), nullable=False),
        sa.Column("covers_to", sa.Date(), nullable=False),
        sa.Column("answer_digest", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("answered_at", MOMENT, nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.CheckConstraint("octet_length(answer_digest) = 32", name=op.f("ck_receipt_digest_whole")),
        sa.CheckConstraint("covers_from <= covers_to", name=op.f("ck_receipt_covers_in_order")),
        sa.ForeignKeyConstraint(["key_id"], ["sources.provider_key.id"], name="fk_receipt_key_id_provider_key"),
        sa.PrimaryKeyConstraint("id", name="pk_receipt"),
        schema="sources",
    )
    for whose in ("firm_id", "asker_id", "provider_id"):
        op.create_index(f"ix_receipt_{whose}_id", "receipt", [whose, "id"], schema="sources")
    op.create_index("ix_receipt_xid", "receipt", ["xid"], schema="sources")
    steps.readable("sources.receipt")
    # Column by column, so that nobody can backdate a row behind the sealed blocks by writing its xid.
    steps.grant("sources.receipt", f"INSERT ({COLUMNS})", steps.APP, steps.WORKER)
    steps.append_only("sources.receipt")
    own = " OR ".join(f"{whose} = {steps.VIEWER}" for whose in ("firm_id", "asker_id", "provider_id"))
    steps.protect("sources.receipt", own, check="false")
    steps.apply_sql("sources/receipts_v1.sql")
    steps.grant("sources.sealable_receipt", "SELECT", steps.WORKER, steps.AUDITOR)


def downgrade() -> None:
    """Go back."""
    op.execute("DROP VIEW sources.sealable_receipt")
    op.drop_table("receipt", schema="sources")
