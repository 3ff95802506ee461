"""Parties by id and code, and the reference tables of regions, industries and sizes."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Row, any_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.foundation.database import driver, type_of_id
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import MAX_PAGE, Page, after_id, limit_of, page_of
from xinyidai.parties.models import (
    CodeException,
    DeclaredSize,
    Industry,
    Party,
    PartyRegion,
    Region,
    RegionSuccessor,
    SizeBound,
)
from xinyidai.parties.rules import (
    CodeExceptionView,
    IndustryUnknown,
    IndustryView,
    Measure,
    PartyId,
    PartyView,
    RegionKind,
    RegionOnDay,
    RegionUnknown,
    RegionView,
    SizeBounds,
    SizeIndustry,
    SizeTable,
    SizeVerdict,
    Successor,
    UserId,
    normalised_credit_code,
    region_on_day,
    size_verdict,
)

MAX_CODES = 10_000
_FIRMS = "SELECT credit_code, id FROM parties.party WHERE credit_code = ANY ($1) AND kind = ANY ($2)"

_NEWEST_REGION = (
    select(col(PartyRegion.region_code))
    .where(col(PartyRegion.party_id) == col(Party.id))
    .order_by(col(PartyRegion.valid_from).desc(), col(PartyRegion.recorded_at).desc())
    .limit(1)
    .scalar_subquery()
)
_NEWEST_STAFF = (
    select(col(DeclaredSize.staff))
    .where(col(DeclaredSize.party_id) == col(Party.id))
    .order_by(col(DeclaredSize.valid_from).desc(), col(DeclaredSize.recorded_at).desc())
    .limit(1)
    .scalar_subquery()
)
# Parties with their newest region and the staff they declared, as far as the viewer may see it. Of the table, not its
# class, and made once: any other way the most frequent look-up of all costs twice as much.
_PARTIES = select(
    SQLModel.metadata.tables["parties.party"],
    _NEWEST_REGION.label("region_code"),
    _NEWEST_STAFF.label("staff"),
)
_PARTIES_BY_ID = _PARTIES.where(col(Party.id) == any_(bindparam("party_ids", type_=ARRAY(type_of_id))))


async def party(session: AsyncSession, party_id: UUID) -> PartyView:
    """Return a party.

    Raises
    ------
    NotFound
        There is no such party.
    """
    found = await parties_by_id(session, [party_id])
    if not found:
        raise NotFound
    return found[PartyId(party_id)]


async def parties_by_id(session: AsyncSession, party_ids: Iterable[UUID]) -> dict[PartyId, PartyView]:
    """Return those of the parties that exist, by id."""
    found = await session.execute(_PARTIES_BY_ID, {"party_ids": list(party_ids)})
    return {view.id: view for view in map(_view, found)}


async def parties_by_credit_code(session: AsyncSession, codes: Sequence[str]) -> dict[str, PartyView]:
    """Return those of the parties that are registered, by their code as stored; at most MAX_CODES are asked."""
    if len(codes) > MAX_CODES:
        raise ValueError(f"at most {MAX_CODES} codes")
    wanted = [normalised_credit_code(code) for code in codes]
    found = await session.execute(_PARTIES.where(col(Party.credit_code).in_(wanted)))
    return {view.credit_code: view for view in map(_view, found) if view.credit_code}


async def firms_by_credit_code(session: AsyncSession, codes: Sequence[str]) -> dict[str, UUID]:
    """Return the ids of those of the codes, as stored, that are a firm's or a sole trader's; of any number."""
    kinds = [OrganisationKind.FIRM.value, OrganisationKind.SOLE_TRADER.value]
    found = await (await driver(session)).fetch(_FIRMS, list(codes), kinds)
    return {row["credit_code"]: row["id"] for row in found}


async def party_page(
    session: AsyncSession, *, kind: OrganisationKind, cursor: str | None, limit: int
) -> Page[PartyView]:
    """Return one page of the parties of a kind."""
    asked = limit_of(limit)
    statement = (
        _PARTIES.where(col(Party.kind) == kind, col(Party.id) > after_id(cursor))
        .order_by(col(Party.id))
        .limit(asked + 1)
    )
    return page_of([_view(row) for row in await session.execute(statement)], limit=asked, id_of=lambda view: view.id)


async def regions_on(
    session: AsyncSession, day: date, *, with_zones: bool = False, known_at: datetime | None = None
) -> list[RegionView]:
    """Return the districts and counties of a day, by code, as believed now or at `known_at`.

    There are 38 before 2025-11-06 and 37 since; zones are reporting units inside them and come only when asked for.
    Days before 2017 are not covered.
    """
    statement = select(Region).where(*_stands(day), *_believed(known_at)).order_by(col(Region.code))
    views = [_region_view(row) for row in (await session.execute(statement)).scalars()]
    return [view for view in views if with_zones or view.is_unit]


async def region(session: AsyncSession, code: str, *, on: date) -> RegionView:
    """Return a region as it stands on a day.

    Raises
    ------
    RegionUnknown
        There is none by that code on that day.
    """
    found = await session.execute(select(Region).where(col(Region.code) == code, *_stands(on), *_believed(None)))
    row = found.scalar_one_or_none()
    if row is None:
        raise RegionUnknown(region_code=code[:20], on=on.isoformat())
    return _region_view(row)


async def region_on(session: AsyncSession, code: str, day: date) -> RegionOnDay:
    """Say which region an earlier code stands for on a day, or between which it cannot be told."""
    return region_on_day(code, tuple(await successors(session)), day=day)


async def successors(session: AsyncSession) -> list[Successor]:
    """Return what became of regions whose boundaries changed; a share no source gives is None."""
    rows = await session.execute(
        select(RegionSuccessor).order_by(col(RegionSuccessor.from_code), col(RegionSuccessor.to_code))
    )
    return [Successor(row.from_code, row.to_code, row.changed_on, row.share_ppm, row.note) for row in rows.scalars()]


async def industries_on(session: AsyncSession, day: date) -> list[IndustryView]:
    """Return the industry sections in force on a day, by letter."""
    rows = await session.execute(
        select(Industry)
        .where(
            col(Industry.valid_from) <= day,
            or_(col(Industry.valid_to).is_(None), col(Industry.valid_to) > day),
        )
        .order_by(col(Industry.code))
    )
    return [
        IndustryView(row.code, row.name_zh, row.name_en, row.first_division, row.last_division)
        for row in rows.scalars()
    ]


async def industry_of(session: AsyncSession, industry_code: str, *, on: date) -> IndustryView:
    """Return the section of an industry code such as ``"C"``, ``"C13"`` or ``"C1311"``.

    Raises
    ------
    IndustryUnknown
        Not such a code, no such section, or a division that is not of the section.
    """
    for section in await industries_on(session, on):
        if section.holds(industry_code):
            return section
    raise IndustryUnknown(industry_code=industry_code[:20])


async def size_bounds(session: AsyncSession, on: date) -> SizeTable:
    """Return the size standard in force on a day; it has nothing before 2011-06-18."""
    rows = list(
        (
            await session.execute(
                select(SizeBound).where(
                    col(SizeBound.valid_from) <= on,
                    or_(col(SizeBound.valid_to).is_(None), col(SizeBound.valid_to) > on),
                )
            )
        ).scalars()
    )
    bounds: dict[SizeIndustry, dict[Measure, SizeBounds]] = {}
    for row in rows:
        one = SizeBounds(row.large_from, row.medium_from, row.small_from)
        bounds.setdefault(SizeIndustry(row.size_industry), {})[Measure(row.measure)] = one
    return SizeTable(
        bounds,
        max((row.valid_from for row in rows), default=None),
        bool(rows) and all(row.is_verified for row in rows),
    )


async def size_class(session: AsyncSession, party_id: UUID, on: date) -> SizeVerdict:
    """Return a party's size class on a day from its newest declaration valid by then, as far as the viewer sees it."""
    view = await party(session, party_id)
    newest = (
        select(DeclaredSize)
        .where(col(DeclaredSize.party_id) == party_id, col(DeclaredSize.valid_from) <= on)
        .order_by(col(DeclaredSize.valid_from).desc(), col(DeclaredSize.recorded_at).desc())
        .limit(1)
    )
    declared = (await session.execute(newest)).scalar_one_or_none()
    figures = {
        Measure.STAFF: declared.staff if declared else None,
        Measure.REVENUE: declared.revenue_fen if declared else None,
        Measure.ASSETS: declared.assets_fen if declared else None,
    }
    return size_verdict(view.industry_code, figures, await size_bounds(session, on))


def _stands(day: date) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Region.valid_from) <= day,
        or_(col(Region.valid_to).is_(None), col(Region.valid_to) > day),
    )


def _believed(known_at: datetime | None) -> tuple[ColumnElement[bool], ...]:
    if known_at is None:
        return (col(Region.superseded_at).is_(None),)
    return (
        col(Region.recorded_at) <= known_at,
        or_(col(Region.superseded_at).is_(None), col(Region.superseded_at) > known_at),
    )


def _region_view(row: Region) -> RegionView:
    return RegionView(
        code=row.code,
        name_zh=row.name_zh,
        name_en=row.name_en,
        kind=RegionKind(row.kind),
        gb_code=row.gb_code,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        note=row.note,
    )


def _view(row: Row[tuple[object, ...]]) -> PartyView:
    return PartyView(
        id=PartyId(row.id),
        kind=OrganisationKind(row.kind),
        name=row.name,
        credit_code=row.credit_code,
        region_code=row.region_code,
        industry_code=row.industry_code,
        established_on=row.established_on,
        staff=row.staff,
        is_simulated=row.is_simulated,
        registered_at=row.registered_at,
    )


async def code_exceptions_waiting(session: AsyncSession, viewer: Viewer) -> list[CodeExceptionView]:
    """Return the legal exceptions that wait for a second person of the operator's, oldest first."""
    requires_kind(viewer, OrganisationKind.OPERATOR)
    statement = (
        select(CodeException)
        .where(
            col(CodeException.approved_by).is_(None),
            col(CodeException.proposed_by).is_not(None),
            col(CodeException.valid_to).is_(None),
        )
        .order_by(col(CodeException.id))
        .limit(MAX_PAGE)
    )
    return [
        CodeExceptionView(row.id, row.credit_code, row.reason, UserId(row.proposed_by), row.proposed_at)
        for row in (await session.execute(statement)).scalars()
        if row.proposed_by is not None
    ]
