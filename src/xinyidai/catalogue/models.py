"""The catalogue's tables: an item a version, and the standard of that version."""

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlmodel import Field, SQLModel

from xinyidai.catalogue.rules import AccessClass, Category, FieldKind, Topology, UpdateCycle
from xinyidai.foundation.database import one_of


class CatalogueItem(SQLModel, table=True):
    """One version of one item; a new version closes the one before."""

    __tablename__ = "item"
    __table_args__ = (
        one_of("access_class", AccessClass),
        one_of("topology", Topology),
        CheckConstraint("valid_to IS NULL OR valid_from < valid_to", name="valid_some_day"),
        CheckConstraint("retention_days > 0", name="retention_positive"),
        Index("uq_item_code_current", "code", unique=True, postgresql_where=text("valid_to IS NULL")),
        {"schema": "catalogue"},
    )

    code: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    name_zh: str
    name_en: str
    owner_zh: str
    owner_en: str
    access_class: str
    legal_basis: str
    is_basis_verified: bool
    topology: str
    retention_days: int
    valid_from: date
    valid_to: date | None = None


def _belongs_to_item(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["item_code", "item_version"],
        ["catalogue.item.code", "catalogue.item.version"],
        name=f"fk_{table}_item_code_item",
    )


class StandardOfItem(SQLModel, table=True):
    """What is expected of an item, and where the official lists have it."""

    __tablename__ = "item_standard"
    __table_args__ = (
        one_of("category", Category),
        one_of("update_cycle", UpdateCycle),
        CheckConstraint("delay_days >= 0", name="delay_not_negative"),
        _belongs_to_item("item_standard"),
        {"schema": "catalogue"},
    )

    item_code: str = Field(primary_key=True)
    item_version: int = Field(primary_key=True)
    category: str
    update_cycle: str
    delay_days: int
    official_class: str | None = None
    is_official_class_verified: bool


class FieldOfItem(SQLModel, table=True):
    """One field of an item; `place` orders them as they are shown."""

    __tablename__ = "item_field"
    __table_args__ = (
        one_of("kind", FieldKind),
        one_of("access_class", AccessClass),
        CheckConstraint("(kind IN ('amount', 'quantity')) <= (unit IS NOT NULL)", name="measured_in_a_unit"),
        _belongs_to_item("item_field"),
        {"schema": "catalogue"},
    )

    item_code: str = Field(primary_key=True)
    item_version: int = Field(primary_key=True)
    code: str = Field(primary_key=True)
    place: int
    name_zh: str
    name_en: str
    kind: str
    unit: str | None = None
    access_class: str


class TopologyOfItem(SQLModel, table=True):
    """How an item reaches a lender in a province, where that differs; the empty code is every other province."""

    __tablename__ = "item_topology"
    __table_args__ = (
        one_of("topology", Topology),
        CheckConstraint("province_code ~ '^([1-8][0-9])?$'", name="province_or_every_other"),
        _belongs_to_item("item_topology"),
        {"schema": "catalogue"},
    )

    item_code: str = Field(primary_key=True)
    item_version: int = Field(primary_key=True)
    province_code: str = Field(primary_key=True)
    topology: str
    basis: str
