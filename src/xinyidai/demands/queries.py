"""Reads of demands: the firm sees its own, a lender sees what is open to it under a consent that still holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Row, bindparam, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import Purpose
from xinyidai.demands.models import Demand, DemandLimits, DemandReader, KnownExposure
from xinyidai.demands.rules import (
    ITEMS_OPENED_TO_LENDERS,
    DemandPolicy,
    DemandState,
    LoanUse,
    RepaymentKind,
)
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of

# Read with every look at a demand: through the classes, and built anew each time, it costs twice as much.
_DEMANDS = SQLModel.metadata.tables["demands.demand"]
_READERS = SQLModel.metadata.tables["demands.demand_reader"]
_DEMAND = select(_DEMANDS).where(_DEMANDS.c.id == bindparam("demand_id"))
_READER = select(_READERS.c.open_until, _READERS.c.closed_at.label("shut_at")).where(
    _READERS.c.demand_id == bindparam("demand_id"), _READERS.c.organisation_id == bindparam("organisation_id")
)
_DEMAND_AND_READER = _DEMAND.add_columns(*_READER.selected_columns).select_from(
    _DEMANDS.outerjoin(
        _READERS,
        (_READERS.c.demand_id == _DEMANDS.c.id) & (_READERS.c.organisation_id == bindparam("organisation_id")),
    )
)


@dataclass(frozen=True)
class DemandView:
    """A demand as it is now."""

    id: UUID
    firm_id: UUID
    amount_fen: int
    term_months: int
    use: LoanUse
    repayment_kind: RepaymentKind
    wanted_by: date
    state: DemandState
    created_at: datetime
    submitted_at: datetime | None
    closed_at: datetime | None
    expires_on: date


def view_of(row: Demand | Row[tuple[object, ...]]) -> DemandView:
    """Return the value of a row."""
    return DemandView(
        id=row.id,
        firm_id=row.firm_id,
        amount_fen=row.amount_fen,
        term_months=row.term_months,
        use=LoanUse(row.use_code),
        repayment_kind=RepaymentKind(row.repayment_kind),
        wanted_by=row.wanted_by,
        state=DemandState(row.state),
        created_at=row.created_at,
        submitted_at=row.submitted_at,
        closed_at=row.closed_at,
        expires_on=row.expires_on,
    )


async def demand(session: AsyncSession, viewer: Viewer, demand_id: UUID, *, now: datetime) -> DemandView:
    """Return a demand of the viewer's own, or one that is open to the viewer's organisation.

    For a lender both must hold at `now`: the reader row that a dispatch wrote, and the firm's consent. A revoked
    consent shuts the door at once, before any clean-up has run.

    Raises
    ------
    NotFound
        No such demand, or not the viewer's to see.
    """
    asked = {"demand_id": demand_id, "organisation_id": viewer.organisation_id}
    row = (await session.execute(_DEMAND_AND_READER, asked)).one_or_none()
    if row is None or not await _may_read(session, viewer, row, now=now):
        raise NotFound
    return view_of(row)


async def _may_read(session: AsyncSession, viewer: Viewer, row: Row[tuple[object, ...]], *, now: datetime) -> bool:
    if row.firm_id == viewer.organisation_id:
        return True
    if not viewer.is_one_of(OrganisationKind.LENDER) or not _is_open(row.open_until, row.shut_at, now):
        return False
    allowed = await consents.receivers_allowed(
        session,
        row.firm_id,
        purpose=Purpose.PRE_LOAN,
        item_codes=list(ITEMS_OPENED_TO_LENDERS),
        receiver_ids=[viewer.organisation_id],
        now=now,
    )
    return viewer.organisation_id in allowed


async def is_open_to(session: AsyncSession, viewer: Viewer, demand_id: UUID, *, now: datetime) -> bool:
    """Say whether a dispatch opened the demand to the viewer's organisation, and none closed it; no consent is asked.

    For a room that asks the consent for what it then reads.
    """
    asked = {"demand_id": demand_id, "organisation_id": viewer.organisation_id}
    reader = (await session.execute(_READER, asked)).one_or_none()
    return reader is not None and _is_open(reader.open_until, reader.shut_at, now)


def _is_open(open_until: datetime | None, shut_at: datetime | None, now: datetime) -> bool:
    return shut_at is None and open_until is not None and now < open_until


async def demand_by_id(session: AsyncSession, demand_id: UUID) -> DemandView | None:
    """Return a demand that the session's scope may see, for rooms above; asks for no consent."""
    row = (await session.execute(_DEMAND, {"demand_id": demand_id})).one_or_none()
    return None if row is None else view_of(row)


async def demands_of(
    session: AsyncSession,
    viewer: Viewer,
    *,
    states: Sequence[DemandState] = (),
    cursor: str | None = None,
    limit: int = 50,
) -> Page[DemandView]:
    """Return the viewer's own demands, oldest first, in the given states (all, when none is given)."""
    size = limit_of(limit)
    statement = (
        select(Demand)
        .where(col(Demand.firm_id) == viewer.organisation_id, col(Demand.id) > after_id(cursor))
        .order_by(col(Demand.id))
        .limit(size + 1)
    )
    if states:
        statement = statement.where(col(Demand.state).in_(list(states)))
    found = (await session.execute(statement)).scalars().all()
    return page_of([view_of(row) for row in found], limit=size, id_of=lambda view: view.id)


async def readers_of(session: AsyncSession, demand_id: UUID, *, now: datetime) -> frozenset[UUID]:
    """Return the organisations to which the demand is open at `now`, the consent left aside."""
    statement = select(col(DemandReader.organisation_id)).where(
        col(DemandReader.demand_id) == demand_id,
        col(DemandReader.closed_at).is_(None),
        col(DemandReader.open_until) > now,
    )
    return frozenset((await session.execute(statement)).scalars())


async def known_exposure_fen(session: AsyncSession, firm_id: UUID, *, known_at: datetime) -> int:
    """Return what the firm was known to owe on this platform at `known_at`, summed over its loans."""
    newest = (
        select(col(KnownExposure.outstanding_fen))
        .ext(distinct_on(col(KnownExposure.loan_id)))
        .where(col(KnownExposure.firm_id) == firm_id, col(KnownExposure.recorded_at) <= known_at)
        .order_by(col(KnownExposure.loan_id), col(KnownExposure.recorded_at).desc(), col(KnownExposure.id).desc())
        .subquery()
    )
    total = await session.execute(select(func.coalesce(func.sum(newest.c.outstanding_fen), 0)))
    return int(total.scalar_one())


async def limits_on(session: AsyncSession, day: date) -> DemandPolicy:
    """Return the limits in force on a day."""
    statement = (
        select(DemandLimits)
        .where(col(DemandLimits.effective_from) <= day)
        .order_by(col(DemandLimits.effective_from).desc())
        .limit(1)
    )
    row = (await session.execute(statement)).scalars().one()
    return DemandPolicy(row.effective_from, row.max_amount_fen, row.max_open_demands, row.max_drafts, row.lives_days)
