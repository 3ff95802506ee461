"""catalogue: every data class that the plan names, each with a standard: its fields, rhythm, lists and topologies.

Owners, bases and classes of the official lists are as a working list has them: the annexes' own tables could not be
read, so no basis and no line counts as verified.
"""

import csv
from datetime import date
from pathlib import Path

import sqlalchemy as sa
from alembic import op

from migrations import steps

revision = "0100"
down_revision = "0090"
branch_labels = None
depends_on = None

FIRST_DAY = date(2016, 1, 1)
DATA = Path(__file__).parents[1] / "sql" / "catalogue"


def upgrade() -> None:
    """Go forward."""
    for name in ("item_standard", "item_field", "item_topology"):
        _TABLES[name]()
        steps.readable(f"catalogue.{name}")
    item = sa.table("item", *map(sa.column, _columns("item")), schema="catalogue")
    listed = {"version": 1, "is_basis_verified": False, "valid_from": FIRST_DAY, "valid_to": None}
    op.bulk_insert(
        item, [row | listed | {"retention_days": int(row["retention_days"])} for row in _rows("items_v1.csv")]
    )
    op.bulk_insert(
        sa.table("item_standard", *map(sa.column, _columns("item_standard")), schema="catalogue"),
        [
            {**row, "item_version": 1, "delay_days": int(row["delay_days"]), "is_official_class_verified": False}
            | {"official_class": row["official_class"] or None}
            for row in _rows("standards_v1.csv")
        ],
    )
    op.bulk_insert(
        sa.table("item_field", *map(sa.column, _columns("item_field")), schema="catalogue"),
        [
            {**row, "item_version": 1, "place": place, "unit": row["unit"] or None}
            for place, row in enumerate(_rows("fields_v1.csv"), start=1)
        ],
    )
    op.bulk_insert(
        sa.table("item_topology", *map(sa.column, _columns("item_topology")), schema="catalogue"),
        [{**row, "item_version": 1} for row in _rows("topologies_v1.csv")],
    )


def downgrade() -> None:
    """Go back."""
    for name in ("item_topology", "item_field", "item_standard"):
        op.drop_table(name, schema="catalogue")
    codes = [row["code"] for row in _rows("items_v1.csv")]
    op.execute(sa.text("DELETE FROM catalogue.item WHERE code = ANY(:codes)").bindparams(codes=codes))


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _columns(table: str) -> list[str]:
    return [column["name"] for column in sa.inspect(op.get_bind()).get_columns(table, schema="catalogue")]


def _of_an_item() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("item_code", sa.String(), nullable=False),
        sa.Column("item_version", sa.Integer(), nullable=False),
    ]


def _belongs_to_item(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["item_code", "item_version"],
        ["catalogue.item.code", "catalogue.item.version"],
        name=f"fk_{table}_item_code_item",
    )


def _create_standard() -> None:
    op.create_table(
        "item_standard",
        *_of_an_item(),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("update_cycle", sa.String(), nullable=False),
        sa.Column("delay_days", sa.Integer(), nullable=False),
        sa.Column("official_class", sa.String()),
        sa.Column("is_official_class_verified", sa.Boolean(), nullable=False),
        sa.CheckConstraint(f"category IN ({CATEGORIES})", name=op.f("ck_item_standard_category_known")),
        sa.CheckConstraint(f"update_cycle IN ({CYCLES})", name=op.f("ck_item_standard_update_cycle_known")),
        sa.CheckConstraint("delay_days >= 0", name=op.f("ck_item_standard_delay_not_negative")),
        sa.PrimaryKeyConstraint("item_code", "item_version", name="pk_item_standard"),
        _belongs_to_item("item_standard"),
        schema="catalogue",
    )


def _create_field() -> None:
    op.create_table(
        "item_field",
        *_of_an_item(),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("unit", sa.String()),
        sa.Column("access_class", sa.String(), nullable=False),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_item_field_kind_known")),
        sa.CheckConstraint(f"access_class IN ({CLASSES})", name=op.f("ck_item_field_access_class_known")),
        sa.CheckConstraint(
            "(kind IN ('amount', 'quantity')) <= (unit IS NOT NULL)", name=op.f("ck_item_field_measured_in_a_unit")
        ),
        sa.PrimaryKeyConstraint("item_code", "item_version", "code", name="pk_item_field"),
        _belongs_to_item("item_field"),
        schema="catalogue",
    )


def _create_topology() -> None:
    op.create_table(
        "item_topology",
        *_of_an_item(),
        sa.Column("province_code", sa.String(), nullable=False),
        sa.Column("topology", sa.String(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.CheckConstraint(f"topology IN ({TOPOLOGIES})", name=op.f("ck_item_topology_topology_known")),
        sa.CheckConstraint("province_code ~ '^([1-8][0-9])?$'", name=op.f("ck_item_topology_province_or_every_other")),
        sa.PrimaryKeyConstraint("item_code", "item_version", "province_code", name="pk_item_topology"),
        _belongs_to_item("item_topology"),
        schema="catalogue",
    )


_TABLES = {"item_standard": _create_standard, "item_field": _create_field, "item_topology": _create_topology}


def _listed(*codes: str) -> str:
    return ", ".join(f"'{code}'" for code in codes)


CLASSES = _listed("open", "on_consent", "sensitive", "forbidden")
TOPOLOGIES = _listed("held_copy", "in_domain", "pass_through")
CYCLES = _listed("on_change", "daily", "monthly", "quarterly", "yearly", "on_request")
KINDS = _listed("text", "code", "date", "month", "count", "amount", "quantity", "flag")
CATEGORIES = _listed(
    "registration",
    "administrative",
    "judicial",
    "tax",
    "social_insurance",
    "housing_fund",
    "utilities",
    "real_estate",
    "intellectual_property",
    "science_technology",
    "import_export",
    "environment",
    "logistics",
    "tender",
    "farm",
    "honours_and_lists",
    "commitments",
    "self_declared",
    "bank_evidence",
    "forbidden",
)
