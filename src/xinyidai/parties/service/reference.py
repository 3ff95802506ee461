"""Keeping the reference tables: legal exceptions to the check digit, and corrections of regions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Role, Viewer, requires_kind, requires_role, requires_two_people
from xinyidai.audit import service as audit
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound, ValueRefused
from xinyidai.foundation.ids import new_id
from xinyidai.parties import queries
from xinyidai.parties.models import CodeException, Region
from xinyidai.parties.rules import ExceptionNotNeeded, ExceptionStands, check_digit_holds, normalised_credit_code
from xinyidai.parties.rules.regions import RegionView

MIN_REASON = 10
MAX_REASON = 500


async def propose_code_exception(
    session: AsyncSession, viewer: Viewer, *, credit_code: str, reason: str, now: datetime
) -> UUID:
    """Propose to admit a legal code whose check digit fails, with the evidence in words; it counts once approved.

    Raises
    ------
    ExceptionNotNeeded
        The check digit is right.
    ExceptionStands
        The code is proposed or admitted already.
    """
    requires_kind(viewer, OrganisationKind.OPERATOR)
    requires_role(viewer, Role.OFFICER)
    code = normalised_credit_code(credit_code)
    if check_digit_holds(code):
        raise ExceptionNotNeeded
    if not MIN_REASON <= len(reason.strip()) <= MAX_REASON:
        raise ValueRefused(field="reason", why=f"{MIN_REASON}..{MAX_REASON} characters")
    exception_id = new_id()
    row = {
        "id": exception_id,
        "credit_code": code,
        "reason": reason.strip(),
        "valid_from": business_date(now),
        "proposed_by": viewer.principal_id,
        "proposed_at": now,
    }
    statement = insert(CodeException).values(row).on_conflict_do_nothing().returning(col(CodeException.id))
    if (await session.execute(statement)).scalar_one_or_none() is None:
        raise ExceptionStands
    await _write_down(session, viewer, "parties.code_exception_proposed", "code_exception", str(exception_id), now=now)
    return exception_id


async def approve_code_exception(session: AsyncSession, viewer: Viewer, exception_id: UUID, *, now: datetime) -> None:
    """Admit a proposed code: a second person of the operator's does.

    Raises
    ------
    SamePersonTwice
        The approver is who proposed it.
    ExceptionStands
        It was approved before.
    """
    requires_kind(viewer, OrganisationKind.OPERATOR)
    requires_role(viewer, Role.APPROVER)
    row = await session.get(CodeException, exception_id, with_for_update=True)
    if row is None or row.proposed_by is None:
        raise NotFound
    if row.approved_by is not None:
        raise ExceptionStands
    requires_two_people(row.proposed_by, viewer.principal_id)
    row.approved_by = viewer.principal_id
    row.approved_at = now
    session.add(row)
    await session.flush()
    await _write_down(session, viewer, "parties.code_exception_approved", "code_exception", str(row.id), now=now)


async def correct_region(
    session: AsyncSession,
    viewer: Viewer,
    *,
    code: str,
    gb_code: str,
    note: str,
    now: datetime,
) -> RegionView:
    """Record the official code of a region that has only a local one; the earlier belief stays readable.

    Raises
    ------
    RegionUnknown
        There is no such region today.
    """
    requires_kind(viewer, OrganisationKind.OPERATOR)
    requires_role(viewer, Role.ADMIN)
    if not (len(gb_code) == 6 and gb_code.isascii() and gb_code.isdigit()):
        raise ValueRefused(field="gb_code", why="six digits")
    today = business_date(now)
    current = await queries.region(session, code, on=today)
    believed = (
        await session.execute(
            select(Region)
            .where(
                col(Region.code) == code,
                col(Region.valid_from) == current.valid_from,
                col(Region.superseded_at).is_(None),
            )
            .with_for_update()
        )
    ).scalar_one()
    believed.superseded_at = now
    session.add(believed)
    await session.flush()
    session.add(
        Region(
            code=code,
            valid_from=believed.valid_from,
            valid_to=believed.valid_to,
            recorded_at=now,
            name_zh=believed.name_zh,
            name_en=believed.name_en,
            kind=believed.kind,
            gb_code=gb_code,
            note=note[:MAX_REASON],
        )
    )
    await session.flush()
    await _write_down(session, viewer, "parties.region_corrected", "region", code, now=now)
    return await queries.region(session, code, on=today)


async def _write_down(
    session: AsyncSession, viewer: Viewer, action: str, object_kind: str, object_id: str, *, now: datetime
) -> None:
    await audit.write_down(
        session, viewer, action=action, subject_ids=[], object_kind=object_kind, object_id=object_id, now=now
    )
