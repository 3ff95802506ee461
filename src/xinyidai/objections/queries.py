"""Reads of objections and repairs: cases by those who may see them, and the marks that readers of facts ask for."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.access.service import platform_scope
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, before_id, limit_of, page_of
from xinyidai.foundation.reference import read_reference
from xinyidai.objections.models import ClockPolicy, Objection, Repair, RepairRulePolicy
from xinyidai.objections.rules import (
    Clock,
    FactKind,
    FactRef,
    Lateness,
    ObjectionId,
    ObjectionReason,
    ObjectionRefusal,
    ObjectionState,
    ObjectionView,
    Remedy,
)
from xinyidai.objections.rules.repairs import (
    RepairId,
    RepairRefusal,
    RepairRule,
    RepairState,
    RepairView,
    Severity,
)
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources.queries.lineage import later_versions
from xinyidai.sources.rules.origins import FactRef as Record
from xinyidai.sources.rules.records.kinds import KINDS

OVERSEES = (OrganisationKind.OPERATOR, OrganisationKind.REGULATOR)


async def disputed_refs(session: AsyncSession, firm_ids: Sequence[UUID], known_at: datetime) -> frozenset[FactRef]:
    """Return which facts of these firms were disputed at a moment: filed by then, and not answered by then.

    References only, never what a firm said. Whose facts may be looked at, the caller has checked.
    """
    statement = select(Objection).where(
        col(Objection.firm_id).in_(firm_ids),
        col(Objection.filed_at) <= known_at,
        or_(col(Objection.settled_at).is_(None), col(Objection.settled_at) > known_at),
    )
    async with platform_scope(session):
        rows = (await session.execute(statement)).scalars().all()
    return frozenset(ref_of(row) for row in rows)


async def repaired_refs(session: AsyncSession, firm_ids: Sequence[UUID], at: datetime) -> frozenset[FactRef]:
    """Return which records of these firms may not be used at a moment, because they were repaired by then.

    By the rule in force at `at`: where it ends publication alone, a repaired record may still be used. A reader of
    facts for a decision passes the decision's own moment, so that an old one replays with what it knew. What its source
    delivers anew of a repaired record is the same record: an end of publication, say, that a repair brought about.
    """
    ending = {one.severity.value for one in await repair_rules_on(session, business_date(at)) if one.ends_use}
    statement = select(Repair).where(
        col(Repair.firm_id).in_(firm_ids),
        col(Repair.state) == RepairState.REPAIRED.value,
        col(Repair.settled_at) <= at,
        col(Repair.severity).in_(ending),
    )
    async with platform_scope(session):
        refs = [ref_of(row) for row in (await session.execute(statement)).scalars()]
        asked = [Record(KINDS[one.kind.value].table, one.firm_id, one.delivery_no, one.line_no) for one in refs]
        later = await later_versions(session, asked)
    return frozenset(refs) | {
        FactRef(FactKind(one.item_code), one.firm_id, one.delivery_no, one.line_no) for one in later
    }


async def cases_of(session: AsyncSession, ref: FactRef) -> tuple[tuple[ObjectionView, ...], tuple[RepairView, ...]]:
    """Return the objections to a fact and the repairs asked for it, newest first, without what the firm said.

    Whose facts may be looked at, the caller has checked.
    """

    def about(table: type[Objection] | type[Repair]) -> ColumnElement[bool]:
        return (
            (col(table.firm_id) == ref.firm_id)
            & (col(table.kind) == ref.kind.value)
            & (col(table.delivery_no) == ref.delivery_no)
            & (col(table.line_no) == ref.line_no)
        )

    async with platform_scope(session):
        disputed = await session.scalars(select(Objection).where(about(Objection)).order_by(col(Objection.id).desc()))
        asked = await session.scalars(select(Repair).where(about(Repair)).order_by(col(Repair.id).desc()))
        return tuple(objection_of(row) for row in disputed), tuple(repair_of(row) for row in asked)


async def has_newer(session: AsyncSession, firm_id: UUID, *, known_at: datetime, now: datetime) -> bool:
    """Say whether a record of the firm was repaired, or an objection of its upheld, after `known_at`.

    What was made of the firm's facts before then no longer stands for them.
    """
    upheld = select(col(Objection.id)).where(
        col(Objection.firm_id) == firm_id,
        col(Objection.remedy).is_not(None),
        col(Objection.decided_at) > known_at,
        col(Objection.decided_at) <= now,
    )
    repaired = select(col(Repair.id)).where(
        col(Repair.firm_id) == firm_id,
        col(Repair.state) == RepairState.REPAIRED.value,
        col(Repair.settled_at) > known_at,
        col(Repair.settled_at) <= now,
    )
    async with platform_scope(session):
        return bool((await session.execute(select(or_(upheld.exists(), repaired.exists())))).scalar_one())


async def objection(session: AsyncSession, viewer: Viewer, objection_id: UUID) -> ObjectionView:
    """Return an objection to its firm, to the asked sender, to operator and regulator.

    Raises
    ------
    NotFound
    """
    async with platform_scope(session):
        row = await session.get(Objection, objection_id)
    if row is None or not may_see(viewer, row):
        raise NotFound
    return objection_of(row)


async def objections(
    session: AsyncSession,
    viewer: Viewer,
    *,
    states: Sequence[ObjectionState] = (),
    cursor: str | None = None,
    limit: int = 50,
) -> Page[ObjectionView]:
    """Return a page of the objections that the viewer may see, newest first; in some states, where they are named."""
    size = limit_of(limit)
    statement = (
        select(Objection)
        .where(_seen_by(viewer), col(Objection.id) < before_id(cursor))
        .order_by(col(Objection.id).desc())
        .limit(size + 1)
    )
    if states:
        statement = statement.where(col(Objection.state).in_([one.value for one in states]))
    async with platform_scope(session):
        rows = (await session.execute(statement)).scalars().all()
    return page_of([objection_of(row) for row in rows], limit=size, id_of=lambda view: view.id)


async def objection_counts(session: AsyncSession, viewer: Viewer) -> dict[ObjectionState, int]:
    """Return how many objections the viewer may list, by state; states without any are left out."""
    statement = select(col(Objection.state), func.count()).where(_seen_by(viewer)).group_by(col(Objection.state))
    async with platform_scope(session):
        return {ObjectionState(state): count for state, count in await session.execute(statement)}


async def repair(session: AsyncSession, viewer: Viewer, repair_id: UUID) -> RepairView:
    """Return a repair to its firm, to operator and regulator; to anybody else it is not there (`NotFound`)."""
    async with platform_scope(session):
        row = await session.get(Repair, repair_id)
    if row is None or not (viewer.organisation_id == row.firm_id or viewer.is_one_of(*OVERSEES)):
        raise NotFound
    return repair_of(row)


async def repairs(
    session: AsyncSession,
    viewer: Viewer,
    *,
    states: Sequence[RepairState] = (),
    cursor: str | None = None,
    limit: int = 50,
) -> Page[RepairView]:
    """Return a page of the repairs that the viewer may see, newest first; in some states, where they are named."""
    size = limit_of(limit)
    seen = true() if viewer.is_one_of(*OVERSEES) else col(Repair.firm_id) == viewer.organisation_id
    statement = (
        select(Repair).where(seen, col(Repair.id) < before_id(cursor)).order_by(col(Repair.id).desc()).limit(size + 1)
    )
    if states:
        statement = statement.where(col(Repair.state).in_([one.value for one in states]))
    async with platform_scope(session):
        rows = (await session.execute(statement)).scalars().all()
    return page_of([repair_of(row) for row in rows], limit=size, id_of=lambda view: view.id)


async def lateness(session: AsyncSession, viewer: Viewer, *, now: datetime) -> list[Lateness]:
    """Return who owes firms answers and how they stand, the latest first: for operator and regulator. Counts only."""
    requires_kind(viewer, *OVERSEES)
    today = business_date(now)
    owes = case((col(Objection.state) == ObjectionState.ASKED.value, col(Objection.sender_id)), else_=PLATFORM_ID)
    due_on = col(Objection.due_on)
    filed = select(owes, func.count(), func.count().filter(due_on < today), func.min(due_on)).where(
        col(Objection.settled_at).is_(None)
    )
    due_on = col(Repair.due_on)
    asked = select(literal(PLATFORM_ID), func.count(), func.count().filter(due_on < today), func.min(due_on)).where(
        col(Repair.settled_at).is_(None)
    )
    late = select(col(Objection.late_party_id), func.count()).where(col(Objection.late_party_id).is_not(None))
    late_repairs = select(literal(PLATFORM_ID), func.count()).where(col(Repair.overdue_at).is_not(None))
    async with platform_scope(session):
        owed = [*await session.execute(filed.group_by(owes)), *await session.execute(asked)]
        were_late = [
            *await session.execute(late.group_by(col(Objection.late_party_id))),
            *await session.execute(late_repairs),
        ]
    parties = {row[0] for row in (*owed, *were_late) if row[1]}
    found = [
        Lateness(
            party_id=party_id,
            open_count=sum(row[1] for row in owed if row[0] == party_id),
            overdue_count=sum(row[2] for row in owed if row[0] == party_id),
            late_count=sum(row[1] for row in were_late if row[0] == party_id),
            oldest_due_on=min((row[3] for row in owed if row[0] == party_id and row[3]), default=None),
        )
        for party_id in parties
    ]
    return sorted(found, key=lambda one: (-one.overdue_count, -one.late_count, one.party_id))


async def clock_on(session: AsyncSession, day: date) -> Clock:
    """Return how long answers may take by the policy in force on a day."""
    statement = (
        select(ClockPolicy)
        .where(col(ClockPolicy.effective_from) <= day)
        .order_by(col(ClockPolicy.effective_from).desc())
        .limit(1)
    )
    row = (await session.execute(statement)).scalars().one()
    return Clock(row.effective_from, row.objection_working_days, row.repair_working_days, row.max_open)


async def repair_rules_on(session: AsyncSession, day: date) -> tuple[RepairRule, ...]:
    """Return the rule of each severity in force on a day; none before the first order on repair."""

    async def read() -> tuple[RepairRule, ...]:
        statement = select(RepairRulePolicy).order_by(
            col(RepairRulePolicy.severity), col(RepairRulePolicy.effective_from)
        )
        rows = (await session.execute(statement)).scalars().all()
        return tuple(
            RepairRule(Severity(row.severity), row.effective_from, row.min_months, row.ends_use) for row in rows
        )

    versions = await read_reference(session, "objections.repair_rules", read)
    return tuple({one.severity: one for one in versions if one.effective_from <= day}.values())


async def open_cases(session: AsyncSession, firm_id: UUID) -> int:
    """Return how many objections and repairs of a firm wait for an answer."""
    filed = select(func.count()).where(col(Objection.firm_id) == firm_id, col(Objection.settled_at).is_(None))
    asked = select(func.count()).where(col(Repair.firm_id) == firm_id, col(Repair.settled_at).is_(None))
    return int((await session.execute(filed)).scalar_one() + (await session.execute(asked)).scalar_one())


def may_see(viewer: Viewer, row: Objection) -> bool:
    """Say whether the viewer is the firm, the sender that was asked, or oversees."""
    is_asked = row.asked_at is not None and viewer.organisation_id == row.sender_id
    return viewer.organisation_id == row.firm_id or is_asked or viewer.is_one_of(*OVERSEES)


def _seen_by(viewer: Viewer) -> ColumnElement[bool]:
    if viewer.is_one_of(*OVERSEES):
        return true()
    is_asked = (col(Objection.sender_id) == viewer.organisation_id) & col(Objection.asked_at).is_not(None)
    return or_(col(Objection.firm_id) == viewer.organisation_id, is_asked)


def ref_of(row: Objection | Repair) -> FactRef:
    """Return which fact a case is about."""
    return FactRef(FactKind(row.kind), row.firm_id, row.delivery_no, row.line_no)


def objection_of(row: Objection) -> ObjectionView:
    """Return an objection's row as a value."""
    return ObjectionView(
        id=ObjectionId(row.id),
        ref=ref_of(row),
        sender_id=row.sender_id,
        reason=ObjectionReason(row.reason),
        state=ObjectionState(row.state),
        document_ids=tuple(row.document_ids),
        filed_at=row.filed_at,
        accepted_at=row.accepted_at,
        asked_at=row.asked_at,
        decided_at=row.decided_at,
        closed_at=row.closed_at,
        due_on=row.due_on,
        is_due_provisional=row.is_due_provisional,
        overdue_at=row.overdue_at,
        late_party_id=row.late_party_id,
        remedy=Remedy(row.remedy) if row.remedy else None,
        refusal_code=ObjectionRefusal(row.refusal_code) if row.refusal_code else None,
    )


def repair_of(row: Repair) -> RepairView:
    """Return a repair's row as a value."""
    return RepairView(
        id=RepairId(row.id),
        ref=ref_of(row),
        severity=Severity(row.severity),
        listed_on=row.listed_on,
        state=RepairState(row.state),
        document_ids=tuple(row.document_ids),
        filed_at=row.filed_at,
        due_on=row.due_on,
        is_due_provisional=row.is_due_provisional,
        overdue_at=row.overdue_at,
        first_reviewed_by=row.first_reviewed_by,
        second_reviewed_by=row.second_reviewed_by,
        refusal_code=RepairRefusal(row.refusal_code) if row.refusal_code else None,
        settled_at=row.settled_at,
    )
