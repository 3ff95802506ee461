"""The doors of demands: a firm drafts, submits, withdraws and lists; a lender reads what was dispatched to it."""

from datetime import datetime
from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.demands import coverage, queries, service
from xinyidai.demands.rules import DemandState
from xinyidai.demands.schemas import CoveragePageOut, DemandIn, DemandOut, DemandPageOut

BY_FIRM = requires(
    OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER, roles=(Role.OWNER, Role.OFFICER), scope=service.WRITES
)


@post(
    "/",
    operation_id="DraftDemand",
    summary="Draft a demand",
    description="Write a request for finance that nobody but the firm sees until it is submitted.",
    guards=[BY_FIRM],
)
async def draft_demand(
    data: JSONBody[DemandIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> DemandOut:
    """Draft."""
    drafted = await service.draft(
        session,
        viewer,
        amount_fen=data.amount_fen,
        term_months=data.term_months,
        use=data.use,
        repayment_kind=data.repayment_kind,
        wanted_by=data.wanted_by,
        is_lawful_use_declared=data.is_lawful_use_declared,
        now=now,
    )
    return DemandOut.of(drafted)


@post(
    "/{demand_id:uuid}/submit",
    operation_id="SubmitDemand",
    summary="Submit a demand",
    description="Put a draft before the lenders. Matching starts; a firm may have only so many open demands.",
    guards=[BY_FIRM],
    status_code=200,
)
async def submit_demand(
    demand_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> DemandOut:
    """Submit."""
    return DemandOut.of(await service.submit_draft(session, viewer, demand_id, now=now))


@post(
    "/{demand_id:uuid}/withdraw",
    operation_id="WithdrawDemand",
    summary="Withdraw a demand",
    description="End a demand before an offer is accepted. Every lender stops seeing it at once.",
    guards=[BY_FIRM],
    status_code=200,
)
async def withdraw_demand(
    demand_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> DemandOut:
    """Withdraw."""
    return DemandOut.of(await service.withdraw(session, viewer, demand_id, now=now))


@get(
    "/",
    operation_id="ListDemands",
    summary="My demands",
    description="The firm's own demands, oldest first; `status` keeps to one state.",
    guards=[requires(OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER, scope="demands:read")],
)
async def list_demands(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    status: FromQuery[DemandState | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> DemandPageOut:
    """List."""
    states = [] if status is None else [status]
    page = await queries.demands_of(session, viewer, states=states, cursor=cursor, limit=limit)
    return DemandPageOut.of(page)


@get(
    "/{demand_id:uuid}",
    operation_id="ReadDemand",
    summary="One demand",
    description="A firm reads its own demand; a lender one that was dispatched to it, while the firm's consent holds.",
    guards=[
        requires(OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER, OrganisationKind.LENDER, scope="demands:read")
    ],
)
async def read_demand(
    demand_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> DemandOut:
    """Read."""
    return DemandOut.of(await service.read(session, viewer, demand_id, now=now))


@get(
    "/coverage",
    operation_id="ShowCoverage",
    summary="What there is of my firm",
    description="Per item: asked, granted, delivered with the period covered, or why not: not asked, refused, taken"
    " back, expired, purged, the source not connected, silent, or with nothing to say. No data is null, never zero.",
    guards=[requires(OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER, scope="demands:read")],
)
async def show_coverage(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> CoveragePageOut:
    """Show."""
    return CoveragePageOut.of(await coverage.own_coverage(session, viewer, now=now))


@get(
    "/{demand_id:uuid}/coverage",
    operation_id="ShowCoverageToLender",
    summary="What there is of a demand's firm for me",
    description="As ShowCoverage, for a lender that the demand is open to: what the firm granted to that lender.",
    guards=[requires(OrganisationKind.LENDER, scope="demands:read")],
)
async def show_coverage_to_lender(
    demand_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> CoveragePageOut:
    """Show."""
    return CoveragePageOut.of(await coverage.coverage_for_lender(session, viewer, demand_id, now=now))


router = Router(
    path="/demands",
    route_handlers=[
        draft_demand,
        submit_demand,
        withdraw_demand,
        list_demands,
        read_demand,
        show_coverage,
        show_coverage_to_lender,
    ],
    tags=["demands"],
)
