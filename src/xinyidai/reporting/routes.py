"""The doors of reporting: lending broken down, the definitions of its figures, the reconciliation."""

from datetime import date

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.reporting import queries
from xinyidai.reporting.rules import DRIFT_METRICS, METRICS, Dimension
from xinyidai.reporting.schemas import (
    DriftRowOut,
    LendingOut,
    LendingRowOut,
    MetricOut,
    MetricsOut,
    OfferDriftOut,
    ReconciliationOut,
)

READS = "reporting:read"


@get(
    "/reports/lending",
    operation_id="ReportLending",
    summary="Lending by month, lender, district or industry",
    description="Loans disbursed from `from_on` to `to_on` (excluded). Regulator and operator see all lenders, others"
    " what they take part in. No firm is named.",
    guards=[requires(*queries.SEES_ALL, *queries.SEES_OWN, scope=READS)],
)
async def report_lending(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    by: FromQuery[Dimension],
    from_on: FromQuery[date],
    to_on: FromQuery[date],
) -> LendingOut:
    """Report."""
    rows = await queries.lending(session, viewer, by=by, from_on=from_on, to_on=to_on)
    total = await queries.totals(session, viewer, from_on=from_on, to_on=to_on)
    return LendingOut(
        by=by,
        from_on=from_on,
        to_on=to_on,
        rows=[LendingRowOut.of(row) for row in rows],
        total=LendingRowOut.of(total),
    )


@get(
    "/reports/offer-drift",
    operation_id="ReportOfferDrift",
    summary="How far binding offers drift from indications",
    description="For each lender, of the indications made from `from_on` to `to_on` (excluded): how many were chosen,"
    " offered, inside the range, how far off, declined after the choice. A lender sees itself alone. No firm is named.",
    guards=[requires(*queries.SEES_ALL, OrganisationKind.LENDER, scope=READS)],
)
async def report_offer_drift(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    from_on: FromQuery[date],
    to_on: FromQuery[date],
) -> OfferDriftOut:
    """Report drift."""
    rows = await queries.offer_drift(session, viewer, from_on=from_on, to_on=to_on)
    return OfferDriftOut(from_on=from_on, to_on=to_on, rows=[DriftRowOut.of(row) for row in rows])


@get(
    "/reports/metrics",
    operation_id="ListMetrics",
    summary="What the figures mean",
    description="Every figure's definition with its version.",
    guards=[requires(*queries.SEES_ALL, *queries.SEES_OWN, scope=READS)],
)
async def list_metrics() -> MetricsOut:
    """List the definitions."""
    return MetricsOut(metrics=[MetricOut.of(metric) for metric in (*METRICS, *DRIFT_METRICS)])


@get(
    "/reports/reconciliation",
    operation_id="ReadReconciliation",
    summary="Do the figures equal the ledger?",
    description="Loans, ledger, covers and statistics beside one another, with every difference named.",
    guards=[requires(*queries.SEES_ALL, scope=READS)],
)
async def read_reconciliation(
    viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> ReconciliationOut:
    """Reconcile."""
    return ReconciliationOut.of(await queries.reconcile(session, viewer))


router = Router(
    path="/",
    route_handlers=[report_lending, report_offer_drift, list_metrics, read_reconciliation],
    tags=["reporting"],
)
