"""A firm's own profile, and what the indicators mean.

A lender's door to a firm's profile is with the dispatched demand, in `matching`: there is no profile without one.
"""

from datetime import datetime

from litestar import Router, get
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.profiles import model, service
from xinyidai.profiles.schemas import IndicatorsOut, ProfileOut


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
    return ProfileOut.of(shown, {text.code: text for text in model.indicator_texts()})


@get(
    "/indicators",
    operation_id="ListIndicators",
    summary="What the indicators mean",
    description="Names, units and meaning of every indicator. Project-defined, not official.",
    guards=[requires(scope="profiles:read")],
)
async def list_indicators() -> IndicatorsOut:
    """List the catalogue of indicators."""
    return IndicatorsOut.of(model.feature_version(), model.indicator_texts())


router = Router(path="/profiles", route_handlers=[show_my_profile, list_indicators], tags=["profiles"])
