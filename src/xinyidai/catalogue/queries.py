"""Reading the catalogue; it is public, so no viewer is asked for."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Row, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.catalogue.models import CatalogueItem
from xinyidai.catalogue.rules import AccessClass, Item, ItemNotListed, Topology
from xinyidai.foundation.database import read_once

# Read in every transaction that asks a consent: through the class, and built anew each time, it costs twice as much.
_ITEMS = CatalogueItem.metadata.tables["catalogue.item"]
_LISTED = (
    select(_ITEMS)
    .where(
        _ITEMS.c.valid_from <= bindparam("day"),
        or_(_ITEMS.c.valid_to.is_(None), _ITEMS.c.valid_to > bindparam("day")),
    )
    .order_by(_ITEMS.c.code)
)


async def item(session: AsyncSession, code: str, on: date) -> Item:
    """Return the version of an item on a Shanghai day; refuse with `ItemNotListed` when there is none."""
    return (await items_by_code(session, [code], on))[code]


async def items_by_code(session: AsyncSession, codes: Sequence[str], on: date) -> dict[str, Item]:
    """Return the versions of several items on a day; refuse with `ItemNotListed` naming the first that is missing."""
    listed = {found.code: found for found in await items(session, on)}
    for code in codes:
        if code not in listed:
            raise ItemNotListed(item=code)
    return {code: listed[code] for code in codes}


async def items(session: AsyncSession, on: date) -> tuple[Item, ...]:
    """Return every item listed on a Shanghai day, by code; a transaction reads them once."""
    return await read_once(session, f"catalogue.items:{on}", lambda: _items(session, on))


async def _items(session: AsyncSession, on: date) -> tuple[Item, ...]:
    return tuple(_item_of(row) for row in await session.execute(_LISTED, {"day": on}))


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
    )
