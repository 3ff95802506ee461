"""What a firm may ask about the decisions made about it."""

from datetime import datetime
from uuid import UUID

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.decisions import service
from xinyidai.decisions.schemas import DecisionOut, DecisionPageOut


@get(
    "/",
    operation_id="ListDecisions",
    summary="Decisions about my organisation",
    description="Every automated decision about the firm that asks, oldest first, without reasons.",
    guards=[requires(OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER, scope="decisions:read")],
)
async def list_decisions(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> DecisionPageOut:
    """List the viewer's own decisions."""
    return DecisionPageOut.of(await service.list_own(session, viewer, cursor=cursor, limit=limit, now=now))


@get(
    "/{decision_id:uuid}",
    operation_id="ExplainDecision",
    summary="Why it was decided so",
    description="Outcome, versions and reasons, in Chinese and English, of a decision about the firm that asks.",
    guards=[requires(OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER, scope="decisions:read")],
)
async def explain_decision(
    decision_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> DecisionOut:
    """Explain one decision."""
    return DecisionOut.of(await service.explain(session, viewer, decision_id, now=now))


router = Router(path="/decisions", route_handlers=[list_decisions, explain_decision], tags=["decisions"])
