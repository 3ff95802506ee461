"""A firm's own profile, what the indicators mean, and lineage both ways.

A lender's door to a firm's profile is with the dispatched demand, in `matching`: there is no profile without one.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.profiles import model, queries, service
from xinyidai.profiles.schemas import IndicatorsOut, ProfileOut
from xinyidai.profiles.schemas.lineage import ImpactOut, IndicatorLineageOut
from xinyidai.profiles.schemas.records import ItemLineageOut
from xinyidai.sources.rules.origins import FactRef

TRACERS: Final = (OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER, OrganisationKind.OPERATOR)
"""A lender looks into a firm's data with the application that was sent to it, and by no door of its own here."""


@get(
    "/me",
    operation_id="ShowMyProfile",
    summary="My firm's profile",
    description="Every indicator with its value or no data, the period covered and the number of source rows.",
    guards=[requires(OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER, scope="profiles:read")],
)
async def show_my_profile(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ProfileOut:
    """Show the viewer's own profile."""
    shown = await service.own_profile(session, viewer, now=now)
    texts = {text.code: text for text in model.indicator_texts()}
    return ProfileOut.of(shown, texts, {text.code: text for text in model.record_texts()})


@get(
    "/indicators",
    operation_id="ListIndicators",
    summary="What the indicators mean",
    description="Names, units and meaning of every indicator. Project-defined, not official.",
    guards=[requires(scope="profiles:read")],
)
async def list_indicators() -> IndicatorsOut:
    """List the catalogue of indicators."""
    return IndicatorsOut.of(
        model.feature_version(), model.indicator_texts(), model.record_version(), model.record_texts()
    )


@get(
    "/lineage",
    operation_id="ShowLineage",
    summary="What an indicator rests on",
    description="Every fact behind an indicator of a firm, newest first: its delivery and line, the pull that fetched"
    " it, the consents. A firm sees its own; operator, lender and guarantor under a consent that names them.",
    guards=[requires(*TRACERS, scope="profiles:read")],
)
async def show_lineage(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    indicator: FromQuery[str],
    firm_id: FromQuery[UUID],
    as_of: FromQuery[datetime | None] = None,
    known_at: FromQuery[datetime | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> IndicatorLineageOut:
    """Show what an indicator of a firm rests on."""
    found = await service.show_lineage(
        session,
        viewer,
        indicator,
        firm_id=firm_id,
        as_of=as_of,
        known_at=known_at,
        cursor=cursor,
        limit=limit,
        now=now,
    )
    return IndicatorLineageOut.of(found, queries.indicator_text(indicator))


@get(
    "/items/{item_code:str}",
    operation_id="ShowItemLineage",
    summary="Where a firm's records of an item come from",
    description="The newest records of an item but invoices: the words that name each, its delivery and line, the"
    " pull that fetched it, whether it is disputed or repaired, the consents. Seen by whom an indicator's lineage is.",
    guards=[requires(*TRACERS, scope="profiles:read")],
)
async def show_item(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    item_code: FromPath[str],
    firm_id: FromQuery[UUID],
    known_at: FromQuery[datetime | None] = None,
    limit: FromQuery[int] = 50,
) -> ItemLineageOut:
    """Show where a firm's records of an item come from."""
    found = await service.show_item(
        session, viewer, item_code, firm_id=firm_id, known_at=known_at, limit=limit, now=now
    )
    return ItemLineageOut.of(found)


@get(
    "/impact",
    operation_id="ShowImpact",
    summary="What a fact touched",
    description="The indicators that a fact feeds today, the scores, decisions and shown profiles it went into, what"
    " it replaced and what replaced it, findings of quality, objections and repairs. Seen by whom its lineage is.",
    guards=[requires(*TRACERS, scope="profiles:read")],
)
async def show_impact(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    fact: FromQuery[str],
) -> ImpactOut:
    """Show all that a fact touched."""
    return ImpactOut.of(await service.show_impact(session, viewer, FactRef.read(fact), now=now))


router = Router(
    path="/profiles",
    route_handlers=[show_my_profile, list_indicators, show_lineage, show_item, show_impact],
    tags=["profiles"],
)
