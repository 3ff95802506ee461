"""Reading the catalogue; it is public, so no viewer is asked for."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.catalogue.models import CatalogueItem, FieldOfItem, StandardOfItem, TopologyOfItem
from xinyidai.catalogue.rules import (
    AccessClass,
    Category,
    FieldKind,
    Item,
    ItemField,
    ItemNotListed,
    ItemRhythm,
    ProvinceTopology,
    Standard,
    Topology,
    UpdateCycle,
    topology_among,
)
from xinyidai.foundation.reference import read_reference

# Read in every transaction that asks a consent: through the class, and built anew each time, it costs twice as much.
_ITEMS = CatalogueItem.metadata.tables["catalogue.item"]
_STANDARDS = StandardOfItem.metadata.tables["catalogue.item_standard"]
_VERSIONS = (
    select(_ITEMS, _STANDARDS.c.category)
    .outerjoin(_STANDARDS, (_STANDARDS.c.item_code == _ITEMS.c.code) & (_STANDARDS.c.item_version == _ITEMS.c.version))
    .order_by(_ITEMS.c.code)
)


async def item(session: AsyncSession, code: str, on: date) -> Item:
    """Return the version of an item on a Shanghai day; refuse with `ItemNotListed` when there is none."""
    return (await items_by_code(session, [code], on))[code]


async def items_by_code(session: AsyncSession, codes: Sequence[str], on: date) -> dict[str, Item]:
    """Return the versions of several items on a day; refuse with `ItemNotListed` naming the first that is missing."""
    found = await listed(session, codes, on)
    for code in codes:
        if code not in found:
            raise ItemNotListed(item=code)
    return found


async def listed(session: AsyncSession, codes: Sequence[str], on: date) -> dict[str, Item]:
    """Return those of several items that are listed on a Shanghai day, by code."""
    wanted = set(codes)
    return {one.code: one for one in await items(session, on) if one.code in wanted}


async def items(session: AsyncSession, on: date) -> tuple[Item, ...]:
    """Return every item listed on a Shanghai day, by code; a process keeps them."""

    async def read() -> tuple[Item, ...]:
        return tuple(_item_of(row) for row in await session.execute(_VERSIONS))

    versions = await read_reference(session, "catalogue.items", read)
    return tuple(one for one in versions if one.valid_from <= on and (one.valid_to is None or on < one.valid_to))


async def standards(session: AsyncSession, on: date) -> tuple[Standard, ...]:
    """Return the standard of every item listed on a Shanghai day, in the order of categories and then codes."""
    fields, topologies = await _fields(session), await _topologies(session)
    rows = {(row.item_code, row.item_version): row for row in await session.scalars(select(StandardOfItem))}
    told = [
        Standard(
            item=one,
            category=Category(row.category),
            update_cycle=UpdateCycle(row.update_cycle),
            delay_days=row.delay_days,
            official_class=row.official_class,
            is_official_class_verified=row.is_official_class_verified,
            fields=tuple(fields[one.code, one.version]),
            topologies=tuple(topologies[one.code, one.version]),
        )
        for one in await items(session, on)
        if (row := rows.get((one.code, one.version))) is not None
    ]
    order = list(Category)
    return tuple(sorted(told, key=lambda one: (order.index(one.category), one.item.code)))


async def rhythm(session: AsyncSession, one: Item) -> ItemRhythm | None:
    """Return how often an item's owner has something new; None for an item without a standard."""
    row = await session.get(StandardOfItem, (one.code, one.version))
    return None if row is None else ItemRhythm(UpdateCycle(row.update_cycle), row.delay_days)


async def topology_in(session: AsyncSession, one: Item, province_code: str) -> Topology:
    """Return how an item reaches a lender in a province, by its two digits of GB/T 2260."""
    told = (await _topologies(session))[one.code, one.version]
    return topology_among(told, province_code, otherwise=one.topology)


async def topologies_in(session: AsyncSession, items: Collection[Item], province_code: str) -> dict[str, Topology]:
    """Return how each of several items reaches a lender in a province, by code; see `topology_in`."""
    told = await _topologies(session)
    return {
        one.code: topology_among(told[one.code, one.version], province_code, otherwise=one.topology) for one in items
    }


async def _fields(session: AsyncSession) -> Mapping[tuple[str, int], list[ItemField]]:
    found: dict[tuple[str, int], list[ItemField]] = defaultdict(list)
    for row in await session.scalars(select(FieldOfItem).order_by(col(FieldOfItem.place))):
        found[row.item_code, row.item_version].append(_field_of(row))
    return found


async def _topologies(session: AsyncSession) -> Mapping[tuple[str, int], list[ProvinceTopology]]:
    found: dict[tuple[str, int], list[ProvinceTopology]] = defaultdict(list)
    for row in await session.scalars(select(TopologyOfItem).order_by(col(TopologyOfItem.province_code))):
        told = ProvinceTopology(row.province_code, Topology(row.topology), row.basis)
        found[row.item_code, row.item_version].append(told)
    return found


def _field_of(row: FieldOfItem) -> ItemField:
    return ItemField(row.code, row.name_zh, row.name_en, FieldKind(row.kind), row.unit, AccessClass(row.access_class))


def _item_of(row: Row[tuple[object, ...]]) -> Item:
    return Item(
        code=row.code,
        version=row.version,
        name_zh=row.name_zh,
        name_en=row.name_en,
        owner_zh=row.owner_zh,
        owner_en=row.owner_en,
        access_class=AccessClass(row.access_class),
        legal_basis=row.legal_basis,
        is_basis_verified=row.is_basis_verified,
        topology=Topology(row.topology),
        retention_days=row.retention_days,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        category=None if row.category is None else Category(row.category),
    )
