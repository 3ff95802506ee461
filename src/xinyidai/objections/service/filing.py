"""What the firm does: dispute a fact, take an objection back, close one that was answered."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.documents import service as documents
from xinyidai.foundation.calendar import add_working_days
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.ids import new_id
from xinyidai.objections import queries
from xinyidai.objections.models import Objection
from xinyidai.objections.rules import (
    DISPUTABLE,
    AlreadyDisputed,
    FactRef,
    FactSuperseded,
    NotDisputable,
    ObjectionReason,
    ObjectionState,
    ObjectionView,
    check_told,
    objection_moved,
)
from xinyidai.objections.service.desk import (
    OBJECTION,
    locked_objection,
    requires_firm_desk,
    requires_operator_desk,
    requires_own,
    requires_room_for_one,
    seal_told,
    write_down,
)
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources.queries import invoice_facts
from xinyidai.sources.queries.invoice_facts import InvoiceRecord


async def list_invoices(
    session: AsyncSession, viewer: Viewer, *, invoice_no: str, now: datetime
) -> list[InvoiceRecord]:
    """Show a firm its newest invoices, or those of a number, to point at one; one audit row."""
    requires_firm_desk(viewer)
    found = await invoice_facts.own_invoices(session, viewer, invoice_no=invoice_no)
    await _note_look(session, viewer, "invoices", "", now=now)
    return found


async def show_invoice(
    session: AsyncSession, viewer: Viewer, *, delivery_no: int, line_no: int, now: datetime
) -> InvoiceRecord:
    """Show a firm one of its invoices; one audit row. What is another's is not there (`NotFound`)."""
    requires_firm_desk(viewer)
    found = await invoice_facts.own_invoice(session, viewer, delivery_no=delivery_no, line_no=line_no)
    await _note_look(session, viewer, "invoice", f"{delivery_no}:{line_no}", now=now)
    return found


async def _note_look(session: AsyncSession, viewer: Viewer, object_kind: str, object_id: str, *, now: datetime) -> None:
    await audit.write_down(
        session,
        viewer,
        action="objections.facts_listed",
        subject_ids=[viewer.organisation_id],
        object_kind=object_kind,
        object_id=object_id,
        now=now,
    )


async def file_objection(
    session: AsyncSession,
    viewer: Viewer,
    ref: FactRef,
    *,
    reason: ObjectionReason,
    text: str,
    document_ids: Sequence[UUID] = (),
    now: datetime,
) -> ObjectionView:
    """Dispute one fact of the viewer's own firm. The fact is marked from now on; its sender is not told yet.

    Evidence is opened to the operator. Locks the firm's cases, then the documents.

    Raises
    ------
    NotAllowed, NotFound
        No owner or officer of a firm; the fact or a document is not there, or not the firm's.
    NotDisputable, FactSuperseded, AlreadyDisputed, TooManyObjections, ObjectionTextRefused, TooMuchEvidence
    """
    requires_firm_desk(viewer)
    if ref.kind not in DISPUTABLE:
        raise NotDisputable(kind=ref.kind.value)
    said = check_told(text, len(set(document_ids)))
    fact = await invoice_facts.own_invoice(session, viewer, delivery_no=ref.delivery_no, line_no=ref.line_no)
    if fact.superseded_at is not None:
        raise FactSuperseded
    clock = await queries.clock_on(session, business_date(now))
    await requires_room_for_one(session, viewer.organisation_id, clock)
    if await _is_disputed(session, ref):
        raise AlreadyDisputed
    due = add_working_days(business_date(now), clock.objection_working_days)
    case_id = new_id()
    key_id, told_sealed = await seal_told(session, case_id, viewer.organisation_id, said, fact.texts(), now=now)
    row = Objection(
        id=case_id,
        firm_id=viewer.organisation_id,
        kind=ref.kind.value,
        delivery_no=ref.delivery_no,
        line_no=ref.line_no,
        sender_id=await invoice_facts.sender_of(session, ref.delivery_no),
        reason=reason.value,
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
        session, viewer, row.document_ids, to=[PLATFORM_ID], object_kind=OBJECTION, object_id=row.id, now=now
    )
    await write_down(session, viewer, row, "objections.filed", now=now)
    return queries.objection_of(row)


async def withdraw_objection(
    session: AsyncSession, viewer: Viewer, objection_id: UUID, *, now: datetime
) -> ObjectionView:
    """Take back an objection that is not answered; the fact is disputed no longer. Locks the objection.

    Raises
    ------
    NotAllowed, NotFound, IllegalObjectionStep
    """
    requires_firm_desk(viewer)
    async with platform_scope(session):
        row = await locked_objection(session, objection_id)
        requires_own(viewer, row)
        row.state = objection_moved(ObjectionState(row.state), ObjectionState.WITHDRAWN).value
        row.settled_at = row.closed_at = now
        row.closed_by = viewer.principal_id
        session.add(row)
        await session.flush()
        await documents.close_case(session, object_kind=OBJECTION, object_id=row.id, now=now)
    await write_down(session, viewer, row, "objections.withdrawn", now=now)
    return queries.objection_of(row)


async def close_objection(session: AsyncSession, viewer: Viewer, objection_id: UUID, *, now: datetime) -> ObjectionView:
    """Close an answered objection: by its firm, which has read the answer, or by the operator. Locks the objection.

    Its documents are the firm's alone again.

    Raises
    ------
    NotAllowed, NotFound, IllegalObjectionStep
    """
    is_operator = viewer.is_one_of(OrganisationKind.OPERATOR)
    if is_operator:
        requires_operator_desk(viewer, Role.OFFICER)
    else:
        requires_firm_desk(viewer)
    async with platform_scope(session):
        row = await locked_objection(session, objection_id)
        if not is_operator:
            requires_own(viewer, row)
        row.state = objection_moved(ObjectionState(row.state), ObjectionState.CLOSED).value
        row.closed_by, row.closed_at = viewer.principal_id, now
        session.add(row)
        await session.flush()
        await documents.close_case(session, object_kind=OBJECTION, object_id=row.id, now=now)
    await write_down(session, viewer, row, "objections.closed", now=now)
    return queries.objection_of(row)


async def _is_disputed(session: AsyncSession, ref: FactRef) -> bool:
    statement = select(col(Objection.id)).where(
        col(Objection.firm_id) == ref.firm_id,
        col(Objection.kind) == ref.kind.value,
        col(Objection.delivery_no) == ref.delivery_no,
        col(Objection.line_no) == ref.line_no,
        col(Objection.settled_at).is_(None),
    )
    return (await session.execute(statement)).first() is not None
