"""Looking into a case, which leaves an audit row: what the firm said is for the firm and for who checks it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.access.service import platform_scope
from xinyidai.objections import queries
from xinyidai.objections.models import Objection, Repair
from xinyidai.objections.rules import ObjectionView, Told
from xinyidai.objections.rules.repairs import RepairView
from xinyidai.objections.service.desk import open_told, write_down


async def read_objection(
    session: AsyncSession, viewer: Viewer, objection_id: UUID, *, now: datetime
) -> tuple[ObjectionView, Told | None]:
    """Return an objection and what was said, to its firm, its asked sender and the operator; one audit row.

    The regulator sees the case and not the texts: None, as once the firm's key is destroyed.

    Raises
    ------
    NotFound
    """
    view = await queries.objection(session, viewer, objection_id)
    async with platform_scope(session):
        row = await session.get_one(Objection, objection_id)
        told = None if viewer.is_one_of(OrganisationKind.REGULATOR) else await open_told(session, row)
    await write_down(session, viewer, row, "objections.read", now=now)
    return view, told


async def read_repair(
    session: AsyncSession, viewer: Viewer, repair_id: UUID, *, now: datetime
) -> tuple[RepairView, Told | None]:
    """Return a repair and what was said, to its firm and the operator; one audit row. The regulator sees no text.

    Raises
    ------
    NotFound
    """
    view = await queries.repair(session, viewer, repair_id)
    async with platform_scope(session):
        row = await session.get_one(Repair, repair_id)
        told = None if viewer.is_one_of(OrganisationKind.REGULATOR) else await open_told(session, row)
    await write_down(session, viewer, row, "objections.repair_read", now=now)
    return view, told
