"""What every verb of objections shares: who may act, the locked row, what a firm said under its key, the trail."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    Viewer,
    requires_a_person,
    requires_kind,
    requires_role,
    requires_scope,
)
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.decisions import service as decisions
from xinyidai.foundation.canonical import canonical_bytes
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.errors import NotFound
from xinyidai.objections import queries
from xinyidai.objections.models import Objection, Repair
from xinyidai.objections.rules import Clock, Told, TooManyObjections

WRITES: Final = "objections:write"
READS: Final = "objections:read"
OBJECTION: Final = "objection"
REPAIR: Final = "repair"
FIRMS: Final = (OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)


def requires_firm_desk(viewer: Viewer) -> None:
    """Refuse who is no owner or officer of a firm, nor a firm's client with the scope."""
    requires_kind(viewer, *FIRMS)
    requires_scope(viewer, WRITES)
    if viewer.principal_kind is not PrincipalKind.CLIENT:
        requires_role(viewer, Role.OWNER, Role.OFFICER)


def requires_operator_desk(viewer: Viewer, *roles: Role) -> None:
    """Refuse who is no person of the operator with one of the roles."""
    requires_kind(viewer, OrganisationKind.OPERATOR)
    requires_a_person(viewer)
    requires_role(viewer, *roles)


def requires_answering_desk(viewer: Viewer, row: Objection) -> None:
    """Refuse who may not answer for the source: its own officer or client, or the operator's officer for it."""
    if viewer.is_one_of(OrganisationKind.OPERATOR):
        requires_operator_desk(viewer, Role.OFFICER)
        return
    if viewer.organisation_id != row.sender_id:
        raise NotFound
    requires_kind(viewer, OrganisationKind.AGENCY)
    requires_scope(viewer, WRITES)
    if viewer.principal_kind is not PrincipalKind.CLIENT:
        requires_role(viewer, Role.OFFICER, Role.ADMIN)


async def requires_room_for_one(session: AsyncSession, firm_id: UUID, clock: Clock) -> None:
    """Refuse with `TooManyObjections` a firm that has as many open cases as it may. Locks the firm's cases."""
    await lock_key(session, f"objections:{firm_id}")
    if await queries.open_cases(session, firm_id) >= clock.max_open:
        raise TooManyObjections(most=clock.max_open)


async def locked_objection(session: AsyncSession, objection_id: UUID) -> Objection:
    """Lock an objection until the transaction ends; `NotFound` where there is none. Needs platform scope."""
    row = await session.get(Objection, objection_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    return row


async def locked_repair(session: AsyncSession, repair_id: UUID) -> Repair:
    """Lock a repair until the transaction ends; `NotFound` where there is none. Needs platform scope."""
    row = await session.get(Repair, repair_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    return row


async def seal_told(
    session: AsyncSession,
    case_id: UUID,
    firm_id: UUID,
    text: str,
    fact: Mapping[str, str] | None,
    *,
    now: datetime,
) -> tuple[UUID, bytes]:
    """Seal what a firm said, and what the fact says, under the firm's key; return key id and ciphertext."""
    plain = canonical_bytes({"text": text, "fact": dict(fact) if fact is not None else None})
    async with platform_scope(session):
        sealed = await decisions.seal_for(session, {firm_id: plain}, bound_to=_bound_to(case_id), now=now)
    return sealed[firm_id]


async def open_told(session: AsyncSession, row: Objection | Repair) -> Told | None:
    """Open what `seal_told` sealed; None once the firm's key is destroyed. Needs platform scope."""
    plain = await decisions.open_for(session, row.key_id, row.firm_id, row.told_sealed, bound_to=_bound_to(row.id))
    if plain is None:
        return None
    told = json.loads(plain)
    return Told(told["text"], told["fact"])


def _bound_to(case_id: UUID) -> bytes:
    return b"objection:" + case_id.bytes


async def write_down(
    session: AsyncSession, viewer: Viewer | None, row: Objection | Repair, action: str, *, now: datetime
) -> None:
    """Leave the audit row of an act on a case."""
    async with platform_scope(session):
        await audit.write_down(
            session,
            viewer,
            action=action,
            subject_ids=[row.firm_id],
            object_kind=OBJECTION if isinstance(row, Objection) else REPAIR,
            object_id=str(row.id),
            now=now,
        )


def owners_of(row: Objection | Repair) -> dict[UUID, UUID]:
    """Return whose the documents of a case are."""
    return dict.fromkeys(row.document_ids, row.firm_id)


def requires_own(viewer: Viewer, row: Objection | Repair) -> None:
    """Refuse another firm's case as if it were not there."""
    if viewer.organisation_id != row.firm_id:
        raise NotFound
