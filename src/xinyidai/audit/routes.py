"""What a firm may ask about who read or changed its data."""

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.audit import queries
from xinyidai.audit.schemas import LookPageOut


@get(
    "/looks",
    operation_id="ListLooks",
    summary="Who read or changed my data",
    description=(
        "Every act on the data of the firm that asks, newest first: which organisation, what, for which purpose and "
        "under which consent. Never which member of staff, nor which other firms an act concerned."
    ),
    guards=[requires(OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER, scope="audit:read")],
)
async def list_looks(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> LookPageOut:
    """List the acts on the viewer's own data."""
    return LookPageOut.of(
        await queries.looks_at_subject(session, viewer, viewer.organisation_id, cursor=cursor, limit=limit)
    )


router = Router(path="/audit", route_handlers=[list_looks], tags=["audit"])
