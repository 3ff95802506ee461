"""sources: values that a provider computed in its own domain, under its signature; its keys, by two people.

A value is read as a record is: by its firm, and under a consent in force. Nothing of these tables is ever changed but a
key's approval and retirement.
"""

import sqlalchemy as sa
from alembic import op

from migrations import steps
from xinyidai.foundation.sealing import Xid8

revision = "0200"
down_revision = "0191"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
STATEMENT = (
    "id, statement_id, provider_id, sent_by, firm_id, item_code, consent_id, key_id, words, signature, made_at,"
    " received_at"
)
VALUE = (
    "firm_id, statement_id, line_no, provider_id, item_code, consent_id, indicator, unit, value, as_of_on, covers_from,"
    " covers_to, method_version, made_at, recorded_at"
)


def upgrade() -> None:
    """Go forward."""
    _create_key()
    _create_statement()
    _create_value()
    steps.apply_sql("sources/derived_values_v1.sql")
    steps.writable("sources.provider_key", "INSERT, UPDATE (approved_by, approved_at, retired_by, retired_at)")
    steps.protect("sources.provider_key", f"provider_id = {steps.VIEWER}", check="false")
    _protect("statement", STATEMENT)
    _protect("derived_value", VALUE)
    for view in ("statement", "derived_value"):
        steps.grant(f"sources.sealable_{view}", "SELECT", steps.WORKER, steps.AUDITOR)


def downgrade() -> None:
    """Go back; what was said is gone, and a verification would miss what the blocks hold."""
    for view in ("statement", "derived_value"):
        op.execute(f"DROP VIEW sources.sealable_{view}")
    for table in ("derived_value", "statement", "provider_key"):
        op.drop_table(table, schema="sources")
    op.execute("DROP FUNCTION sources.provider_key_only_onward()")


def _create_key() -> None:
    op.create_table(
        "provider_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("valid_from_at", MOMENT, nullable=False),
        sa.Column("valid_until", MOMENT, nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("approved_by", sa.Uuid()),
        sa.Column("approved_at", MOMENT),
        sa.Column("retired_by", sa.Uuid()),
        sa.Column("retired_at", MOMENT),
        sa.CheckConstraint("octet_length(public_key) = 32", name=op.f("ck_provider_key_key_whole")),
        sa.CheckConstraint("valid_from_at < valid_until", name=op.f("ck_provider_key_valid_some_time")),
        sa.CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL)", name=op.f("ck_provider_key_approved_whole")
        ),
        sa.CheckConstraint("(retired_by IS NULL) = (retired_at IS NULL)", name=op.f("ck_provider_key_retired_whole")),
        sa.CheckConstraint("approved_by <> proposed_by", name=op.f("ck_provider_key_two_people")),
        sa.PrimaryKeyConstraint("id", name="pk_provider_key"),
        sa.UniqueConstraint("public_key", name="uq_provider_key_public_key"),
        schema="sources",
    )
    op.create_index("ix_provider_key_provider_id_id", "provider_key", ["provider_id", "id"], schema="sources")


def _create_statement() -> None:
    op.create_table(
        "statement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("sent_by", sa.Uuid(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("consent_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["sources.provider_key.id"], name="fk_statement_key_id_provider_key"),
        sa.PrimaryKeyConstraint("id", name="pk_statement"),
        sa.UniqueConstraint("provider_id", "statement_id", name="uq_statement_provider_id_statement_id"),
        schema="sources",
    )
    op.create_index("ix_statement_firm_id_id", "statement", ["firm_id", "id"], schema="sources")
    op.create_index("ix_statement_xid", "statement", ["xid"], schema="sources")


def _create_value() -> None:
    op.create_table(
        "derived_value",
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("consent_id", sa.Uuid(), nullable=False),
        sa.Column("indicator", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("value", sa.BigInteger()),
        sa.Column("as_of_on", sa.Date(), nullable=False),
        sa.Column("covers_from", sa.Date(), nullable=False),
        sa.Column("covers_to", sa.Date(), nullable=False),
        sa.Column("method_version", sa.String(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.CheckConstraint(
            "covers_from <= covers_to AND covers_to < as_of_on", name=op.f("ck_derived_value_covers_days_before")
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"], ["sources.statement.id"], name="fk_derived_value_statement_id_statement"
        ),
        sa.PrimaryKeyConstraint("firm_id", "statement_id", "line_no", name="pk_derived_value"),
        schema="sources",
    )
    op.create_index(
        "uq_derived_value_told_once",
        "derived_value",
        ["firm_id", "indicator", "as_of_on", "recorded_at"],
        unique=True,
        schema="sources",
    )
    op.create_index("ix_derived_value_xid", "derived_value", ["xid"], schema="sources")


def _protect(name: str, columns: str) -> None:
    """Let a row be read by its firm, by whom it says it came from, and under a consent; written by the platform.

    Column by column, so that nobody can backdate a row behind the sealed blocks by writing its xid.
    """
    table, roles = f"sources.{name}", f"{steps.APP}, {steps.WORKER}"
    steps.readable(table)
    steps.grant(table, f"INSERT ({columns})", steps.APP, steps.WORKER)
    steps.append_only(table)
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY permitted ON {table} FOR SELECT TO {roles} USING (firm_id = {steps.VIEWER}"
        f" OR provider_id = {steps.VIEWER} OR firm_id IN (SELECT consents.permitted_subjects(item_code)))"
    )
    op.execute(f"CREATE POLICY delivered ON {table} FOR INSERT TO {roles} WITH CHECK ((SELECT access.is_platform()))")
    op.execute(f"CREATE POLICY owner ON {table} TO {steps.OWNER} USING (true) WITH CHECK (true)")
    op.execute(f"CREATE POLICY auditor ON {table} FOR SELECT TO {steps.AUDITOR} USING (true)")
