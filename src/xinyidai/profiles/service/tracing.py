"""Showing what figures rest on and what facts touched; every look leaves an audit row."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing, Permission, Purpose
from xinyidai.foundation.clock import business_date, start_of_day
from xinyidai.foundation.errors import NotFound, ValueRefused
from xinyidai.parties.rules import PLATFORM_ID, PartyId
from xinyidai.profiles import queries
from xinyidai.profiles.rules.lineage import Impact, IndicatorLineage, ItemLineage
from xinyidai.profiles.rules.readings import INVOICES
from xinyidai.sources.rules.origins import FactRef
from xinyidai.sources.rules.records.kinds import KINDS

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


async def show_lineage(
    session: AsyncSession,
    viewer: Viewer | None,
    code: str,
    *,
    firm_id: UUID,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    cursor: str | None = None,
    limit: int = 50,
    now: datetime,
) -> IndicatorLineage:
    """Show what an indicator of a firm rests on; one audit row. See `queries.lineage`.

    `viewer` None is the platform itself, in platform scope. Without moments it is of today, as known now.

    Raises
    ------
    NotFound, NotAllowed, ConsentMissing
        Another firm's data; nobody who may trace; no consent in force for the platform, or for the lender that asks.
    ValueRefused
        No such indicator, or a moment in the future, before 1970 or without a time zone.
    """
    moment, known = as_of or _today(now), known_at or now
    for field, told in (("as_of", moment), ("known_at", known)):
        if told.tzinfo is None:
            raise ValueRefused(field=field, why="without a time zone")
        if not _EARLIEST <= told <= now:
            raise ValueRefused(field=field, why="in the future, or before 1970")
    try:
        permission = await _permission_to_trace(session, viewer, firm_id, INVOICES, now=now)
    except ConsentMissing:
        left = None
        if _is_platform(viewer):
            left = await queries.purged_lineage(session, code, firm_id=firm_id, as_of=moment, known_at=known)
        if left is None:
            raise
        return left
    found = await queries.lineage(
        session, permission, code, firm_id=firm_id, as_of=moment, known_at=known, cursor=cursor, limit=limit
    )
    await _write_down_tracing(session, viewer, permission, "lineage", object_kind="indicator", object_id=code)
    return found


async def show_item(
    session: AsyncSession,
    viewer: Viewer | None,
    code: str,
    *,
    firm_id: UUID,
    known_at: datetime | None = None,
    limit: int = 50,
    now: datetime,
) -> ItemLineage:
    """Show what records of an item a firm has and where they came from; one audit row. See `queries.item_lineage`.

    Raises
    ------
    NotFound, NotAllowed, ConsentMissing, ValueRefused
        As of `show_lineage`.
    """
    known = known_at or now
    if known.tzinfo is None or not _EARLIEST <= known <= now:
        raise ValueRefused(field="known_at", why="in the future, before 1970 or without a time zone")
    if code not in KINDS:
        raise ValueRefused(field="item", why="no records are kept of it")
    permission = await _permission_to_trace(session, viewer, firm_id, code, now=now)
    found = await queries.item_lineage(session, permission, code, firm_id=firm_id, known_at=known, limit=limit)
    await _write_down_tracing(session, viewer, permission, "lineage", object_kind="item", object_id=code)
    return found


async def show_impact(session: AsyncSession, viewer: Viewer | None, ref: FactRef, *, now: datetime) -> Impact:
    """Show all that a fact touched; one audit row. See `queries.impact`.

    The operator, and the platform itself (`viewer` None), see the decisions about the firm and who was shown its
    profile; a firm its own; a lender only what was shown to it.

    Raises
    ------
    NotFound, NotAllowed, ConsentMissing
        As of `show_lineage`; or there is no such fact.
    """
    try:
        permission = await _permission_to_trace(session, viewer, ref.firm_id, ref.item_code, now=now)
    except ConsentMissing as missing:
        if not _is_platform(viewer):
            raise
        try:
            return await queries.purged_impact(session, ref)
        except NotFound:
            raise missing from None
    if viewer is None or viewer.is_one_of(OrganisationKind.OPERATOR):
        async with platform_scope(session):
            found = await queries.impact(session, permission, ref)
    else:
        found = await queries.impact(session, permission, ref)
    await _write_down_tracing(session, viewer, permission, "impact", object_kind="fact", object_id=str(ref))
    return found


def _is_platform(viewer: Viewer | None) -> bool:
    """Say whether the platform asks: a tombstone is its own word of what it let go, and no firm's data."""
    return viewer is None or viewer.is_one_of(OrganisationKind.OPERATOR)


async def _permission_to_trace(
    session: AsyncSession, viewer: Viewer | None, firm_id: UUID, item_code: str, *, now: datetime
) -> Permission:
    """Return on what right a firm's facts are traced: its own, or a consent that names the platform or the lender."""
    if viewer is not None and viewer.is_one_of(OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER):
        if firm_id != viewer.organisation_id:
            raise NotFound
        return await consents.require_own(session, viewer, item_codes=[item_code], now=now)
    receiver_id = PLATFORM_ID
    if viewer is not None and not viewer.is_one_of(OrganisationKind.OPERATOR):
        requires_kind(viewer, OrganisationKind.LENDER, OrganisationKind.GUARANTOR)
        receiver_id = PartyId(viewer.organisation_id)
    return await consents.require(
        session,
        receiver_id=receiver_id,
        subject_ids=[firm_id],
        purpose=Purpose.PRE_LOAN,
        item_codes=[item_code],
        now=now,
    )


async def _write_down_tracing(
    session: AsyncSession,
    viewer: Viewer | None,
    permission: Permission,
    what: str,
    *,
    object_kind: str,
    object_id: str,
) -> None:
    await audit.write_down(
        session,
        viewer,
        action=f"profiles.{what}_shown",
        subject_ids=sorted(permission.subject_ids),
        object_kind=object_kind,
        object_id=object_id,
        now=permission.at,
        purpose=permission.purpose.value,
        consent_ids=permission.consent_ids,
    )


def _today(now: datetime) -> datetime:
    return start_of_day(business_date(now))
