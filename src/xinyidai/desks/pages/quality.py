"""What the pages of data quality share at the agencies' desks and the operator's: months, names, files."""

import re
from datetime import date, datetime
from typing import Final
from uuid import UUID

from litestar import Response
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.catalogue import queries as catalogue
from xinyidai.desks.pages.names import AnyRequest
from xinyidai.foundation.clock import add_months, business_date
from xinyidai.foundation.pages.rendering import PAGE_HEADERS
from xinyidai.foundation.pages.tables import FileKind, Sheet, file_of
from xinyidai.foundation.pages.words import Both, Said, language_of
from xinyidai.foundation.paging import MAX_PAGE
from xinyidai.quality import queries
from xinyidai.quality.rules import MAX_MONTHS, FindingFilter, FindingState, FindingView, MonthsRefused, Rule, Severity

MONTHS_SHOWN: Final = 6
ROWS: Final = 50
MOST_ROWS: Final = 10_000
"""Findings that one file tells of; more are taken by item or rule."""
MONTH = re.compile(r"(?!0000)\d{4}-(0[1-9]|1[0-2])")


async def items_of(session: AsyncSession, now: datetime) -> dict[str, Said]:
    """Return the names of the catalogue's items by code."""
    return {one.code: Both(one.name_zh, one.name_en) for one in await catalogue.items(session, business_date(now))}


async def owners_of(session: AsyncSession, now: datetime) -> dict[str, Said]:
    """Return the department that owns each item, by the item's code."""
    return {one.code: Both(one.owner_zh, one.owner_en) for one in await catalogue.items(session, business_date(now))}


async def rules_of(session: AsyncSession, now: datetime) -> dict[str, Rule]:
    """Return today's rules by code."""
    return {rule.code: rule for rule in await queries.rules_on(session, business_date(now))}


def months_of(request: AnyRequest, now: datetime) -> tuple[date, date]:
    """Read the months of an address; without them the last six.

    Raises
    ------
    MonthsRefused
    """
    last_month = _month_of(request.query_params.get("to_month", ""), business_date(now).replace(day=1))
    return _month_of(request.query_params.get("from_month", ""), add_months(last_month, 1 - MONTHS_SHOWN)), last_month


def filter_of(request: AnyRequest) -> FindingFilter:
    """Read which findings an address asks for; what is none of the words that there are asks for all."""

    def asked(name: str) -> str | None:
        typed = request.query_params.get(name, "")[:64]
        return typed if typed and "\0" not in typed else None

    state, severity, sender = asked("state"), asked("severity"), asked("sender")
    return FindingFilter(
        state=FindingState(state) if state in set(FindingState) else None,
        item_code=asked("item"),
        severity=Severity(severity) if severity in set(Severity) else None,
        rule_code=asked("rule"),
        sender_id=UUID(sender) if sender and re.fullmatch(r"[0-9a-f-]{36}", sender) else None,
    )


async def found_of(session: AsyncSession, viewer: Viewer, sought: FindingFilter, *, most: int) -> list[FindingView]:
    """Return the findings that are asked for, newest first, at most MOST_ROWS, page after page."""
    found: list[FindingView] = []
    cursor = None
    while len(found) < min(most, MOST_ROWS):
        listed = await queries.findings(session, viewer, sought, cursor=cursor, limit=min(MAX_PAGE, most))
        found += listed.rows
        cursor = listed.next_cursor
        if cursor is None:
            break
    return found[:most]


def file_answer(request: AnyRequest, sheet: Sheet, kind: FileKind, name: str) -> Response[bytes]:
    """Return a table as a file to take away."""
    return Response(
        file_of(sheet, kind, language_of(request)),
        media_type=kind.media_type,
        headers={**PAGE_HEADERS, "Content-Disposition": f'attachment; filename="{name}.{kind}"'},
    )


def _month_of(typed: str, other_month: date) -> date:
    if not typed:
        return other_month
    if not MONTH.fullmatch(typed):
        raise MonthsRefused(most=MAX_MONTHS)
    return date.fromisoformat(f"{typed}-01")
