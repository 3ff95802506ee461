"""The catalogue's table: one row a version of an item."""

from datetime import date

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from xinyidai.catalogue.rules import AccessClass, Topology
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
