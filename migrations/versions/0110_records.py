"""sources: a typed table for the records of each item beside invoices, bitemporal, under the subject's consent.

What is refused at the door of a delivery lies in the code; here stand what no row may break: one current record of a
name, written by the platform, never overwritten, read by its firm and under a consent in force.
"""

import sqlalchemy as sa
from alembic import op

from migrations import steps
from xinyidai.foundation.sealing import Xid8

revision = "0110"
down_revision = "0104"
branch_labels = None
depends_on = None

TABLES = {
    "tax_filing": (
        "month:month tax_kind:text declared_sales_fen:bigint paid_fen:bigint filed_on:day",
        "month tax_kind",
    ),
    "social_insurance": ("month:month insured:count base_fen:bigint paid_fen:bigint owed_fen:bigint", "month"),
    "housing_fund": ("month:month depositors:count base_fen:bigint paid_fen:bigint owed_fen:bigint", "month"),
    "water": ("month:month used_m3:bigint charged_fen:bigint owed_fen:bigint", "month"),
    "electricity": ("month:month used_kwh:bigint charged_fen:bigint owed_fen:bigint is_cut_off:flag", "month"),
    "gas": ("month:month used_m3:bigint charged_fen:bigint owed_fen:bigint", "month"),
    "import_export": ("month:month exported_fen:bigint imported_fen:bigint customs_grade:text?", "month"),
    "logistics": ("month:month shipments:count freight_fen:bigint stock_fen:bigint", "month"),
    "annual_report": ("year:year staff:count assets_fen:bigint? revenue_fen:bigint?", "year"),
    "tax_grade": ("year:year grade:text", "year"),
    "environment": ("year:year grade:text", "year"),
    "self_declared": ("year:year revenue_fen:bigint profit_fen:bigint debt_fen:bigint", "year"),
    "registration_change": ("changed_on:day what:text before:text? after:text?", "changed_on what"),
    "permit": ("document_no:text what:text decided_on:day valid_until_on:day?", "document_no"),
    "penalty": (
        "document_no:text reason:text kind:text fined_fen:bigint? decided_on:day published_until_on:day?",
        "document_no",
    ),
    "judgment": ("case_no:text role:text cause:text claimed_fen:bigint? decided_on:day", "case_no role"),
    "enforcement": ("case_no:text owed_fen:bigint filed_on:day is_dishonest:flag ended_on:day?", "case_no"),
    "tax_arrears": ("tax_kind:text owed_fen:bigint published_on:day", "tax_kind published_on"),
    "intellectual_property": ("right_no:text kind:text granted_on:day status:text", "right_no"),
    "science_technology": (
        "recognition:text valid_until_on:day research_spent_fen:bigint?",
        "recognition valid_until_on",
    ),
    "tender": ("project_no:text awarded_fen:bigint awarded_on:day", "project_no"),
    "honour_list": ("list:text is_negative:flag listed_on:day removed_on:day?", "list listed_on"),
    "commitment": ("kind:text made_on:day is_broken:flag", "kind made_on"),
}
"""Each item's columns, `?` where a value may be missing, and those that name a record beside its firm."""
OPEN = {
    *("registration_change", "permit", "penalty", "judgment", "enforcement", "tax_grade", "tax_arrears"),
    *("intellectual_property", "environment", "tender", "honour_list", "commitment"),
}
"""Items that the catalogue lists as open; all others are read under a consent."""
TYPES = {
    "month": sa.Date,
    "day": sa.Date,
    "year": sa.SmallInteger,
    "count": sa.Integer,
    "bigint": sa.BigInteger,
    "flag": sa.Boolean,
    "text": sa.String,
}
SENT = {
    "month": "date_send",
    "day": "date_send",
    "year": "int2send",
    "count": "int4send",
    "bigint": "int8send",
    "flag": "boolsend",
    "text": "textsend",
}
INVOICE_KINDS = ("vat_invoice", "correction")


def upgrade() -> None:
    """Go forward."""
    # A report's figures that a firm chose not to publish are read on consent, and so its record as a whole.
    op.execute("UPDATE catalogue.item SET access_class = 'on_consent' WHERE code = 'annual_report'")
    # Nothing was collected under this line yet; who may hold filings in this province is still to be verified.
    op.execute(
        "UPDATE catalogue.item_topology SET topology = 'held_copy',"
        " basis = '假定：市级唯一出口平台按企业授权保存申报数据副本，待核'"
        " WHERE item_code = 'tax_filing' AND province_code = '50'"
    )
    _allow("kind", *INVOICE_KINDS, *TABLES)
    _allow("file_format", "csv", "parquet", "json", "xlsx")
    for code, (columns, key) in TABLES.items():
        _create(code, columns, key.split())
    _create_supersession()
    steps.apply_sql("sources/record_functions_v1.sql")
    for code, (columns, _key) in TABLES.items():
        _protect(code)
        op.execute(_leaves(code, columns))
    steps.grant("sources.sealable_record_supersession", "SELECT", steps.WORKER, steps.AUDITOR)


def downgrade() -> None:
    """Go back, to where only invoices are known."""
    for code in TABLES:
        op.execute(f"DROP VIEW sources.{code}_leaf")
        op.drop_table(f"{code}_fact", schema="sources")
    op.execute("DROP VIEW sources.sealable_record_supersession")
    op.drop_table("record_supersession", schema="sources")
    op.execute("DROP FUNCTION sources.only_supersede_record()")
    op.execute("DROP FUNCTION sources.open_subjects(text)")
    op.execute("DROP FUNCTION sources.leaf_part(bytea)")
    op.execute("DROP FUNCTION sources.altered_facts()")
    op.execute("DROP FUNCTION sources.seal_delivery(integer, timestamptz)")
    op.execute("DROP FUNCTION sources.fact_tables()")
    steps.apply_sql("sources/sealing_of_invoices_v1.sql")
    _allow("kind", *INVOICE_KINDS)
    _allow("file_format", "csv", "parquet", "json")
    op.execute("UPDATE catalogue.item SET access_class = 'open' WHERE code = 'annual_report'")
    op.execute(
        "UPDATE catalogue.item_topology SET topology = 'in_domain', basis = '假定：重庆税务部门在域内计算衍生值，待核'"
        " WHERE item_code = 'tax_filing' AND province_code = '50'"
    )


def _allow(column: str, *values: str) -> None:
    name, listed = op.f(f"ck_delivery_{column}_known"), ", ".join(f"'{value}'" for value in values)
    op.drop_constraint(name, "delivery", schema="sources")
    op.create_check_constraint(name, "delivery", f"{column} IN ({listed})", schema="sources")


def _create(code: str, columns: str, key: list[str]) -> None:
    table = f"{code}_fact"
    op.create_table(
        table,
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_no", sa.Integer(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True)),
        *(sa.Column(name, TYPES[kind](), nullable=not is_required) for name, kind, is_required in _read(columns)),
        sa.CheckConstraint("superseded_at >= recorded_at", name=op.f(f"ck_{table}_superseded_later")),
        sa.PrimaryKeyConstraint("firm_id", "delivery_no", "line_no", name=f"pk_{table}"),
        schema="sources",
    )
    op.create_index(
        f"uq_{table}_current",
        table,
        ["firm_id", *key],
        unique=True,
        schema="sources",
        postgresql_where=sa.text("superseded_at IS NULL"),
    )


def _create_supersession() -> None:
    columns = "item_code, firm_id, delivery_no, line_no, by_delivery_no, by_line_no, superseded_at"
    op.create_table(
        "record_supersession",
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("firm_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_no", sa.Integer(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("by_delivery_no", sa.Integer(), nullable=False),
        sa.Column("by_line_no", sa.Integer(), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("item_code", "firm_id", "delivery_no", "line_no", name="pk_record_supersession"),
        schema="sources",
    )
    steps.readable("sources.record_supersession")
    # Column by column, so that nobody can backdate a row behind the sealed blocks by writing its xid.
    steps.grant("sources.record_supersession", f"INSERT ({columns})", steps.APP, steps.WORKER)
    steps.append_only("sources.record_supersession")
    steps.protect("sources.record_supersession", f"firm_id = {steps.VIEWER}")


def _protect(code: str) -> None:
    table, roles = f"sources.{code}_fact", f"{steps.APP}, {steps.WORKER}"
    allowed = "sources.open_subjects" if code in OPEN else "consents.permitted_subjects"
    is_platform = "(SELECT access.is_platform())"
    steps.readable(table)
    steps.grant(table, "INSERT, UPDATE (superseded_at)", steps.APP, steps.WORKER)
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY permitted ON {table} FOR SELECT TO {roles}"
        f" USING (firm_id = {steps.VIEWER} OR firm_id IN (SELECT {allowed}('{code}')))"
    )
    op.execute(f"CREATE POLICY delivered ON {table} FOR INSERT TO {roles} WITH CHECK ({is_platform})")
    op.execute(
        f"CREATE POLICY superseded ON {table} FOR UPDATE TO {roles} USING ({is_platform}) WITH CHECK ({is_platform})"
    )
    op.execute(f"CREATE POLICY owner ON {table} TO {steps.OWNER} USING (true) WITH CHECK (true)")
    op.execute(f"CREATE POLICY auditor ON {table} FOR SELECT TO {steps.AUDITOR} USING (true)")
    for name, when, each, does in (
        ("only_supersede", "UPDATE", "ROW", "sources.only_supersede_record()"),
        ("no_delete", "DELETE", "ROW", "foundation.refuse_change()"),
        ("no_truncate", "TRUNCATE", "STATEMENT", "foundation.refuse_change()"),
    ):
        trigger = f"{code}_fact_{name}"
        op.execute(f"CREATE TRIGGER {trigger} BEFORE {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {does}")
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")


def _leaves(code: str, columns: str) -> str:
    """Return the view of a table's leaves: the SHA-256 of all a row says but the moment it was superseded."""
    parts = " || ".join(f"sources.leaf_part({_sent(name, kind)})" for name, kind, _ in _read(columns))
    return (
        f"CREATE VIEW sources.{code}_leaf AS SELECT firm_id, delivery_no, line_no,"
        " sha256(uuid_send(firm_id) || int4send(delivery_no) || int4send(line_no) || timestamptz_send(recorded_at)"
        f" || {parts}) AS leaf FROM sources.{code}_fact"
    )


def _sent(name: str, kind: str) -> str:
    return f"{SENT[kind]}({name})"


def _read(columns: str) -> list[tuple[str, str, bool]]:
    words = (word.split(":") for word in columns.split())
    return [(name, kind.rstrip("?"), not kind.endswith("?")) for name, kind in words]
