"""Opening, pausing, watching, reopening and ending a line."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import (
    OrganisationKind,
    Role,
    Viewer,
    requires_a_person,
    requires_kind,
    requires_role,
    requires_two_people,
)
from xinyidai.access.service import platform_scope
from xinyidai.agreements import queries
from xinyidai.agreements.events import LineOpened, LinePaused
from xinyidai.agreements.models import Agreement, LineChange
from xinyidai.agreements.queries import AgreementView
from xinyidai.agreements.rules import (
    LineReason,
    LineState,
    LineStepRefused,
    check_line_step,
)
from xinyidai.audit import service as audit
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.outbox import announce
from xinyidai.parties.rules import PLATFORM_ID


async def pause_line(
    session: AsyncSession,
    agreement_id: UUID,
    *,
    viewer: Viewer | None = None,
    reason: LineReason = LineReason.STOP_LOSS,
    now: datetime,
) -> None:
    """Stop new loans under a line; a line that is paused already is left alone. One person may pause, two reopen.

    Raises
    ------
    NotAllowed, NotFound, LineStepRefused
    """
    async with platform_scope(session):
        row = await locked_agreement(session, agreement_id)
        if viewer is not None:
            requires_fund_desk(viewer, row.fund_id, Role.OFFICER, Role.APPROVER)
        if row.state == LineState.PAUSED:
            return
        maker_id = viewer.principal_id if viewer else PLATFORM_ID
        await move(session, row, LineState.PAUSED, reason, maker_id, None, now=now)
    await write_down(session, viewer, row, "agreements.line_paused", now=now)


async def watch_line(session: AsyncSession, viewer: Viewer, agreement_id: UUID, *, now: datetime) -> None:
    """Put an open line under watch: it still takes loans, and everybody is told.

    Raises
    ------
    NotAllowed, NotFound, LineStepRefused
    """
    async with platform_scope(session):
        row = await locked_agreement(session, agreement_id)
        requires_fund_desk(viewer, row.fund_id, Role.OFFICER, Role.APPROVER)
        if row.state != LineState.OPEN:
            raise LineStepRefused(state=row.state, wanted=LineState.WATCH.value)
        await move(session, row, LineState.WATCH, LineReason.UNDER_REVIEW, viewer.principal_id, None, now=now)
    await write_down(session, viewer, row, "agreements.line_watched", now=now)


async def propose_reopening(session: AsyncSession, maker: Viewer, agreement_id: UUID, *, now: datetime) -> None:
    """Propose that a paused or watched line takes loans again; another person then reopens it.

    Raises
    ------
    NotAllowed, NotFound, LineStepRefused
    """
    async with platform_scope(session):
        row = await locked_agreement(session, agreement_id)
        requires_fund_desk(maker, row.fund_id, Role.OFFICER, Role.APPROVER)
        if row.state not in (LineState.PAUSED, LineState.WATCH):
            raise LineStepRefused(state=row.state, wanted=LineState.OPEN.value)
        row.reopening_proposed_by = maker.principal_id
        session.add(row)
        await session.flush()
    await write_down(session, maker, row, "agreements.reopening_proposed", now=now)


async def approve_reopening(session: AsyncSession, checker: Viewer, agreement_id: UUID, *, now: datetime) -> None:
    """Reopen a line whose reopening another person proposed.

    Raises
    ------
    NotAllowed, NotFound, SamePersonTwice
    LineStepRefused
        Nobody proposed it, or the line is not paused or watched.
    """
    async with platform_scope(session):
        row = await locked_agreement(session, agreement_id)
        requires_fund_desk(checker, row.fund_id, Role.APPROVER)
        maker_id = row.reopening_proposed_by
        if maker_id is None:
            raise LineStepRefused(state=row.state, wanted=LineState.OPEN.value)
        requires_two_people(maker_id, checker.principal_id)
        row.reopening_proposed_by = None
        await move(session, row, LineState.OPEN, LineReason.REVIEW_PASSED, maker_id, checker.principal_id, now=now)
    await write_down(session, checker, row, "agreements.line_reopened", now=now)


async def reopen_line(
    session: AsyncSession, maker: Viewer, checker: Viewer, agreement_id: UUID, *, now: datetime
) -> None:
    """Propose and approve a reopening in one step, for callers that have both people; refusals as of the two steps."""
    await propose_reopening(session, maker, agreement_id, now=now)
    await approve_reopening(session, checker, agreement_id, now=now)


async def end_line(session: AsyncSession, maker: Viewer, checker: Viewer, agreement_id: UUID, *, now: datetime) -> None:
    """End a line for good: two people. Loans under it stay covered until they are repaid or claimed.

    Raises
    ------
    NotAllowed, NotFound, SamePersonTwice, LineStepRefused
    """
    async with platform_scope(session):
        row = await locked_agreement(session, agreement_id)
        requires_fund_desk(maker, row.fund_id, Role.OFFICER, Role.APPROVER)
        requires_fund_desk(checker, row.fund_id, Role.APPROVER)
        requires_two_people(maker.principal_id, checker.principal_id)
        reason = LineReason.TERMINATED
        await move(session, row, LineState.ENDED, reason, maker.principal_id, checker.principal_id, now=now)
    await write_down(session, checker, row, "agreements.line_ended", now=now)


async def lock_line(session: AsyncSession, agreement_id: UUID) -> AgreementView:
    """Lock a line until the transaction ends and return it as it is now; what pays a claim takes this lock first.

    Raises
    ------
    NotFound
    """
    async with platform_scope(session):
        return queries.view_of(await locked_agreement(session, agreement_id))


async def locked_agreement(session: AsyncSession, agreement_id: UUID) -> Agreement:
    """Lock a line until the transaction ends and return its row as it is now.

    Raises
    ------
    NotFound
    """
    row = await session.get(Agreement, agreement_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    return row


def requires_fund_desk(viewer: Viewer, fund_id: UUID, *roles: Role) -> None:
    """Refuse who is no person with one of the roles at this fund or at the operator; another's line is not found."""
    requires_kind(viewer, OrganisationKind.FUND, OrganisationKind.OPERATOR)
    requires_a_person(viewer)
    if viewer.is_one_of(OrganisationKind.FUND) and viewer.organisation_id != fund_id:
        raise NotFound
    requires_role(viewer, *roles)


async def move(
    session: AsyncSession,
    row: Agreement,
    wanted: LineState,
    reason: LineReason,
    maker_id: UUID,
    checker_id: UUID | None,
    *,
    now: datetime,
) -> None:
    """Move a locked line to a state that may follow, write the change down and announce it."""
    check_line_step(LineState(row.state), wanted)
    session.add(
        LineChange(
            agreement_id=row.id,
            from_state=row.state,
            to_state=wanted.value,
            reason=reason.value,
            maker_id=maker_id,
            checker_id=checker_id,
            changed_at=now,
        )
    )
    row.state = wanted.value
    session.add(row)
    await session.flush()
    fields = (str(row.id), str(row.lender_id), reason.value)
    if wanted is LineState.OPEN:
        await announce(session, LineOpened(*fields), occurred_at=now)
    if wanted is LineState.PAUSED:
        await announce(session, LinePaused(*fields), occurred_at=now)


async def write_down(
    session: AsyncSession, viewer: Viewer | None, row: Agreement, action: str, *, now: datetime
) -> None:
    """Leave the audit row of an act on a line."""
    bearers = [party for party in (row.fund_id, row.lender_id, row.guarantor_id) if party is not None]
    async with platform_scope(session):
        await audit.write_down(
            session,
            viewer,
            action=action,
            subject_ids=bearers,
            object_kind="agreement",
            object_id=str(row.id),
            now=now,
        )
