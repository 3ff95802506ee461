"""What lies before a lender, counted by state and listed by the day it is due. Row scope as in `queries`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of
from xinyidai.matching.models import Dispatch, Offer, OfferStanding
from xinyidai.matching.queries import dispatch_view, offer_view
from xinyidai.matching.rules.states import DispatchState, OfferState
from xinyidai.matching.rules.views import DispatchView, OfferView


@dataclass(frozen=True)
class OwnDrift:
    """How a lender's issued offers lie to its own indications: how many, how many inside, the worst of the rest."""

    offers: int
    inside: int
    most_below_ppm: int
    most_above_bp: int


async def dispatch_counts(session: AsyncSession, viewer: Viewer) -> dict[DispatchState, int]:
    """Return how many demands lie before the viewer's lender, by state; states without any are left out."""
    statement = (
        select(col(Dispatch.state), func.count())
        .where(col(Dispatch.lender_id) == viewer.organisation_id)
        .group_by(col(Dispatch.state))
    )
    return {DispatchState(state): count for state, count in await session.execute(statement)}


async def offer_counts(session: AsyncSession, viewer: Viewer) -> dict[OfferState, int]:
    """Return how many offers the viewer's lender has, by state; states without any are left out."""
    statement = (
        select(col(OfferStanding.state), func.count())
        .where(col(OfferStanding.lender_id) == viewer.organisation_id)
        .group_by(col(OfferStanding.state))
    )
    return {OfferState(state): count for state, count in await session.execute(statement)}


async def due_first(
    session: AsyncSession, viewer: Viewer, *, states: Sequence[DispatchState], limit: int
) -> list[DispatchView]:
    """Return the viewer's demands in the given states, those due first in front."""
    statement = (
        select(Dispatch)
        .where(col(Dispatch.lender_id) == viewer.organisation_id, col(Dispatch.state).in_(list(states)))
        .order_by(col(Dispatch.due_on), col(Dispatch.id))
        .limit(limit)
    )
    return [dispatch_view(row) for row in (await session.execute(statement)).scalars()]


async def earliest_due(session: AsyncSession, viewer: Viewer) -> dict[DispatchState, date]:
    """Return the earliest day on which something is due, by state of the dispatch."""
    statement = (
        select(col(Dispatch.state), func.min(col(Dispatch.due_on)))
        .where(col(Dispatch.lender_id) == viewer.organisation_id)
        .group_by(col(Dispatch.state))
    )
    return {DispatchState(state): due_on for state, due_on in await session.execute(statement)}


async def offers_of(
    session: AsyncSession, viewer: Viewer, *, states: Sequence[OfferState] = (), cursor: str | None, limit: int = 50
) -> Page[OfferView]:
    """Return a page of the lender's own offers, oldest first, in the given states (all, when none is given)."""
    size = limit_of(limit)
    statement = (
        select(Offer, OfferStanding)
        .join(OfferStanding, col(OfferStanding.offer_id) == col(Offer.id))
        .where(col(Offer.lender_id) == viewer.organisation_id, col(Offer.id) > after_id(cursor))
        .order_by(col(Offer.id))
        .limit(size + 1)
    )
    if states:
        statement = statement.where(col(OfferStanding.state).in_(list(states)))
    found = [offer_view(*row) for row in await session.execute(statement)]
    return page_of(found, limit=size, id_of=lambda view: view.id)


async def own_drift(session: AsyncSession, viewer: Viewer) -> OwnDrift:
    """Return how far the lender's issued offers lie from what it had indicated, over all that were measured."""
    statement = (
        select(
            func.count(),
            func.coalesce(func.sum(case((col(Offer.is_inside).is_(True), 1), else_=0)), 0),
            func.coalesce(func.max(col(Offer.amount_below_ppm)), 0),
            func.coalesce(func.max(col(Offer.rate_above_bp)), 0),
        )
        .join(OfferStanding, col(OfferStanding.offer_id) == col(Offer.id))
        .where(
            col(Offer.lender_id) == viewer.organisation_id,
            col(Offer.is_inside).is_not(None),
            col(OfferStanding.approved_at).is_not(None),
        )
    )
    offers, inside, below_ppm, above_bp = (await session.execute(statement)).one()
    return OwnDrift(int(offers), int(inside), int(below_ppm), int(above_bp))
