"""The catalogue on the wire."""

from collections.abc import Sequence
from datetime import date

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from xinyidai.catalogue.rules import (
    AccessClass,
    Category,
    FieldKind,
    Item,
    ItemField,
    ProvinceTopology,
    Standard,
    Topology,
    UpdateCycle,
)

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


_FIELD: JsonDict = {
    "code": "amount_fen",
    "name_zh": "金额",
    "name_en": "Amount",
    "kind": "amount",
    "unit": "fen",
    "access_class": "on_consent",
}
_PROVINCE: JsonDict = {"province_code": "50", "topology": "in_domain", "basis": "假定：域内计算衍生值，待核"}
_STANDARD: JsonDict = {
    "item": _ITEM,
    "category": "tax",
    "update_cycle": "daily",
    "delay_days": 2,
    "official_class": "纳税",
    "is_official_class_verified": False,
    "fields": [_FIELD],
    "topologies": [_PROVINCE],
}


class FieldOut(BaseModel):
    """One field of an item; amounts and quantities are whole numbers of their unit."""

    model_config = ConfigDict(json_schema_extra={"example": _FIELD})

    code: str
    name_zh: str
    name_en: str
    kind: FieldKind
    unit: str | None
    access_class: AccessClass

    @classmethod
    def of(cls, field: ItemField) -> "FieldOut":
        """Build from a field."""
        return cls(
            code=field.code,
            name_zh=field.name_zh,
            name_en=field.name_en,
            kind=field.kind,
            unit=field.unit,
            access_class=field.access_class,
        )


class ProvinceTopologyOut(BaseModel):
    """How an item reaches a lender in one province; the empty code is every other province."""

    model_config = ConfigDict(json_schema_extra={"example": _PROVINCE})

    province_code: str
    topology: Topology
    basis: str

    @classmethod
    def of(cls, one: ProvinceTopology) -> "ProvinceTopologyOut":
        """Build from a province's line."""
        return cls(province_code=one.province_code, topology=one.topology, basis=one.basis)


class StandardOut(BaseModel):
    """The standard of an item: its fields, how often and how late it comes, and where the official lists have it."""

    model_config = ConfigDict(json_schema_extra={"example": _STANDARD})

    item: ItemOut
    category: Category
    update_cycle: UpdateCycle
    delay_days: int
    official_class: str | None
    is_official_class_verified: bool
    fields: list[FieldOut]
    topologies: list[ProvinceTopologyOut]

    @classmethod
    def of(cls, standard: Standard) -> "StandardOut":
        """Build from a standard."""
        return cls(
            item=ItemOut.of(standard.item),
            category=standard.category,
            update_cycle=standard.update_cycle,
            delay_days=standard.delay_days,
            official_class=standard.official_class,
            is_official_class_verified=standard.is_official_class_verified,
            fields=[FieldOut.of(one) for one in standard.fields],
            topologies=[ProvinceTopologyOut.of(one) for one in standard.topologies],
        )


class StandardsOut(BaseModel):
    """The standard of every item listed on a day."""

    model_config = ConfigDict(json_schema_extra={"example": {"on": "2025-06-16", "standards": [_STANDARD]}})

    on: date
    standards: list[StandardOut]

    @classmethod
    def of(cls, on: date, standards: Sequence[Standard]) -> "StandardsOut":
        """Build from a day's standards."""
        return cls(on=on, standards=[StandardOut.of(one) for one in standards])
