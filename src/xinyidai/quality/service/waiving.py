"""Waiving a finding: its sender asks with a reason, the operator decides, and every waiver ends."""

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind, requires_two_people
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound, ValueRefused
from xinyidai.foundation.timetable import Found, Moment
from xinyidai.quality import queries
from xinyidai.quality.models import Finding
from xinyidai.quality.rules import (
    MAX_REASON,
    MAX_WAIVER_DAYS,
    FindingClosed,
    FindingState,
    FindingView,
    WaiverEndRefused,
    WaiverNotAsked,
)

SENDERS: Final = (OrganisationKind.AGENCY, OrganisationKind.OPERATOR)


async def ask_waiver(
    session: AsyncSession, viewer: Viewer, finding_id: UUID, reason: str, *, now: datetime
) -> FindingView:
    """Ask that a finding of one's own delivery be waived; asking again replaces the reason.

    Locks the finding.

    Raises
    ------
    NotFound, NotAllowed, FindingClosed, ValueRefused
    """
    requires_kind(viewer, *SENDERS)
    told = reason.strip()
    if not told or len(told) > MAX_REASON:
        raise ValueRefused(field="reason", why=f"1 to {MAX_REASON} characters")
    row = await _locked(session, finding_id)
    if row is None or row.sender_id != viewer.organisation_id:
        raise NotFound
    _requires_open(row)
    row.waiver_reason, row.waiver_asked_by, row.waiver_asked_at = told, viewer.principal_id, now
    row.waiver_decided_by = row.waiver_decided_at = row.waiver_until_on = None
    return await _keep(session, viewer, row, "quality.waiver_asked", now=now)


async def decide_waiver(
    session: AsyncSession,
    viewer: Viewer,
    finding_id: UUID,
    *,
    is_granted: bool,
    until_on: date | None = None,
    now: datetime,
) -> FindingView:
    """Grant a waiver that was asked for until before a Shanghai day, or refuse it; a refused finding stays open.

    For the operator. Without `until_on` it lasts MAX_WAIVER_DAYS. Locks the finding. Nobody decides what they asked for
    themselves.

    Raises
    ------
    NotFound, NotAllowed, FindingClosed, WaiverNotAsked, WaiverEndRefused, SamePersonTwice
    """
    requires_kind(viewer, OrganisationKind.OPERATOR)
    today = business_date(now)
    last_on = today + timedelta(days=MAX_WAIVER_DAYS)
    ends_on = until_on or last_on
    if is_granted and not today < ends_on <= last_on:
        raise WaiverEndRefused(most=MAX_WAIVER_DAYS)
    async with platform_scope(session):
        row = await _locked(session, finding_id)
        if row is None:
            raise NotFound
        _requires_open(row)
        if row.waiver_asked_at is None or row.waiver_decided_at is not None:
            raise WaiverNotAsked
        requires_two_people(row.waiver_asked_by or viewer.principal_id, viewer.principal_id)
        row.waiver_decided_by, row.waiver_decided_at = viewer.principal_id, now
        if is_granted:
            row.state, row.closed_at, row.waiver_until_on = FindingState.WAIVED.value, now, ends_on
        return await _keep(session, viewer, row, "quality.waiver_decided", now=now)


def ended_waivers(moment: Moment) -> Found:
    """Return the findings whose waiver has ended, for the timetable."""
    return select(col(Finding.id)).where(
        col(Finding.state) == FindingState.WAIVED.value, col(Finding.waiver_until_on) <= moment.today
    )


async def end_waivers(session: AsyncSession, *, now: datetime) -> int:
    """Open the findings again whose waiver has ended; return how many. Needs platform scope.

    What was asked and decided stays with them, so that their senders see why they are back.
    """
    statement = (
        update(Finding)
        .where(
            col(Finding.state) == FindingState.WAIVED.value,
            col(Finding.waiver_until_on) <= business_date(now),
        )
        .values(state=FindingState.OPEN.value, closed_at=None)
        .returning(col(Finding.id))
    )
    return len(list(await session.scalars(statement)))


async def _locked(session: AsyncSession, finding_id: UUID) -> Finding | None:
    statement = (
        select(Finding).where(col(Finding.id) == finding_id).with_for_update().execution_options(populate_existing=True)
    )
    found: Finding | None = (await session.execute(statement)).scalar_one_or_none()
    return found


def _requires_open(row: Finding) -> None:
    if row.state != FindingState.OPEN:
        raise FindingClosed


async def _keep(session: AsyncSession, viewer: Viewer, row: Finding, action: str, *, now: datetime) -> FindingView:
    session.add(row)
    await session.flush()
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[] if row.firm_id is None else [row.firm_id],
        object_kind="finding",
        object_id=str(row.id),
        now=now,
    )
    return queries.view_of(row)
