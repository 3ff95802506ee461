"""The monthly report of data quality and the annual report of operation: a page, a spreadsheet, a PDF."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks import sheets
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.desks.pages.operator import BY_OPERATOR
from xinyidai.desks.pages.quality import MONTH, items_of, owners_of, rules_of
from xinyidai.desks.pages.regulator import names_of as names_of_keys
from xinyidai.desks.quality_sheets import group_sheet, pass_rate_sheet, returned_sheet
from xinyidai.desks.report_sheets import activity_sheet, data_sheet, headline
from xinyidai.foundation.clock import add_months, business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.figures import minute, percent_of_ppm
from xinyidai.foundation.pages.paper import Paper, pdf_of
from xinyidai.foundation.pages.rendering import PAGE_HEADERS, page
from xinyidai.foundation.pages.tables import FileKind, Sheet, book_of
from xinyidai.foundation.pages.words import Message, Said, language_of, msg
from xinyidai.quality import queries as quality
from xinyidai.quality.rules import PPM, FindingFilter, FindingState
from xinyidai.reporting import queries
from xinyidai.reporting.rules import Dimension

MONTHS_LISTED: Final = 12
YEARS_LISTED: Final = 3
MARK: Final = msg("演示数据，非真实企业")


class PaperKind(StrEnum):
    """As what a report is taken away."""

    XLSX = "xlsx"
    PDF = "pdf"


@get("/operator/reports", guards=[BY_OPERATOR])
async def list_reports(request: AnyRequest, now: NamedDependency[datetime]) -> Response[bytes]:
    """List the months and years that reports can be made of; each is made when it is asked for."""
    this_month = business_date(now).replace(day=1)
    return page(
        request,
        "desks/operator_reports.html",
        months=[f"{add_months(this_month, -back):%Y-%m}" for back in range(MONTHS_LISTED)],
        years=[this_month.year - back for back in range(YEARS_LISTED)],
    )


@get("/operator/reports/quality/{month:str}", guards=[BY_OPERATOR])
async def show_quality_report(
    request: AnyRequest,
    month: FromPath[str],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show a month of data quality."""
    return _page(request, await _quality_report(request, session, viewer, month, now=now))


@get("/operator/reports/quality/{month:str}/{kind:str}", guards=[BY_OPERATOR])
async def download_quality_report(
    request: AnyRequest,
    month: FromPath[str],
    kind: FromPath[PaperKind],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Return a month of data quality as a file."""
    return _file(request, await _quality_report(request, session, viewer, month, now=now), kind, f"quality-{month}")


@get("/operator/reports/operation/{year:int}", guards=[BY_OPERATOR])
async def show_annual_report(
    request: AnyRequest,
    year: FromPath[int],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show a year of the platform."""
    return _page(request, await _annual_report(request, session, viewer, year, now=now))


@get("/operator/reports/operation/{year:int}/{kind:str}", guards=[BY_OPERATOR])
async def download_annual_report(
    request: AnyRequest,
    year: FromPath[int],
    kind: FromPath[PaperKind],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Return a year of the platform as a file."""
    return _file(request, await _annual_report(request, session, viewer, year, now=now), kind, f"operation-{year}")


async def _quality_report(
    request: AnyRequest, session: AsyncSession, viewer: Viewer, month: str, *, now: datetime
) -> Paper:
    if not MONTH.fullmatch(month):
        raise NotFound
    start = date.fromisoformat(f"{month}-01")
    _require_begun(start, now)
    rates = await quality.pass_rates(session, viewer, from_month=start, to_month=start)
    back = await quality.returned(session, viewer, from_month=start, to_month=start)
    groups = await quality.finding_groups(session, viewer, FindingFilter(state=FindingState.OPEN))
    sender_ids = {*(one.sender_id for one in rates), *(one.sender_id for one in back)}
    senders = await names_of(session, sender_ids | {one.sender_id for one in groups})
    items, owners, rules = await items_of(session, now), await owners_of(session, now), await rules_of(session, now)
    offered, passed = sum(one.offered for one in rates), sum(one.passed for one in rates)
    told = percent_of_ppm(passed * PPM // offered) if offered else "—"
    summary = msg("收到 %(rows)s 行，合格率 %(rate)s", rows=f"{sum(one.received for one in rates):,}", rate=told)
    return _paper(
        request,
        msg("数据质量月报 %(month)s", month=month),
        summary,
        (start, add_months(start, 1)),
        (
            pass_rate_sheet(rates, items, senders, owners),
            returned_sheet(back, items, senders),
            replace(group_sheet(groups, rules, items, senders), title=msg("截至报告时间仍待更正的问题")),
        ),
        now=now,
    )


async def _annual_report(
    request: AnyRequest, session: AsyncSession, viewer: Viewer, year: int, *, now: datetime
) -> Paper:
    if not 2000 <= year <= 2200:
        raise NotFound
    start, end = date(year, 1, 1), date(year + 1, 1, 1)
    _require_begun(start, now)
    total = await queries.totals(session, viewer, from_on=start, to_on=end)
    names = await names_of_keys(session, business_date(now))
    tables: list[Sheet] = []
    for by, title in (
        (Dimension.MONTH, msg("按月放款")),
        (Dimension.LENDER, msg("按银行放款")),
        (Dimension.REGION, msg("按区县放款")),
        (Dimension.INDUSTRY, msg("按行业放款")),
    ):
        rows = await queries.lending(session, viewer, by=by, from_on=start, to_on=end)
        sheet = sheets.lending_sheet(by, rows, total, names)
        # The definitions are the same for all four and stand once, below the first.
        notes = sheets.definitions(sheet) if by is Dimension.MONTH else ()
        tables.append(replace(sheet, title=title, notes=notes))
    happened = await queries.activity(session, viewer, from_on=start, to_on=end)
    rates = await quality.pass_rates(session, viewer, from_month=start, to_month=date(year, 12, 1))
    data = data_sheet(rates, await items_of(session, now), await owners_of(session, now))
    return _paper(
        request,
        msg("平台运行年度报告 %(year)s", year=str(year)),
        headline(total),
        (start, end),
        (*tables, activity_sheet(happened), data),
        now=now,
    )


def _require_begun(begins_on: date, now: datetime) -> None:
    if begins_on > business_date(now):
        raise NotFound


def _paper(
    request: AnyRequest,
    title: Message,
    summary: Message,
    span: tuple[date, date],
    tables: tuple[Sheet, ...],
    *,
    now: datetime,
) -> Paper:
    """Return a report with what must be known to read it; in a sandbox every sheet says that nothing in it is real."""
    first, last = span[0], span[1] - timedelta(days=1)
    notes: list[tuple[Said, Said | str]] = [
        (msg("摘要"), summary),
        (msg("统计区间"), f"{first.isoformat()} – {last.isoformat()}"),
        (msg("截至"), minute(now)),
    ]
    if not request.app.state.settings.sandbox:
        return Paper(title, tuple(notes), tables)
    marked = tuple(replace(one, notes=((msg("演示数据"), MARK), *one.notes)) for one in tables)
    return Paper(title, ((msg("演示数据"), MARK), *notes), marked, MARK)


def _page(request: AnyRequest, paper: Paper) -> Response[bytes]:
    return page(request, "desks/operator_report.html", paper=paper, kinds=[one.value for one in PaperKind])


def _file(request: AnyRequest, paper: Paper, kind: PaperKind, name: str) -> Response[bytes]:
    language = language_of(request)
    if kind is PaperKind.PDF:
        body, media_type = pdf_of(paper, language), "application/pdf"
    else:
        body, media_type = book_of(paper.sheets, language), FileKind.XLSX.media_type
    headers = PAGE_HEADERS | {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return Response(body, media_type=media_type, headers=headers)


ROUTES = (list_reports, show_quality_report, download_quality_report, show_annual_report, download_annual_report)
