"""Reading findings under the viewer's scope: one by one, by rule, and what became of what was returned."""

from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Row, and_, cast, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.access.service import platform_scope
from xinyidai.foundation.clock import add_months
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, before_id, limit_of, page_of
from xinyidai.foundation.timetable import Found
from xinyidai.quality.models import Finding
from xinyidai.quality.rules import (
    FindingFilter,
    FindingGroup,
    FindingId,
    FindingState,
    FindingView,
    Returned,
    Severity,
    WaiverState,
    check_months,
)

SEES: Final = (OrganisationKind.AGENCY, OrganisationKind.OPERATOR)
MAX_GROUPS: Final = 1_000
"""Rules times senders that one list tells of."""
_SEEN_IN: Final[ColumnElement[date]] = cast(
    func.date_trunc("month", func.timezone("Asia/Shanghai", col(Finding.first_seen_at))), Date
)
"""The Shanghai month in which a finding was first seen."""


def view_of(row: Finding) -> FindingView:
    """Return a finding's row as a value."""
    return FindingView(
        id=FindingId(row.id),
        item_code=row.item_code,
        rule_code=row.rule_code,
        rule_version=row.rule_version,
        severity=Severity(row.severity),
        sender_id=row.sender_id,
        delivery_no=row.delivery_no,
        line_no=row.line_no,
        firm_id=row.firm_id,
        state=FindingState(row.state),
        first_seen_at=row.first_seen_at,
        closed_at=row.closed_at,
        waiver_reason=row.waiver_reason,
        waiver_asked_at=row.waiver_asked_at,
        waiver_decided_at=row.waiver_decided_at,
        waiver_until_on=row.waiver_until_on,
    )


async def findings(
    session: AsyncSession,
    viewer: Viewer,
    sought: FindingFilter,
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[FindingView]:
    """Return what was found in the viewer's own deliveries, newest first; to the operator, in everybody's."""
    requires_kind(viewer, *SEES)
    size = limit_of(limit)
    statement = (
        select(Finding)
        .where(col(Finding.id) < before_id(cursor), *_kept(sought))
        .order_by(col(Finding.id).desc())
        .limit(size + 1)
    )
    if viewer.is_one_of(OrganisationKind.OPERATOR):
        async with platform_scope(session):
            rows = list(await session.scalars(statement))
    else:
        rows = list(await session.scalars(statement.where(col(Finding.sender_id) == viewer.organisation_id)))
    return page_of([view_of(row) for row in rows], limit=size, id_of=lambda view: view.id)


async def finding(session: AsyncSession, viewer: Viewer, finding_id: UUID) -> FindingView:
    """Return one finding to its sender or to the operator; to anybody else it is not there (`NotFound`)."""
    requires_kind(viewer, *SEES)
    statement = select(Finding).where(col(Finding.id) == finding_id)
    if viewer.is_one_of(OrganisationKind.OPERATOR):
        async with platform_scope(session):
            rows = list(await session.scalars(statement))
    else:
        rows = list(await session.scalars(statement.where(col(Finding.sender_id) == viewer.organisation_id)))
    if not rows:
        raise NotFound
    return view_of(rows[0])


async def finding_groups(session: AsyncSession, viewer: Viewer, sought: FindingFilter) -> list[FindingGroup]:
    """Return findings by item, rule and sender, those with most open ones first; at most MAX_GROUPS. Withdrawn ones are
    left out.

    A sender sees its own deliveries, the operator all.

    Raises
    ------
    NotAllowed
    """
    keys = (col(Finding.item_code), col(Finding.rule_code), col(Finding.severity), col(Finding.sender_id))
    is_open = (col(Finding.state) == FindingState.OPEN.value).desc()
    order = (is_open, col(Finding.delivery_no).desc(), col(Finding.line_no), col(Finding.id))
    counts = _counts()
    statement = (
        select(
            *keys,
            *counts,
            func.min(col(Finding.first_seen_at)).label("first_seen_at"),
            func.array_agg(aggregate_order_by(col(Finding.delivery_no), *order)).label("delivery_nos"),
            func.array_agg(aggregate_order_by(col(Finding.line_no), *order)).label("line_nos"),
        )
        .where(*_kept(sought), _IS_DUE)
        .group_by(*keys)
        .order_by(counts[0].desc(), col(Finding.rule_code), col(Finding.sender_id))
        .limit(MAX_GROUPS)
    )
    found = await seen(session, viewer, statement, col(Finding.sender_id))
    return [
        FindingGroup(
            item_code=row.item_code,
            rule_code=row.rule_code,
            severity=Severity(row.severity),
            sender_id=row.sender_id,
            open=row.open,
            corrected=row.corrected,
            waived=row.waived,
            first_seen_at=row.first_seen_at,
            example_delivery_no=row.delivery_nos[0],
            example_line_no=row.line_nos[0],
        )
        for row in found
    ]


async def returned(session: AsyncSession, viewer: Viewer, *, from_month: date, to_month: date) -> list[Returned]:
    """Return what became of findings, by item, sender and the month in which they were first seen, newest first.

    A sender sees its own deliveries, the operator all.

    Raises
    ------
    NotAllowed, MonthsRefused
    """
    check_months(from_month, to_month)
    keys = (col(Finding.item_code), col(Finding.sender_id), _SEEN_IN.label("month"))
    statement = (
        select(*keys, func.count().label("found"), *_counts())
        .where(from_month <= _SEEN_IN, add_months(to_month, 1) > _SEEN_IN, _IS_DUE)
        .group_by(*keys)
        .order_by(_SEEN_IN.desc(), col(Finding.item_code), col(Finding.sender_id))
    )
    found = await seen(session, viewer, statement, col(Finding.sender_id))
    return [Returned(**row._mapping) for row in found]


async def seen(
    session: AsyncSession, viewer: Viewer, statement: Found, sender: Mapped[UUID]
) -> list[Row[tuple[object, ...]]]:
    """Run a statistic over the deliveries that the viewer may see.

    Raises
    ------
    NotAllowed
    """
    requires_kind(viewer, *SEES)
    if viewer.is_one_of(OrganisationKind.OPERATOR):
        async with platform_scope(session):
            return list((await session.execute(statement)).all())
    own = statement.where(sender == viewer.organisation_id)
    return list((await session.execute(own)).all())


def _counts() -> list[ColumnElement[int]]:
    return [
        func.count().filter(col(Finding.state) == state.value).label(state.value)
        for state in (FindingState.OPEN, FindingState.CORRECTED, FindingState.WAIVED)
    ]


def _kept(sought: FindingFilter) -> list[ColumnElement[bool]]:
    plain = {
        "state": sought.state,
        "item_code": sought.item_code,
        "severity": sought.severity,
        "rule_code": sought.rule_code,
        "sender_id": sought.sender_id,
        "delivery_no": sought.delivery_no,
    }
    kept = [getattr(Finding, name) == value for name, value in plain.items() if value is not None]
    return kept if sought.waiver is None else [*kept, _WAIVERS[sought.waiver]]


_IS_DUE: Final = col(Finding.state) != FindingState.WITHDRAWN.value
_IS_OPEN: Final = col(Finding.state) == FindingState.OPEN.value
_IS_DECIDED: Final = and_(_IS_OPEN, col(Finding.waiver_decided_at).is_not(None))
_WAIVERS: Final[dict[WaiverState, ColumnElement[bool]]] = {
    WaiverState.ASKED: and_(
        _IS_OPEN, col(Finding.waiver_asked_at).is_not(None), col(Finding.waiver_decided_at).is_(None)
    ),
    WaiverState.GRANTED: col(Finding.state) == FindingState.WAIVED.value,
    WaiverState.REFUSED: and_(_IS_DECIDED, col(Finding.waiver_until_on).is_(None)),
    WaiverState.EXPIRED: and_(_IS_DECIDED, col(Finding.waiver_until_on).is_not(None)),
}
"""The same as `FindingView.waiver_state`, for the database."""


async def findings_of(
    session: AsyncSession, *, firm_id: UUID, delivery_no: int, line_no: int
) -> tuple[FindingView, ...]:
    """Return what rules found in one fact, newest first; whose facts may be looked at, the caller has checked."""
    statement = (
        select(Finding)
        .where(
            col(Finding.firm_id) == firm_id,
            col(Finding.delivery_no) == delivery_no,
            col(Finding.line_no) == line_no,
        )
        .order_by(col(Finding.id).desc())
    )
    async with platform_scope(session):
        return tuple(view_of(row) for row in await session.scalars(statement))
