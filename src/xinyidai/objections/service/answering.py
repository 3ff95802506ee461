"""The operator's and the source's part: accept, ask, uphold with a correction, refuse."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.access.service import platform_scope
from xinyidai.documents import service as documents
from xinyidai.foundation.outbox import announce
from xinyidai.objections import queries
from xinyidai.objections.events import ObjectionUpheld
from xinyidai.objections.models import Objection
from xinyidai.objections.rules import (
    CorrectionRefused,
    InvoiceCorrection,
    ObjectionRefusal,
    ObjectionState,
    ObjectionView,
    Remedy,
    objection_moved,
    yuan_of,
)
from xinyidai.objections.service.desk import (
    OBJECTION,
    locked_objection,
    open_told,
    owners_of,
    requires_answering_desk,
    requires_operator_desk,
    write_down,
)
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources.queries import invoice_facts
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.service import receive_rows

KEY_DESTROYED = "key_destroyed"


async def accept_objection(
    session: AsyncSession, viewer: Viewer, objection_id: UUID, *, now: datetime
) -> ObjectionView:
    """Accept an objection for checking: it names a fact and can be checked. Locks the objection.

    Raises
    ------
    NotAllowed, NotFound, IllegalObjectionStep
    """
    requires_operator_desk(viewer, Role.OFFICER)
    async with platform_scope(session):
        row = await locked_objection(session, objection_id)
        row.state = objection_moved(ObjectionState(row.state), ObjectionState.ACCEPTED).value
        row.accepted_by, row.accepted_at = viewer.principal_id, now
        session.add(row)
    await write_down(session, viewer, row, "objections.accepted", now=now)
    return queries.objection_of(row)


async def ask_source(session: AsyncSession, viewer: Viewer, objection_id: UUID, *, now: datetime) -> ObjectionView:
    """Ask the fact's sender: from now on it sees the objection and its evidence, and owes the answer. Locks the row.

    Raises
    ------
    NotAllowed, NotFound, IllegalObjectionStep
    """
    requires_operator_desk(viewer, Role.OFFICER)
    async with platform_scope(session):
        row = await locked_objection(session, objection_id)
        row.state = objection_moved(ObjectionState(row.state), ObjectionState.ASKED).value
        row.asked_by, row.asked_at = viewer.principal_id, now
        session.add(row)
        await session.flush()
        await documents.open_further(
            session,
            owners_of(row),
            to={row.sender_id} - {PLATFORM_ID},
            object_kind=OBJECTION,
            object_id=row.id,
            now=now,
        )
    await write_down(session, viewer, row, "objections.asked", now=now)
    return queries.objection_of(row)


async def uphold_objection(
    session: AsyncSession,
    viewer: Viewer,
    objection_id: UUID,
    *,
    correction: InvoiceCorrection | None,
    now: datetime,
) -> ObjectionView:
    """Grant an objection: the source says what is right, or that the fact is void (no `correction`).

    The correction comes by the ordinary door of deliveries and supersedes the fact in the same transaction; where an
    ordinary one came before, none is needed. Locks the objection, then the door.

    Raises
    ------
    NotAllowed, NotFound, IllegalObjectionStep
    CorrectionRefused
        The door did not take it: for example the firm took its consent back. Nothing is written.
    DeliveryInProgress
        Another delivery is being taken in; try again.
    """
    async with platform_scope(session):
        row = await locked_objection(session, objection_id)
        requires_answering_desk(viewer, row)
        moved = objection_moved(ObjectionState(row.state), ObjectionState.UPHELD)
        remedy = Remedy.VOIDED if correction is None else Remedy.CORRECTED
        if await _is_superseded(session, row):
            remedy = Remedy.CORRECTED_BEFORE
        else:
            row.correction_id = await _correct(session, viewer, row, correction, now=now)
        row.state, row.remedy = moved.value, remedy.value
        row.decided_by = viewer.principal_id
        row.decided_at = row.settled_at = now
        session.add(row)
        await session.flush()
        await announce(session, ObjectionUpheld(str(row.id), str(row.firm_id), row.kind), occurred_at=now)
    await write_down(session, viewer, row, "objections.upheld", now=now)
    return queries.objection_of(row)


async def refuse_objection(
    session: AsyncSession, viewer: Viewer, objection_id: UUID, *, code: ObjectionRefusal, now: datetime
) -> ObjectionView:
    """Refuse an objection with a code: the operator one that cannot be checked, the source one that is not right.

    Locks the objection.

    Raises
    ------
    NotAllowed, NotFound, IllegalObjectionStep
    """
    async with platform_scope(session):
        row = await locked_objection(session, objection_id)
        if row.state == ObjectionState.FILED:
            requires_operator_desk(viewer, Role.OFFICER)
        else:
            requires_answering_desk(viewer, row)
        row.state = objection_moved(ObjectionState(row.state), ObjectionState.REFUSED).value
        row.refusal_code = code.value
        row.decided_by = viewer.principal_id
        row.decided_at = row.settled_at = now
        session.add(row)
    await write_down(session, viewer, row, "objections.refused", now=now)
    return queries.objection_of(row)


async def _is_superseded(session: AsyncSession, row: Objection) -> bool:
    return await invoice_facts.was_superseded(session, row.firm_id, delivery_no=row.delivery_no, line_no=row.line_no)


async def _correct(
    session: AsyncSession, viewer: Viewer, row: Objection, correction: InvoiceCorrection | None, *, now: datetime
) -> UUID:
    """Hand the corrected invoice over in the sender's name, and see that it replaced this fact and no other.

    Who pressed the button stands in the delivery and the audit row; whose fact it is to correct is the sender's.
    """
    told = await open_told(session, row)
    if told is None or told.fact is None:
        raise CorrectionRefused(faults=KEY_DESTROYED)
    firm = await parties.party(session, row.firm_id)
    sender = replace(viewer, organisation_id=row.sender_id)
    if row.sender_id != PLATFORM_ID:
        sender = replace(sender, organisation_kind=OrganisationKind.AGENCY)
    report = await receive_rows(
        session,
        sender,
        [_row_of(firm.credit_code or "", told.fact, correction)],
        kind=DeliveryKind.CORRECTION,
        occasion=f"objection:{row.id}",
        now=now,
    )
    if report.loaded != 1 or not await _is_superseded(session, row):
        raise CorrectionRefused(faults=", ".join(sorted(report.rejected)) or "another_fact")
    return report.delivery_id


def _row_of(
    credit_code: str, fact: Mapping[str, str], correction: InvoiceCorrection | None
) -> Mapping[str, str | None]:
    """Return the row of a correction: number and direction as they stand, all else as the source says."""
    row = {"credit_code": credit_code, "invoice_no": fact["invoice_no"], "direction": fact["direction"]}
    if correction is None:
        amounts = {name: int(fact[f"{name}_fen"]) for name in ("net", "tax", "gross")}
        row |= {"issued_on": fact["issued_on"], "counterparty": fact["counterparty"], "status": "void"}
    else:
        amounts = {"net": correction.net_fen, "tax": correction.tax_fen, "gross": correction.gross_fen}
        row |= {
            "issued_on": correction.issued_on.isoformat(),
            "counterparty": correction.counterparty,
            "status": "valid",
        }
    return row | {f"{name}_yuan": yuan_of(fen) for name, fen in amounts.items()}
