"""Where offers stand: locking them, moving them, ending those that are before the firm."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.audit import service as audit
from xinyidai.consents.rules import Purpose
from xinyidai.foundation.errors import NotFound
from xinyidai.matching.models import Dispatch, Offer, OfferStanding
from xinyidai.matching.rules.states import BEFORE_THE_FIRM, OfferEnd, OfferState, offer_moved


async def standing_locked(session: AsyncSession, offer_id: UUID) -> OfferStanding:
    """Lock where an offer stands; its demand is locked before.

    Raises
    ------
    NotFound
    """
    row = await session.get(OfferStanding, offer_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    return row


async def offer_locked(session: AsyncSession, offer_id: UUID) -> tuple[OfferStanding, Offer, Dispatch]:
    """Lock where an offer stands, as `standing_locked`, and return it with the offer and its dispatch."""
    statement = (
        select(OfferStanding, Offer, Dispatch)
        .join(Offer, col(Offer.id) == col(OfferStanding.offer_id))
        .join(Dispatch, col(Dispatch.id) == col(Offer.dispatch_id))
        .where(col(OfferStanding.offer_id) == offer_id)
        .with_for_update(of=OfferStanding)
        .execution_options(populate_existing=True)
    )
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        raise NotFound
    standing, row, sent = found
    return standing, row, sent


async def move_offer(
    session: AsyncSession, row: OfferStanding, state: OfferState, *, end_code: OfferEnd | None = None, now: datetime
) -> None:
    """Move a locked offer to a state that may follow; an end is dated."""
    row.state = offer_moved(OfferState(row.state), state).value
    if end_code is not None:
        row.end_code = end_code.value
    if state in (OfferState.DECLINED, OfferState.EXPIRED, OfferState.WITHDRAWN, OfferState.LAPSED):
        row.ended_at = now
    session.add(row)
    await session.flush()


async def end_offers(
    session: AsyncSession, demand_id: UUID, lender_id: UUID, end_code: OfferEnd, *, now: datetime
) -> None:
    """Decline what a lender has before the firm or its own checker; the scope is the platform's."""
    statement = (
        select(OfferStanding)
        .where(
            col(OfferStanding.demand_id) == demand_id,
            col(OfferStanding.lender_id) == lender_id,
            col(OfferStanding.state).in_(list(BEFORE_THE_FIRM)),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for row in (await session.execute(statement)).scalars().all():
        await move_offer(session, row, OfferState.DECLINED, end_code=end_code, now=now)


async def write_down_offer(
    session: AsyncSession, viewer: Viewer | None, offer: Offer, action: str, *, now: datetime
) -> None:
    """Leave the audit row of an act on an offer."""
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[offer.firm_id],
        object_kind="offer",
        object_id=str(offer.id),
        now=now,
        purpose=Purpose.PRE_LOAN.value,
    )
