"""Two reviews of a claim, by two people of the fund who did not file it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Role, Viewer, requires_two_people
from xinyidai.access.service import platform_scope
from xinyidai.agreements import service as agreements
from xinyidai.loans import service as loan_service
from xinyidai.risk_sharing import queries
from xinyidai.risk_sharing.events import ClaimApproved, ClaimDenied
from xinyidai.risk_sharing.models import Claim
from xinyidai.risk_sharing.queries import ClaimView
from xinyidai.risk_sharing.rules import ClaimState, ClaimStepRefused, DenialCode
from xinyidai.risk_sharing.service.desk import (
    found_claim,
    locked_claim,
    move,
    requires_claim_desk,
    tell,
    write_down,
)


async def approve_claim(session: AsyncSession, viewer: Viewer, claim_id: UUID, *, now: datetime) -> ClaimView:
    """Pass the first review, or the second by another person, who must be an approver. Locks the claim.

    Raises
    ------
    NotAllowed, NotFound
        No person of the claim's fund with the role.
    SamePersonTwice
        Who filed or first reviewed the claim reviews it again.
    ClaimStepRefused
        The claim waits for no review.
    """
    async with platform_scope(session):
        row = await locked_claim(session, claim_id)
        _requires_reviewer(viewer, row)
        if row.state == ClaimState.LODGED:
            row.first_reviewed_by = viewer.principal_id
            row.first_reviewed_at = now
            await move(session, row, ClaimState.SECOND_REVIEW)
        else:
            row.second_reviewed_by = viewer.principal_id
            row.second_reviewed_at = now
            await move(session, row, ClaimState.APPROVED)
            await tell(session, row, ClaimApproved, now=now)
    await write_down(session, viewer, row, "risk_sharing.claim_reviewed", now=now)
    return queries.claim_of(row)


async def deny_claim(
    session: AsyncSession, viewer: Viewer, claim_id: UUID, *, code: DenialCode, now: datetime
) -> ClaimView:
    """Deny a claim in either review, with a code; the loan stays covered and may be claimed again.

    Locks the loan, then the claim.

    Raises
    ------
    NotAllowed, NotFound, SamePersonTwice, ClaimStepRefused
    """
    async with platform_scope(session):
        await loan_service.lock_loan(session, (await found_claim(session, claim_id)).loan_id)
        row = await locked_claim(session, claim_id)
        _requires_reviewer(viewer, row)
        row.denial_code = code.value
        row.denied_by = viewer.principal_id
        row.closed_at = now
        await move(session, row, ClaimState.DENIED)
        await agreements.unclaim_exposure(
            session, row.reservation_id, claim_id=row.id, maker_id=viewer.principal_id, now=now
        )
        await tell(session, row, ClaimDenied, now=now)
    await write_down(session, viewer, row, "risk_sharing.claim_denied", now=now)
    return queries.claim_of(row)


def _requires_reviewer(viewer: Viewer, row: Claim) -> None:
    """Refuse who may not do the next review of this claim."""
    if row.state == ClaimState.LODGED:
        requires_claim_desk(viewer, row, Role.OFFICER, Role.APPROVER)
    else:
        requires_claim_desk(viewer, row, Role.APPROVER)
    if row.state not in (ClaimState.LODGED, ClaimState.SECOND_REVIEW):
        raise ClaimStepRefused(state=row.state, wanted=ClaimState.APPROVED.value)
    requires_two_people(row.filed_by, viewer.principal_id)
    if row.first_reviewed_by is not None:
        requires_two_people(row.first_reviewed_by, viewer.principal_id)
