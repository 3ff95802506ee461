"""sources: tables for the three items that the catalogue listed without one; whether they may be held is its topology.

The catalogue gives two of them the day or year that a record is told by.
"""

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0202"
down_revision = "0201"
branch_labels = None
depends_on = None

TABLES = {
    "real_estate": (
        "unit_no:text area_m2:bigint is_mortgaged:flag is_seized:flag registered_on:day",
        "unit_no registered_on",
    ),
    "farm_entity": ("kind:text land_m2:bigint subsidy_fen:bigint year:year", "kind year"),
    "cash_flow": ("month:month received_fen:bigint paid_fen:bigint", "month"),
}
"""Each item's columns, and those that name a record beside its firm."""
FIELDS = (
    ("real_estate", "registered_on", "登记日期", "Registered on", "date"),
    ("farm_entity", "year", "年度", "Year", "count"),
)
TYPES = {"month": sa.Date, "day": sa.Date, "year": sa.SmallInteger, "bigint": sa.BigInteger}
TYPES |= {"flag": sa.Boolean, "text": sa.String}
SENT = {"month": "date_send", "day": "date_send", "year": "int2send", "bigint": "int8send"}
SENT |= {"flag": "boolsend", "text": "textsend"}
KINDS_BEFORE = (
    *("vat_invoice", "correction", "tax_filing", "social_insurance", "housing_fund", "water", "electricity", "gas"),
    *("import_export", "logistics", "annual_report", "tax_grade", "environment", "self_declared"),
    *("registration_change", "permit", "penalty", "judgment", "enforcement", "tax_arrears", "intellectual_property"),
    *("science_technology", "tender", "honour_list", "commitment"),
)


def upgrade() -> None:
    """Go forward."""
    for item, code, name_zh, name_en, kind in FIELDS:
        op.execute(
            "INSERT INTO catalogue.item_field (item_code, item_version, code, place, name_zh, name_en, kind,"
            f" access_class) SELECT '{item}', 1, '{code}', (SELECT max(place) + 1 FROM catalogue.item_field),"
            f" '{name_zh}', '{name_en}', '{kind}', 'on_consent'"
        )
    _allow("kind", *KINDS_BEFORE, *TABLES)
    for code, (columns, key) in TABLES.items():
        _create(code, columns, key.split())
        _protect(code)
        op.execute(_leaves(code, columns))
    steps.apply_sql("sources/fact_tables_v2.sql")


def downgrade() -> None:
    """Go back."""
    steps.apply_sql("sources/fact_tables_v1.sql")
    for code in TABLES:
        op.execute(f"DROP VIEW sources.{code}_leaf")
        op.drop_table(f"{code}_fact", schema="sources")
    _allow("kind", *KINDS_BEFORE)
    for item, code, *_names in FIELDS:
        op.execute(f"DELETE FROM catalogue.item_field WHERE item_code = '{item}' AND code = '{code}'")


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


def _protect(code: str) -> None:
    table, roles = f"sources.{code}_fact", f"{steps.APP}, {steps.WORKER}"
    is_platform = "(SELECT access.is_platform())"
    steps.readable(table)
    steps.grant(table, "INSERT, UPDATE (superseded_at)", steps.APP, steps.WORKER)
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY permitted ON {table} FOR SELECT TO {roles}"
        f" USING (firm_id = {steps.VIEWER} OR firm_id IN (SELECT consents.permitted_subjects('{code}')))"
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
