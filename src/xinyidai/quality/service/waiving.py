"""Waiving a finding: its sender asks with a reason, the operator decides."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind, requires_two_people
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.foundation.errors import NotFound, ValueRefused
from xinyidai.quality import queries
from xinyidai.quality.models import Finding
from xinyidai.quality.rules import MAX_REASON, FindingClosed, FindingState, FindingView, WaiverNotAsked

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
    row.waiver_decided_by = row.waiver_decided_at = None
    return await _keep(session, viewer, row, "quality.waiver_asked", now=now)


async def decide_waiver(
    session: AsyncSession, viewer: Viewer, finding_id: UUID, *, is_granted: bool, now: datetime
) -> FindingView:
    """Grant or refuse a waiver that was asked for; a refused finding stays open. For the operator.

    Locks the finding. Nobody decides what they asked for themselves.

    Raises
    ------
    NotFound, NotAllowed, FindingClosed, WaiverNotAsked, SamePersonTwice
    """
    requires_kind(viewer, OrganisationKind.OPERATOR)
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
            row.state, row.closed_at = FindingState.WAIVED.value, now
        return await _keep(session, viewer, row, "quality.waiver_decided", now=now)


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
