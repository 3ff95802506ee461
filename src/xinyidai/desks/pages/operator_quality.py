"""How what was delivered came through the quality rules: by item, sender and month, down to the rule."""

import re
from datetime import date, datetime
from typing import Final
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.catalogue import queries as catalogue
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.desks.pages.operator import BY_OPERATOR
from xinyidai.desks.quality_sheets import pass_rate_sheet, rule_sheet
from xinyidai.foundation.clock import add_months, business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.rendering import PAGE_HEADERS, page
from xinyidai.foundation.pages.tables import FileKind, Sheet, file_of
from xinyidai.foundation.pages.words import Both, Said, language_of
from xinyidai.quality import queries
from xinyidai.quality.rules import MAX_MONTHS, FindingState, MonthsRefused, PassRate

MONTHS_SHOWN: Final = 6
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


@get("/operator/quality", guards=[BY_OPERATOR])
async def show_quality(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show pass rates by item, sender and month, and what waits for a waiver."""
    first_month, last_month = _months_of(request, now)
    rows, sheet = await _rates(session, viewer, first_month, last_month, now=now)
    open_ones = await queries.findings(session, viewer, state=FindingState.OPEN, limit=1)
    return page(
        request,
        "desks/operator_quality.html",
        sheet=sheet,
        links=[f"/operator/quality/{row.item_code}/{row.sender_id}/{row.month:%Y-%m}" for row in rows],
        first_month=first_month,
        last_month=last_month,
        has_open=bool(open_ones.rows),
        address=f"from_month={first_month:%Y-%m}&to_month={last_month:%Y-%m}",
    )


@get("/operator/quality/files/{kind:str}", guards=[BY_OPERATOR])
async def download_quality(
    request: AnyRequest,
    kind: FromPath[FileKind],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Return the pass rates as a file."""
    first_month, last_month = _months_of(request, now)
    _rows, sheet = await _rates(session, viewer, first_month, last_month, now=now)
    name = f"quality-{first_month:%Y-%m}-{last_month:%Y-%m}.{kind}"
    return Response(
        file_of(sheet, kind, language_of(request)),
        media_type=kind.media_type,
        headers={**PAGE_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'},
    )


@get("/operator/quality/{item_code:str}/{sender_id:uuid}/{month:str}", guards=[BY_OPERATOR])
async def show_rules(
    request: AnyRequest,
    item_code: FromPath[str],
    sender_id: FromPath[UUID],
    month: FromPath[str],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show which rules said no of one item from one sender in one month."""
    names, items = await names_of(session, [sender_id]), await _items(session, now)
    if not _MONTH.fullmatch(month) or item_code not in items or str(sender_id) not in names:
        raise NotFound
    rules = {rule.code: rule for rule in await queries.rules_on(session, business_date(now))}
    counts = await queries.rule_counts(
        session, viewer, item_code=item_code, sender_id=sender_id, month=date.fromisoformat(f"{month}-01")
    )
    known = [one for one in counts if one.rule_code in rules]
    return page(
        request,
        "desks/operator_quality_rules.html",
        sheet=rule_sheet(known, rules),
        messages=[Both(rules[one.rule_code].message_zh, rules[one.rule_code].message_en) for one in known],
        item=items[item_code],
        sender=names[str(sender_id)],
        month=month,
    )


async def _rates(
    session: AsyncSession, viewer: Viewer, first_month: date, last_month: date, *, now: datetime
) -> tuple[list[PassRate], Sheet]:
    rows = await queries.pass_rates(session, viewer, from_month=first_month, to_month=last_month)
    senders = await names_of(session, [row.sender_id for row in rows])
    return rows, pass_rate_sheet(rows, await _items(session, now), senders)


async def _items(session: AsyncSession, now: datetime) -> dict[str, Said]:
    return {one.code: Both(one.name_zh, one.name_en) for one in await catalogue.items(session, business_date(now))}


def _months_of(request: AnyRequest, now: datetime) -> tuple[date, date]:
    """Read the months of an address; without them the last six."""
    last_month = _month_of(request.query_params.get("to_month", ""), business_date(now).replace(day=1))
    return _month_of(request.query_params.get("from_month", ""), add_months(last_month, 1 - MONTHS_SHOWN)), last_month


def _month_of(typed: str, other_month: date) -> date:
    if not typed:
        return other_month
    if not _MONTH.fullmatch(typed) or typed.startswith("0000"):
        raise MonthsRefused(most=MAX_MONTHS)
    return date.fromisoformat(f"{typed}-01")


ROUTES = (show_quality, download_quality, show_rules)
