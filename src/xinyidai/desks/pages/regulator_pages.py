"""The regulator's desk: this month in one sentence, then lending, risk, drift, and whether it equals the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks import sheets
from xinyidai.desks.pages.regulator import BY_REGULATOR, AnyRequest, Filters, choices, filters_of, lending_of
from xinyidai.foundation.clock import add_months, business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.figures import minute
from xinyidai.foundation.pages.rendering import PAGE_HEADERS, page
from xinyidai.foundation.pages.tables import FileKind, Sheet, file_of
from xinyidai.foundation.pages.words import Message, Said, language_of, msg
from xinyidai.reporting import queries
from xinyidai.reporting.rules import DRIFT_METRICS, METRICS, Dimension, LendingRow

LENDING_SHOWN: Final = ("loans", "firms", "disbursed_fen", "weighted_rate_bp", "outstanding_fen", "first_loans")
RISK_SHOWN: Final = (
    "outstanding_fen",
    "overdue_fen",
    "non_performing_fen",
    "covered_fen",
    "claims_paid_fen",
    "returned_fen",
)
NEXT: Final = {Dimension.MONTH: Dimension.LENDER, Dimension.LENDER: Dimension.REGION}
"""Where a row leads: from a month to its banks, from a bank to its districts, from there to the industries."""


@dataclass(frozen=True)
class Figure:
    """A number of the overview: the code of its definition, its value as a row holds it, and a year of it."""

    code: str
    label: Message
    unit: str
    value: int | None
    trend: list[tuple[str, int]]


@get("/regulator", guards=[BY_REGULATOR])
async def overview(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Say this month in one sentence, then the figures with a year of each, then the banks."""
    filters, today = filters_of(request, now), business_date(now)
    start, tomorrow = today.replace(day=1), today + timedelta(days=1)
    this_month = await queries.totals(session, viewer, from_on=start, to_on=tomorrow)
    # The same number of days of the month before: a month that has just begun is not held against a whole one.
    month_before = await queries.totals(
        session, viewer, from_on=add_months(start, -1), to_on=min(start, add_months(today, -1) + timedelta(days=1))
    )
    months, _sheet = await lending_of(session, viewer, filters, Dimension.MONTH)
    total = await queries.totals(session, viewer, from_on=filters.first_month, to_on=filters.to_on, only=filters.only)
    lenders, by_lender = await lending_of(session, viewer, filters, Dimension.LENDER)
    classes, by_class = await lending_of(session, viewer, filters, Dimension.RISK_CLASS)
    by_month = _whole_series(months, filters)
    return page(
        request,
        "desks/regulator_overview.html",
        filters=filters,
        choices=await choices(session, viewer, filters),
        this_month=this_month,
        growth_bp=_growth_bp(this_month.disbursed_fen, month_before.disbursed_fen),
        total=total,
        figures=_figures(total, by_month),
        volume=[(month, row.disbursed_fen if row else 0) for month, row in by_month],
        lenders=lenders,
        by_lender=by_lender,
        classes=classes,
        by_class=by_class,
        shown=LENDING_SHOWN,
        links=_links(Dimension.LENDER, lenders, filters),
        reconciliation=await queries.reconcile(session, viewer),
        today=today,
    )


@get("/regulator/lending", guards=[BY_REGULATOR])
async def lending(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    by: FromQuery[Dimension] = Dimension.MONTH,
) -> Response[bytes]:
    """Break lending down; each row leads further down."""
    filters = filters_of(request, now)
    rows, sheet = await lending_of(session, viewer, filters, by)
    return page(
        request,
        "desks/regulator_lending.html",
        filters=filters,
        choices=await choices(session, viewer, filters),
        by=by,
        dimensions=[(one, sheets.HEADS[one]) for one in Dimension],
        rows=rows,
        sheet=sheet,
        shown=LENDING_SHOWN,
        links=_links(by, rows, filters),
    )


@get("/regulator/risk", guards=[BY_REGULATOR])
async def risk(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show what is overdue, in which class, what is covered and what claims cost."""
    filters = filters_of(request, now)
    lenders, by_lender = await lending_of(session, viewer, filters, Dimension.LENDER)
    classes, by_class = await lending_of(session, viewer, filters, Dimension.RISK_CLASS)
    total = await queries.totals(session, viewer, from_on=filters.first_month, to_on=filters.to_on, only=filters.only)
    return page(
        request,
        "desks/regulator_risk.html",
        filters=filters,
        choices=await choices(session, viewer, filters),
        total=total,
        classes=classes,
        by_class=by_class,
        lenders=lenders,
        by_lender=by_lender,
        shown=RISK_SHOWN,
    )


@get("/regulator/drift", guards=[BY_REGULATOR])
async def drift(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show how far binding offers drift from indications, bank by bank."""
    filters = replace(filters_of(request, now), only={})
    rows = await queries.offer_drift(session, viewer, from_on=filters.first_month, to_on=filters.to_on)
    return page(
        request,
        "desks/regulator_drift.html",
        filters=filters,
        rows=rows,
        sheet=sheets.drift_sheet(rows),
        shown=[column.code for column in sheets.DRIFT],
    )


@get("/regulator/reconciliation", guards=[BY_REGULATOR])
async def reconciliation(
    request: AnyRequest, viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> Response[bytes]:
    """Say whether the figures equal the ledger, and name every difference."""
    found = await queries.reconcile(session, viewer)
    return page(
        request,
        "desks/regulator_reconciliation.html",
        found=found,
        sums=[(label, getattr(found, code)) for code, label in sheets.SUMS],
        kinds=sheets.DIFFERENCES,
    )


@get("/regulator/metrics", guards=[BY_REGULATOR])
async def metrics(request: AnyRequest) -> Response[bytes]:
    """Show what every figure means."""
    heads = {column.code: column.title for column in (*sheets.LENDING, *sheets.DRIFT)}
    return page(request, "desks/regulator_metrics.html", metrics=(*METRICS, *DRIFT_METRICS), heads=heads)


@get("/regulator/files/{table:str}/{kind:str}", guards=[BY_REGULATOR])
async def download(
    request: AnyRequest,
    table: FromPath[str],
    kind: FromPath[str],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Give a table away as a file, under the filters of the address."""
    if kind not in set(FileKind):
        raise NotFound
    filters = filters_of(request, now)
    if table == "reconciliation":
        sheet = sheets.reconciliation_sheet(await queries.reconcile(session, viewer))
    elif table == "drift":
        filters = replace(filters, only={})
        found = await queries.offer_drift(session, viewer, from_on=filters.first_month, to_on=filters.to_on)
        sheet = sheets.drift_sheet(found)
    elif table in set(Dimension):
        sheet = (await lending_of(session, viewer, filters, Dimension(table)))[1]
    else:
        raise NotFound
    noted = replace(sheet, notes=_notes(request, sheet, filters, now))
    body = file_of(noted, FileKind(kind), language_of(request))
    name = f"xinyidai-{table}-{business_date(now).isoformat()}.{kind}"
    headers = PAGE_HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=FileKind(kind).media_type, headers=headers)


def _notes(request: AnyRequest, sheet: Sheet, filters: Filters, now: datetime) -> tuple[tuple[Said, Said | str], ...]:
    """Return what stands above a file's heads: simulated or not, the period, as of when, the definitions."""
    notes: list[tuple[Said, Said | str]] = []
    if request.app.state.settings.sandbox:
        notes.append((msg("演示数据"), msg("演示数据，非真实企业")))
    notes.append(
        (msg("统计区间"), f"{filters.first_month.isoformat()} – {(filters.to_on - timedelta(days=1)).isoformat()}")
    )
    notes += [(sheets.HEADS[by], key) for by, key in filters.only.items()]
    notes.append((msg("截至"), minute(now)))
    return (*notes, *sheets.definitions(sheet))


def _links(by: Dimension, rows: Sequence[LendingRow], filters: Filters) -> list[str | None]:
    """Return where each row leads; a class of risk and the total lead nowhere."""
    if by is Dimension.RISK_CLASS:
        return [None] * (len(rows) + 1)
    deeper = NEXT.get(by, Dimension.INDUSTRY if by is Dimension.REGION else Dimension.MONTH).value
    kept = [
        {"from_month": row.key, "to_month": row.key} if by is Dimension.MONTH else {by.value: row.key} for row in rows
    ]
    return [f"/regulator/lending?{filters.address(by=deeper, **one)}" for one in kept] + [None]


def _whole_series(rows: Sequence[LendingRow], filters: Filters) -> list[tuple[str, LendingRow | None]]:
    """Return every month of the span, also those in which nobody lent."""
    by_key, series, month = {row.key: row for row in rows}, [], filters.first_month
    while month <= filters.last_month:
        series.append((f"{month:%Y-%m}", by_key.get(f"{month:%Y-%m}")))
        month = add_months(month, 1)
    return series


def _figures(total: LendingRow, by_month: Sequence[tuple[str, LendingRow | None]]) -> list[Figure]:
    chosen = (
        ("disbursed_fen", msg("放款金额（万元）"), "wan"),
        ("loans", msg("笔数"), "plain"),
        ("weighted_rate_bp", msg("加权年利率"), "percent"),
        ("outstanding_fen", msg("贷款余额（万元）"), "wan"),
        ("overdue_fen", msg("逾期余额（万元）"), "wan"),
        ("claims_paid_fen", msg("已付代偿（万元）"), "wan"),
    )
    return [
        Figure(
            code,
            label,
            unit,
            getattr(total, code),
            [(month, (getattr(row, code) or 0) if row else 0) for month, row in by_month],
        )
        for code, label, unit in chosen
    ]


def _growth_bp(this: int, before: int) -> int | None:
    """Return the change in basis points, cut off towards minus infinity; None where nothing was lent before."""
    return (this - before) * 10_000 // before if before else None


ROUTES = (overview, lending, risk, drift, reconciliation, metrics, download)
