"""sources: facts and rows kept aside end, and facts leave tombstones by which their seals are still proved."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import steps
from xinyidai.foundation.sealing import Xid8

revision = "0170"
down_revision = "0161"
branch_labels = None
depends_on = None

TABLES = (
    *("invoice_fact", "tax_filing_fact", "social_insurance_fact", "housing_fund_fact", "water_fact"),
    *("electricity_fact", "gas_fact", "import_export_fact", "logistics_fact", "annual_report_fact", "tax_grade_fact"),
    *("environment_fact", "self_declared_fact", "registration_change_fact", "permit_fact", "penalty_fact"),
    *("judgment_fact", "enforcement_fact", "tax_arrears_fact", "intellectual_property_fact"),
    *("science_technology_fact", "tender_fact", "honour_list_fact", "commitment_fact"),
)


def upgrade() -> None:
    """Go forward."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "tombstone",
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_no", sa.Integer(), nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("line_nos", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("recorded_at", moment, nullable=False),
        sa.Column("purged_at", moment, nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.CheckConstraint("reason IN ('life_over', 'asked')", name=op.f("ck_tombstone_reason_known")),
        sa.CheckConstraint("length(leaves) = 32 * cardinality(line_nos)", name=op.f("ck_tombstone_a_leaf_a_line")),
        sa.PrimaryKeyConstraint("firm_id", "delivery_no", "chunk", "part", name="pk_tombstone"),
        schema="sources",
    )
    op.create_index("ix_tombstone_delivery_no", "tombstone", ["delivery_no"], schema="sources")
    # Only the function writes them: no role that signs in may put a stone where it took a fact away.
    steps.readable("sources.tombstone")
    steps.append_only("sources.tombstone")
    steps.protect("sources.tombstone", f"firm_id = {steps.VIEWER}", check="false")
    steps.apply_sql("consents/terms_v1.sql")
    steps.apply_sql("sources/purging_v1.sql")
    steps.apply_sql("sources/altered_facts_v3.sql")
    steps.grant("sources.sealable_tombstone", "SELECT", steps.WORKER, steps.AUDITOR)
    # What superseded what stays when either fact is gone: it says no more than names and moments.
    for name in ("fk_supersession_old_fact", "fk_supersession_new_fact"):
        op.drop_constraint(name, "supersession", schema="sources")
    # What was purged may come again in the same bytes; one delivery of an item comes in at a time.
    op.drop_constraint("uq_delivery_sender_id_digest_kind", "delivery", schema="sources")
    op.create_index("ix_delivery_sender_id_digest_kind", "delivery", ["sender_id", "digest", "kind"], schema="sources")
    for table in TABLES:
        op.execute(f"DROP TRIGGER {table}_no_delete ON sources.{table}")
        op.execute(
            f"CREATE TRIGGER {table}_only_purge AFTER DELETE ON sources.{table} REFERENCING OLD TABLE AS gone"
            " FOR EACH STATEMENT EXECUTE FUNCTION sources.only_with_tombstone()"
        )
        op.execute(f"ALTER TABLE sources.{table} ENABLE ALWAYS TRIGGER {table}_only_purge")
    _guard_aside("only_purge_aside", "sources.only_purge_aside()", instead_of="append_only")


def _guard_aside(name: str, does: str, *, instead_of: str) -> None:
    op.execute(f"DROP TRIGGER rejected_row_{instead_of} ON sources.rejected_row")
    op.execute(
        f"CREATE TRIGGER rejected_row_{name} BEFORE UPDATE OR DELETE ON sources.rejected_row"
        f" FOR EACH ROW EXECUTE FUNCTION {does}"
    )
    op.execute(f"ALTER TABLE sources.rejected_row ENABLE ALWAYS TRIGGER rejected_row_{name}")


def downgrade() -> None:
    """Go back, where nothing was purged yet: without its tombstone a purged fact is one that is missing."""
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM sources.tombstone) THEN"
        " RAISE EXCEPTION 'facts were purged: their tombstones must stay'; END IF; END $$"
    )
    _guard_aside("append_only", "foundation.refuse_change()", instead_of="only_purge_aside")
    for table in TABLES:
        op.execute(f"DROP TRIGGER {table}_only_purge ON sources.{table}")
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON sources.{table}"
            " FOR EACH ROW EXECUTE FUNCTION foundation.refuse_change()"
        )
        op.execute(f"ALTER TABLE sources.{table} ENABLE ALWAYS TRIGGER {table}_no_delete")
    op.drop_index("ix_delivery_sender_id_digest_kind", "delivery", schema="sources")
    op.create_unique_constraint(
        "uq_delivery_sender_id_digest_kind", "delivery", ["sender_id", "digest", "kind"], schema="sources"
    )
    for name, columns in (
        ("old", ["firm_id", "delivery_no", "line_no"]),
        ("new", ["firm_id", "by_delivery_no", "by_line_no"]),
    ):
        op.create_foreign_key(
            f"fk_supersession_{name}_fact",
            "supersession",
            "invoice_fact",
            columns,
            ["firm_id", "delivery_no", "line_no"],
            source_schema="sources",
            referent_schema="sources",
        )
    steps.apply_sql("sources/altered_facts_v2.sql")
    for function in (
        "sources.only_with_tombstone()",
        "sources.only_purge_aside()",
        "sources.purge_aside(integer, text, timestamptz, integer)",
        "sources.purge(uuid, text, integer, integer[], integer, text, timestamptz)",
        "sources.held(uuid, text)",
        "sources.past_keeping(timestamptz)",
        "consents.terms(text)",
    ):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP VIEW sources.sealable_tombstone")
    op.drop_table("tombstone", schema="sources")
