"""Ending dispatches, each with what its lender is told; the demand is locked and the session in platform scope."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.demands import service as demands
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.outbox import announce
from xinyidai.matching.events import LenderNotChosen
from xinyidai.matching.models import Dispatch
from xinyidai.matching.rules.states import (
    DISPATCH_FOLLOWS,
    OPEN_TO_LENDER,
    DispatchEnd,
    DispatchState,
    OfferEnd,
    dispatch_moved,
    told_to_lender,
)
from xinyidai.matching.service.standing import end_offers


async def locked(session: AsyncSession, dispatch_id: UUID) -> Dispatch:
    """Lock a dispatch and return its row as it is now.

    Raises
    ------
    NotFound
    """
    row = await session.get(Dispatch, dispatch_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    return row


async def end_dispatches(
    session: AsyncSession, demand_id: UUID, *, except_lender: UUID | None, end_code: OfferEnd, now: datetime
) -> int:
    """End a demand's open dispatches and offers, but for one lender's; return how many dispatches."""
    statement = select(col(Dispatch.lender_id)).where(
        col(Dispatch.demand_id) == demand_id, col(Dispatch.state).in_(list(OPEN_TO_LENDER))
    )
    ended = 0
    for lender_id in (await session.execute(statement)).scalars().all():
        if lender_id != except_lender:
            ended += await end_one(session, demand_id, lender_id, end_code, now=now)
    return ended


async def end_one(session: AsyncSession, demand_id: UUID, lender_id: UUID, end_code: OfferEnd, *, now: datetime) -> int:
    """End one lender's dispatch and offers of a demand; return 0 where there is nothing left to end."""
    statement = (
        select(Dispatch)
        .where(col(Dispatch.demand_id) == demand_id, col(Dispatch.lender_id) == lender_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = (await session.execute(statement)).scalar_one()
    if DispatchState.ENDED not in DISPATCH_FOLLOWS[DispatchState(row.state)]:
        return 0
    await end_dispatch(session, row, DispatchEnd(end_code.value), now=now)
    await end_offers(session, demand_id, lender_id, end_code, now=now)
    return 1


async def end_dispatch(session: AsyncSession, row: Dispatch, end: DispatchEnd, *, now: datetime) -> None:
    """End a locked dispatch and close the demand to its lender, who is told why."""
    before = DispatchState(row.state)
    told = told_to_lender(before, end)
    row.state = dispatch_moved(before, DispatchState.ENDED).value
    row.end_code, row.ended_at = told.value, now
    session.add(row)
    await session.flush()
    await demands.close_to(session, row.demand_id, [row.lender_id], now=now)
    if told is DispatchEnd.NOT_CHOSEN:
        happened = LenderNotChosen(str(row.demand_id), str(row.firm_id), str(row.id), str(row.lender_id))
        await announce(session, happened, occurred_at=now)
