"""Credit repair: the firm asks that a record is let go, two people of the operator decide."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Role, Viewer, requires_two_people
from xinyidai.access.service import platform_scope
from xinyidai.documents import service as documents
from xinyidai.foundation.calendar import add_working_days
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import ValueRefused
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.outbox import announce
from xinyidai.objections import queries
from xinyidai.objections.events import RecordRepaired
from xinyidai.objections.models import Repair
from xinyidai.objections.rules import REPAIRABLE, FactRef, check_told
from xinyidai.objections.rules.repairs import (
    NotRepairable,
    RepairAlreadyFiled,
    RepairNotDeclared,
    RepairRefusal,
    RepairState,
    RepairView,
    Severity,
    check_old_enough,
    repair_moved,
)
from xinyidai.objections.service.desk import (
    REPAIR,
    locked_repair,
    requires_firm_desk,
    requires_operator_desk,
    requires_own,
    requires_room_for_one,
    seal_told,
    write_down,
)
from xinyidai.parties.rules import PLATFORM_ID

OVER = (RepairState.REFUSED.value, RepairState.WITHDRAWN.value)


async def file_repair(
    session: AsyncSession,
    viewer: Viewer,
    ref: FactRef,
    *,
    severity: Severity,
    listed_on: date,
    text: str,
    document_ids: Sequence[UUID] = (),
    is_declared: bool,
    now: datetime,
) -> RepairView:
    """Ask that a record against the viewer's own firm is no longer published or used. Evidence goes to the operator.

    Whether the record is there and how grave it is, the two people who decide look up: the firm names both.

    Parameters
    ----------
    is_declared : bool
        The matter is made good, every duty met, and the commitment made.

    Raises
    ------
    NotAllowed, NotFound
        No owner or officer of a firm; a document is not there, or not the firm's.
    NotRepairable, RepairNotDeclared, RepairTooEarly, RepairAlreadyFiled, TooManyObjections, ObjectionTextRefused,
    TooMuchEvidence, ValueRefused
    """
    requires_firm_desk(viewer)
    if ref.kind not in REPAIRABLE or ref.firm_id != viewer.organisation_id:
        raise NotRepairable(kind=ref.kind.value)
    if not is_declared:
        raise RepairNotDeclared
    said = check_told(text, len(set(document_ids)))
    today = business_date(now)
    await _requires_old_enough(session, ref, severity, listed_on, today=today)
    clock = await queries.clock_on(session, today)
    await requires_room_for_one(session, viewer.organisation_id, clock)
    if await _stands(session, ref):
        raise RepairAlreadyFiled
    due = add_working_days(today, clock.repair_working_days)
    case_id = new_id()
    key_id, told_sealed = await seal_told(session, case_id, ref.firm_id, said, None, now=now)
    row = Repair(
        id=case_id,
        firm_id=ref.firm_id,
        kind=ref.kind.value,
        delivery_no=ref.delivery_no,
        line_no=ref.line_no,
        severity=severity.value,
        listed_on=listed_on,
        key_id=key_id,
        told_sealed=told_sealed,
        document_ids=sorted(set(document_ids)),
        due_on=due.day,
        is_due_provisional=due.is_provisional,
        filed_by=viewer.principal_id,
        filed_at=now,
    )
    session.add(row)
    await session.flush()
    await documents.open_for_case(
        session, viewer, row.document_ids, to=[PLATFORM_ID], object_kind=REPAIR, object_id=row.id, now=now
    )
    await write_down(session, viewer, row, "objections.repair_filed", now=now)
    return queries.repair_of(row)


async def approve_repair(session: AsyncSession, viewer: Viewer, repair_id: UUID, *, now: datetime) -> RepairView:
    """Pass the first review, or the second by another person, who must be an approver. Locks the repair.

    After the second no new profile, score or match may use the record where the rule in force says so.

    Raises
    ------
    NotAllowed, NotFound, RepairStepRefused
    SamePersonTwice
        Who passed the first review passes the second.
    """
    async with platform_scope(session):
        requires_operator_desk(viewer, Role.OFFICER, Role.APPROVER)
        row = await locked_repair(session, repair_id)
        if row.state == RepairState.FILED:
            row.state = repair_moved(RepairState(row.state), RepairState.SECOND_REVIEW).value
            row.first_reviewed_by, row.first_reviewed_at = viewer.principal_id, now
        else:
            moved = repair_moved(RepairState(row.state), RepairState.REPAIRED)
            requires_operator_desk(viewer, Role.APPROVER)
            assert row.first_reviewed_by is not None, "the first review leads to the second"
            requires_two_people(row.first_reviewed_by, viewer.principal_id)
            row.state, row.second_reviewed_by, row.settled_at = moved.value, viewer.principal_id, now
        session.add(row)
        await session.flush()
        if row.state == RepairState.REPAIRED:
            await documents.close_case(session, object_kind=REPAIR, object_id=row.id, now=now)
            await announce(session, RecordRepaired(str(row.id), str(row.firm_id), row.kind), occurred_at=now)
    await write_down(session, viewer, row, "objections.repair_reviewed", now=now)
    return queries.repair_of(row)


async def refuse_repair(
    session: AsyncSession, viewer: Viewer, repair_id: UUID, *, code: RepairRefusal, now: datetime
) -> RepairView:
    """Refuse a repair in either review, with a code; the firm may ask again. Locks the repair.

    Raises
    ------
    NotAllowed, NotFound, RepairStepRefused, SamePersonTwice
    """
    requires_operator_desk(viewer, Role.OFFICER, Role.APPROVER)
    async with platform_scope(session):
        row = await locked_repair(session, repair_id)
        moved = repair_moved(RepairState(row.state), RepairState.REFUSED)
        if row.first_reviewed_by is not None:
            requires_operator_desk(viewer, Role.APPROVER)
            requires_two_people(row.first_reviewed_by, viewer.principal_id)
        row.state, row.refusal_code = moved.value, code.value
        row.refused_by, row.settled_at = viewer.principal_id, now
        session.add(row)
        await session.flush()
        await documents.close_case(session, object_kind=REPAIR, object_id=row.id, now=now)
    await write_down(session, viewer, row, "objections.repair_refused", now=now)
    return queries.repair_of(row)


async def withdraw_repair(session: AsyncSession, viewer: Viewer, repair_id: UUID, *, now: datetime) -> RepairView:
    """Take back a repair that is not decided. Locks the repair.

    Raises
    ------
    NotAllowed, NotFound, RepairStepRefused
    """
    requires_firm_desk(viewer)
    async with platform_scope(session):
        row = await locked_repair(session, repair_id)
        requires_own(viewer, row)
        row.state = repair_moved(RepairState(row.state), RepairState.WITHDRAWN).value
        row.settled_at = now
        session.add(row)
        await session.flush()
        await documents.close_case(session, object_kind=REPAIR, object_id=row.id, now=now)
    await write_down(session, viewer, row, "objections.repair_withdrawn", now=now)
    return queries.repair_of(row)


async def _requires_old_enough(
    session: AsyncSession, ref: FactRef, severity: Severity, listed_on: date, *, today: date
) -> None:
    """Refuse a record that the rule of the day does not let go yet, or not at all."""
    if listed_on > today:
        raise ValueRefused(field="listed_on", why="in the future")
    rule = next((one for one in await queries.repair_rules_on(session, today) if one.severity is severity), None)
    if rule is None:
        raise NotRepairable(kind=ref.kind.value)
    check_old_enough(listed_on, rule, today=today)


async def _stands(session: AsyncSession, ref: FactRef) -> bool:
    statement = select(col(Repair.id)).where(
        col(Repair.firm_id) == ref.firm_id,
        col(Repair.kind) == ref.kind.value,
        col(Repair.delivery_no) == ref.delivery_no,
        col(Repair.line_no) == ref.line_no,
        col(Repair.state).not_in(OVER),
    )
    return (await session.execute(statement)).first() is not None
