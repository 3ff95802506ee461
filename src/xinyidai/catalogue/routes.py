"""The door of the catalogue: what may be collected, on what terms."""

from datetime import date, datetime

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.catalogue import queries
from xinyidai.catalogue.schemas import CatalogueOut, StandardsOut
from xinyidai.foundation.clock import business_date


@get(
    "/items",
    operation_id="ListCatalogueItems",
    summary="The information catalogue",
    description="Every item that may be collected or read on a Shanghai day, today's where none is named.",
    guards=[requires(scope="catalogue:read")],
)
async def list_catalogue_items(
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    on: FromQuery[date | None] = None,
) -> CatalogueOut:
    """List the items of a day."""
    day = on or business_date(now)
    return CatalogueOut.of(day, await queries.items(session, day))


@get(
    "/standards",
    operation_id="ListCatalogueStandards",
    summary="The standard of every item",
    description="Fields with kind and unit, update cycle, delay, class of the official lists and topology by province.",
    guards=[requires(scope="catalogue:read")],
)
async def list_catalogue_standards(
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    on: FromQuery[date | None] = None,
) -> StandardsOut:
    """List the standards of a day."""
    day = on or business_date(now)
    return StandardsOut.of(day, await queries.standards(session, day))


router = Router(path="/catalogue", route_handlers=[list_catalogue_items, list_catalogue_standards], tags=["catalogue"])
