"""Reads of matching: limits, dispatches, offers. Row scope is in the query and in row-level security."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of
from xinyidai.matching.models import Dispatch, Matching, MatchingLimits, Offer, OfferStanding
from xinyidai.matching.rules.offers import MatchingPolicy
from xinyidai.matching.rules.states import (
    TAKEN,
    DeclineReason,
    DispatchPath,
    DispatchState,
    OfferEnd,
    OfferState,
)


@dataclass(frozen=True)
class DispatchView:
    """One demand before one lender."""

    id: UUID
    demand_id: UUID
    firm_id: UUID
    lender_id: UUID
    product_id: UUID
    path: DispatchPath
    state: DispatchState
    sent_at: datetime | None
    due_on: date
    is_due_provisional: bool
    decline_reason: DeclineReason | None
    replaced_by: UUID | None


@dataclass(frozen=True)
class OfferView:
    """An offer and where it stands."""

    id: UUID
    dispatch_id: UUID
    demand_id: UUID
    firm_id: UUID
    lender_id: UUID
    product_id: UUID
    amount_fen: int
    rate_bp: int
    term_months: int
    repayment_kind: RepaymentKind
    total_interest_fen: int
    requires_cover: bool
    valid_until: datetime
    made_by: UUID
    made_at: datetime
    state: OfferState
    end_code: OfferEnd | None
    approved_by: UUID | None
    accepted_at: datetime | None
    disburse_by: date | None
    reservation_id: UUID | None


@dataclass(frozen=True)
class AcceptedOffer:
    """What the loan is made from."""

    offer_id: UUID
    demand_id: UUID
    firm_id: UUID
    lender_id: UUID
    product_id: UUID
    amount_fen: int
    rate_bp: int
    term_months: int
    repayment_kind: RepaymentKind
    accepted_at: datetime
    disburse_by: date
    reservation_id: UUID | None


def dispatch_view(row: Dispatch) -> DispatchView:
    """Return a dispatch's row as a value."""
    return DispatchView(
        id=row.id,
        demand_id=row.demand_id,
        firm_id=row.firm_id,
        lender_id=row.lender_id,
        product_id=row.product_id,
        path=DispatchPath(row.path),
        state=DispatchState(row.state),
        sent_at=row.sent_at,
        due_on=row.due_on,
        is_due_provisional=row.is_due_provisional,
        decline_reason=None if row.decline_code is None else DeclineReason(row.decline_code),
        replaced_by=row.replaced_by,
    )


def offer_view(row: Offer, standing: OfferStanding) -> OfferView:
    """Return an offer's two rows as a value."""
    return OfferView(
        id=row.id,
        dispatch_id=row.dispatch_id,
        demand_id=row.demand_id,
        firm_id=row.firm_id,
        lender_id=row.lender_id,
        product_id=row.product_id,
        amount_fen=row.amount_fen,
        rate_bp=row.rate_bp,
        term_months=row.term_months,
        repayment_kind=RepaymentKind(row.repayment_kind),
        total_interest_fen=row.total_interest_fen,
        requires_cover=row.requires_cover,
        valid_until=row.valid_until,
        made_by=row.made_by,
        made_at=row.made_at,
        state=OfferState(standing.state),
        end_code=None if standing.end_code is None else OfferEnd(standing.end_code),
        approved_by=standing.approved_by,
        accepted_at=standing.accepted_at,
        disburse_by=standing.disburse_by,
        reservation_id=standing.reservation_id,
    )


async def limits_on(session: AsyncSession, day: date) -> MatchingPolicy:
    """Return the limits and clocks in force on a day."""
    statement = (
        select(MatchingLimits)
        .where(col(MatchingLimits.effective_from) <= day)
        .order_by(col(MatchingLimits.effective_from).desc())
        .limit(1)
    )
    row = (await session.execute(statement)).scalars().one()
    return MatchingPolicy(
        effective_from=row.effective_from,
        lenders_at_once=row.lenders_at_once,
        lenders_in_all=row.lenders_in_all,
        answer_working_days=row.answer_working_days,
        acceptance_days=row.acceptance_days,
        offer_days=row.offer_days,
        history_days=row.history_days,
        history_answers=row.history_answers,
    )


async def newest_decision(session: AsyncSession, viewer: Viewer, demand_id: UUID) -> UUID:
    """Return the decision of the newest matching of the viewer's own demand.

    Raises
    ------
    NotFound
        No such demand of the viewer's, or it was not matched yet.
    """
    statement = (
        select(col(Matching.decision_id))
        .where(col(Matching.demand_id) == demand_id, col(Matching.firm_id) == viewer.organisation_id)
        .order_by(col(Matching.matched_at).desc(), col(Matching.decision_id).desc())
        .limit(1)
    )
    decision_id = (await session.execute(statement)).scalar_one_or_none()
    if decision_id is None:
        raise NotFound
    return decision_id


async def dispatch(session: AsyncSession, viewer: Viewer, dispatch_id: UUID) -> DispatchView:
    """Return a dispatch to its lender or its firm.

    Raises
    ------
    NotFound
    """
    row = await session.get(Dispatch, dispatch_id, populate_existing=True)
    if row is None or viewer.organisation_id not in (row.lender_id, row.firm_id):
        raise NotFound
    return dispatch_view(row)


async def dispatches_of(
    session: AsyncSession,
    viewer: Viewer,
    *,
    states: Sequence[DispatchState] = (),
    cursor: str | None = None,
    limit: int = 50,
) -> Page[DispatchView]:
    """Return what was sent to the viewer's lender, oldest first, in the given states (all, when none is given)."""
    size = limit_of(limit)
    statement = (
        select(Dispatch)
        .where(col(Dispatch.lender_id) == viewer.organisation_id, col(Dispatch.id) > after_id(cursor))
        .order_by(col(Dispatch.id))
        .limit(size + 1)
    )
    if states:
        statement = statement.where(col(Dispatch.state).in_(list(states)))
    found = (await session.execute(statement)).scalars().all()
    return page_of([dispatch_view(row) for row in found], limit=size, id_of=lambda view: view.id)


async def dispatches_for(session: AsyncSession, demand_id: UUID) -> list[DispatchView]:
    """Return every dispatch of a demand that the session's scope may see, in the order they were made."""
    statement = select(Dispatch).where(col(Dispatch.demand_id) == demand_id).order_by(col(Dispatch.id))
    return [dispatch_view(row) for row in (await session.execute(statement)).scalars()]


async def offer(session: AsyncSession, viewer: Viewer, offer_id: UUID) -> OfferView:
    """Return an offer to its lender, or, once approved, to its firm.

    Raises
    ------
    NotFound
    """
    found = (await session.execute(_offers_seen_by(viewer).where(col(Offer.id) == offer_id))).one_or_none()
    if found is None:
        raise NotFound
    return offer_view(*found)


async def offers_for(session: AsyncSession, viewer: Viewer, demand_id: UUID) -> list[OfferView]:
    """Return the offers for one demand that the viewer may see, cheapest first, to be compared.

    A demand goes to a bounded number of lenders, so the list is short by nature.
    """
    statement = (
        _offers_seen_by(viewer)
        .where(col(Offer.demand_id) == demand_id)
        .order_by(col(Offer.rate_bp), col(Offer.total_interest_fen), col(Offer.made_at), col(Offer.id))
        .limit(200)
    )
    return [offer_view(*found) for found in await session.execute(statement)]


async def accepted_offer(session: AsyncSession, offer_id: UUID) -> AcceptedOffer | None:
    """Return an accepted offer for the room that makes loans; None when it is not accepted, or has lapsed."""
    statement = (
        select(Offer, OfferStanding)
        .join(OfferStanding, col(OfferStanding.offer_id) == col(Offer.id))
        .where(col(Offer.id) == offer_id, col(OfferStanding.state).in_(list(TAKEN)))
    )
    found = (await session.execute(statement.execution_options(populate_existing=True))).one_or_none()
    if found is None:
        return None
    row, standing = found
    assert standing.accepted_at is not None, "a CHECK dates what is accepted"
    assert standing.disburse_by is not None, "a CHECK dates what is accepted"
    return AcceptedOffer(
        offer_id=row.id,
        demand_id=row.demand_id,
        firm_id=row.firm_id,
        lender_id=row.lender_id,
        product_id=row.product_id,
        amount_fen=row.amount_fen,
        rate_bp=row.rate_bp,
        term_months=row.term_months,
        repayment_kind=RepaymentKind(row.repayment_kind),
        accepted_at=standing.accepted_at,
        disburse_by=standing.disburse_by,
        reservation_id=standing.reservation_id,
    )


async def grant_shares(
    session: AsyncSession, lender_ids: Sequence[UUID], policy: MatchingPolicy, *, now: datetime
) -> dict[UUID, int]:
    """Return the share of answered dispatches that became an offer, in ppm, for lenders with enough answers.

    A time-out counts as an answer, and not as an offer.
    """
    since = now - timedelta(days=policy.history_days)
    offered = func.sum(case((col(Dispatch.offered_at).is_not(None), 1), else_=0))
    answered = func.count()
    statement = (
        select(col(Dispatch.lender_id), offered, answered)
        .where(
            col(Dispatch.lender_id).in_(list(lender_ids)),
            col(Dispatch.sent_at) >= since,
            (col(Dispatch.offered_at) <= now) | (col(Dispatch.refused_at) <= now),
        )
        .group_by(col(Dispatch.lender_id))
        .having(answered >= policy.history_answers)
    )
    found = await session.execute(statement)
    return {lender_id: int(granted) * 1_000_000 // int(total) for lender_id, granted, total in found}


async def lenders_asked(session: AsyncSession, demand_id: UUID) -> frozenset[UUID]:
    """Return every lender that was ever asked about a demand."""
    statement = select(col(Dispatch.lender_id)).where(col(Dispatch.demand_id) == demand_id)
    return frozenset((await session.execute(statement)).scalars())


async def dispatches_due(session: AsyncSession, *, now: datetime, limit: int) -> list[DispatchView]:
    """Return dispatches whose answer is overdue, the longest overdue first."""
    statement = (
        select(Dispatch)
        .where(
            col(Dispatch.state).in_([DispatchState.SENT, DispatchState.IN_REVIEW]),
            col(Dispatch.due_on) < business_date(now),
        )
        .order_by(col(Dispatch.due_on), col(Dispatch.id))
        .limit(limit)
    )
    return [dispatch_view(row) for row in (await session.execute(statement)).scalars()]


def _offers_seen_by(viewer: Viewer) -> Select[Offer, OfferStanding]:
    statement = select(Offer, OfferStanding).join(OfferStanding, col(OfferStanding.offer_id) == col(Offer.id))
    if viewer.is_one_of(OrganisationKind.LENDER):
        return statement.where(col(Offer.lender_id) == viewer.organisation_id)
    return statement.where(col(Offer.firm_id) == viewer.organisation_id, col(OfferStanding.approved_at).is_not(None))
