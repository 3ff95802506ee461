"""How what was delivered came through the quality rules: by item, owner, sender and month, down to the rule."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.desks.pages.operator import BY_OPERATOR
from xinyidai.desks.pages.quality import MONTH, file_answer, items_of, months_of, owners_of, rules_of
from xinyidai.desks.quality_sheets import pass_rate_sheet, rule_sheet
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.rendering import page
from xinyidai.foundation.pages.tables import FileKind, Sheet
from xinyidai.foundation.pages.words import Both
from xinyidai.quality import queries
from xinyidai.quality.rules import PPM, FindingFilter, FindingState, PassRate, WaiverState

GOAL_PPM: Final = 100
"""What the five-year plan binds its region to: at most 0.1 per mille of wrong or doubled codes by 2025."""


@get("/operator/quality", guards=[BY_OPERATOR])
async def show_quality(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show pass rates by item, sender and month, what is open, and what waits for a decision."""
    first_month, last_month = months_of(request, now)
    rows, sheet = await _rates(session, viewer, first_month, last_month, now=now)
    open_ones = await queries.finding_groups(session, viewer, FindingFilter(state=FindingState.OPEN))
    asked = await queries.finding_groups(session, viewer, FindingFilter(waiver=WaiverState.ASKED))
    received, offered = sum(one.received for one in rows), sum(one.offered for one in rows)
    wrong = sum(one.unknown_firm + one.doubled for one in rows)
    return page(
        request,
        "desks/operator_quality.html",
        sheet=sheet,
        links=[f"/operator/quality/{row.item_code}/{row.sender_id}/{row.month:%Y-%m}" for row in rows],
        first_month=first_month,
        last_month=last_month,
        open=sum(one.open for one in open_ones),
        asked=sum(one.open for one in asked),
        pass_rate_ppm=sum(one.passed for one in rows) * PPM // offered if offered else None,
        faulty_code_ppm=-(-wrong * PPM // received) if received else None,
        goal_ppm=GOAL_PPM,
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
    first_month, last_month = months_of(request, now)
    _rows, sheet = await _rates(session, viewer, first_month, last_month, now=now)
    return file_answer(request, sheet, kind, f"quality-{first_month:%Y-%m}-{last_month:%Y-%m}")


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
    names, items = await names_of(session, [sender_id]), await items_of(session, now)
    if not MONTH.fullmatch(month) or item_code not in items or str(sender_id) not in names:
        raise NotFound
    rules = await rules_of(session, now)
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
    return rows, pass_rate_sheet(rows, await items_of(session, now), senders, await owners_of(session, now))


ROUTES = (show_quality, download_quality, show_rules)
