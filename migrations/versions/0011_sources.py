"""sources: deliveries, facts with their lines, rows kept aside, corrections, seals."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps
from xinyidai.foundation.sealing import Xid8

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

DATABASE = "DO $$ BEGIN EXECUTE format('{verb} TEMPORARY ON DATABASE %I {to} {roles}', current_database()); END $$"


def upgrade() -> None:
    """Go forward."""
    steps.create_schema("sources")
    op.execute("CREATE SEQUENCE sources.delivery_no AS integer")
    op.execute(f"GRANT USAGE ON SEQUENCE sources.delivery_no TO {steps.APP}, {steps.WORKER}")
    # A chunk is copied into a table of the session's own before it is inserted under the policies.
    op.execute(DATABASE.format(verb="GRANT", to="TO", roles=f"{steps.APP}, {steps.WORKER}"))
    _create_deliveries()
    _create_facts()
    _create_seals()
    _give_rights()


def _create_deliveries() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("sent_by", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("file_format", sa.String(), nullable=False),
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("item_version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("loaded", sa.Integer(), nullable=False),
        sa.Column("rejected_rows", sa.Integer(), nullable=False),
        sa.Column("rejected", postgresql.JSONB(), nullable=False),
        sa.Column("flagged", postgresql.JSONB(), nullable=False),
        sa.Column("firm_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('vat_invoice', 'correction')", name=op.f("ck_delivery_kind_known")),
        sa.CheckConstraint("file_format IN ('csv', 'parquet', 'json')", name=op.f("ck_delivery_file_format_known")),
        sa.CheckConstraint("received = loaded + rejected_rows", name=op.f("ck_delivery_rows_reconcile")),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("no", name="uq_delivery_no"),
        sa.UniqueConstraint("sender_id", "digest", "kind", name="uq_delivery_sender_id_digest_kind"),
        schema="sources",
    )
    op.create_table(
        "rejected_row",
        sa.Column("delivery_no", sa.Integer(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("faults", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_no"],
            ["sources.delivery.no"],
            name="fk_rejected_row_delivery_no_delivery",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("delivery_no", "line_no", name="pk_rejected_row"),
        schema="sources",
    )


def _create_facts() -> None:
    in_range = " AND ".join(
        f"{column} BETWEEN -1000000000000000 AND 1000000000000000" for column in ("net_fen", "tax_fen", "gross_fen")
    )
    op.create_table(
        "invoice_fact",
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_no", sa.Integer(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("net_fen", sa.BigInteger(), nullable=False),
        sa.Column("tax_fen", sa.BigInteger(), nullable=False),
        sa.Column("gross_fen", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True)),
        sa.Column("direction", sa.SmallInteger(), nullable=False),
        sa.Column("flags", sa.SmallInteger(), nullable=False),
        sa.Column("is_void", sa.Boolean(), nullable=False),
        sa.Column("invoice_no", sa.String(), nullable=False),
        sa.Column("counterparty", sa.String(), nullable=False),
        sa.CheckConstraint("direction IN (0, 1)", name=op.f("ck_invoice_fact_direction_known")),
        sa.CheckConstraint(in_range, name=op.f("ck_invoice_fact_amounts_in_range")),
        sa.CheckConstraint("superseded_at >= recorded_at", name=op.f("ck_invoice_fact_superseded_later")),
        sa.PrimaryKeyConstraint("firm_id", "delivery_no", "line_no", name="pk_invoice_fact"),
        schema="sources",
    )
    op.create_index("ix_invoice_fact_firm_id_invoice_no", "invoice_fact", ["firm_id", "invoice_no"], schema="sources")
    fact = ["sources.invoice_fact.firm_id", "sources.invoice_fact.delivery_no", "sources.invoice_fact.line_no"]
    op.create_table(
        "supersession",
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_no", sa.Integer(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("by_delivery_no", sa.Integer(), nullable=False),
        sa.Column("by_line_no", sa.Integer(), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.ForeignKeyConstraint(["firm_id", "delivery_no", "line_no"], fact, name="fk_supersession_old_fact"),
        sa.ForeignKeyConstraint(["firm_id", "by_delivery_no", "by_line_no"], fact, name="fk_supersession_new_fact"),
        sa.PrimaryKeyConstraint("firm_id", "delivery_no", "line_no", name="pk_supersession"),
        schema="sources",
    )


def _create_seals() -> None:
    op.create_table(
        "fact_seal",
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_no", sa.Integer(), nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.Column("line_nos", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("firm_id", "delivery_no", "chunk", name="pk_fact_seal"),
        schema="sources",
    )
    op.create_index("ix_fact_seal_delivery_no", "fact_seal", ["delivery_no"], schema="sources")


def _give_rights() -> None:
    for table in ("delivery", "rejected_row"):
        steps.writable(f"sources.{table}", "INSERT")
        steps.append_only(f"sources.{table}")
        steps.protect(f"sources.{table}", f"sender_id = {steps.VIEWER}")
    steps.readable("sources.invoice_fact")
    steps.grant("sources.invoice_fact", "INSERT, UPDATE (superseded_at)", steps.APP, steps.WORKER)
    steps.apply_sql("sources/fact_policies_v1.sql")
    steps.apply_sql("sources/only_supersede_v1.sql")
    steps.readable("sources.supersession")
    # Column by column, so that nobody can backdate a row behind the sealed blocks by writing its xid.
    columns = "firm_id, delivery_no, line_no, by_delivery_no, by_line_no, superseded_at"
    steps.grant("sources.supersession", f"INSERT ({columns})", steps.APP, steps.WORKER)
    steps.append_only("sources.supersession")
    steps.protect("sources.supersession", f"firm_id = {steps.VIEWER}")
    steps.grant("sources.fact_seal", "SELECT", steps.WORKER, steps.AUDITOR)
    steps.append_only("sources.fact_seal")
    steps.protect("sources.fact_seal", "false")
    steps.apply_sql("sources/sealing_v1.sql")
    for view in ("sealable_fact_seal", "sealable_supersession"):
        steps.grant(f"sources.{view}", "SELECT", steps.WORKER, steps.AUDITOR)


def downgrade() -> None:
    """Go back."""
    op.execute(DATABASE.format(verb="REVOKE", to="FROM", roles=f"{steps.APP}, {steps.WORKER}"))
    steps.drop_schema("sources")
