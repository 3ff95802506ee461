"""The catalogue on the wire."""

from collections.abc import Sequence
from datetime import date

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from xinyidai.catalogue.rules import AccessClass, Item, Topology

_ITEM: JsonDict = {
    "code": "vat_invoice",
    "version": 1,
    "name_zh": "增值税发票（进项、销项）",
    "name_en": "VAT invoices, purchases and sales",
    "owner_zh": "税务部门",
    "owner_en": "Tax administration",
    "access_class": "on_consent",
    "legal_basis": "企业授权；国办发〔2021〕52号",
    "is_basis_verified": False,
    "topology": "held_copy",
    "retention_days": 1830,
    "valid_from": "2016-01-01",
    "valid_to": None,
}


class ItemOut(BaseModel):
    """One version of an item: what it is, whose, and on what terms it may be held and read."""

    model_config = ConfigDict(json_schema_extra={"example": _ITEM})

    code: str
    version: int
    name_zh: str
    name_en: str
    owner_zh: str
    owner_en: str
    access_class: AccessClass
    legal_basis: str
    is_basis_verified: bool
    topology: Topology
    retention_days: int
    valid_from: date
    valid_to: date | None

    @classmethod
    def of(cls, item: Item) -> "ItemOut":
        """Build from an item."""
        return cls(
            code=item.code,
            version=item.version,
            name_zh=item.name_zh,
            name_en=item.name_en,
            owner_zh=item.owner_zh,
            owner_en=item.owner_en,
            access_class=item.access_class,
            legal_basis=item.legal_basis,
            is_basis_verified=item.is_basis_verified,
            topology=item.topology,
            retention_days=item.retention_days,
            valid_from=item.valid_from,
            valid_to=item.valid_to,
        )


class CatalogueOut(BaseModel):
    """Every item listed on a day."""

    model_config = ConfigDict(json_schema_extra={"example": {"on": "2025-06-16", "items": [_ITEM]}})

    on: date
    items: list[ItemOut]

    @classmethod
    def of(cls, on: date, items: Sequence[Item]) -> "CatalogueOut":
        """Build from a day's items."""
        return cls(on=on, items=[ItemOut.of(item) for item in items])
