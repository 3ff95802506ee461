"""The indicative stage: a lender names its range from platform data alone; nobody is bound, and it ends by time.

Lock order: demand, dispatch.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.access.service import platform_scope
from xinyidai.demands import service as demands
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.outbox import announce
from xinyidai.foundation.timetable import Moment, moment_of
from xinyidai.matching import queries
from xinyidai.matching.events import IndicationMade
from xinyidai.matching.models import Dispatch, Indication
from xinyidai.matching.queries import IndicationView, indication_view
from xinyidai.matching.rules.offers import Indicated, check_indication
from xinyidai.matching.rules.states import DispatchEnd, DispatchState, dispatch_moved
from xinyidai.matching.service.desk import requires_lender_desk
from xinyidai.matching.service.dispatching import (
    dispatch_ids,
    own_locked,
    requires_seeking,
    settle,
    write_down_dispatch,
)
from xinyidai.matching.service.ending import end_dispatch, locked
from xinyidai.matching.service.sending import covering_consent, requires_rate_of_line
from xinyidai.matching.service.shelf import requires_dispatched

EXPIRE_BATCH = 200


async def indicate(
    session: AsyncSession, viewer: Viewer, dispatch_id: UUID, *, terms: Indicated, now: datetime
) -> IndicationView:
    """Answer a dispatched demand with a range, once and by one officer. Not binding; the firm may choose it.

    Raises
    ------
    NotAllowed, NotFound
        No officer of a lender; no dispatch to this lender.
    IllegalDispatchStep, DemandNotOpen
        Indicated before, declined, timed out or ended; the demand is over.
    RangeRefused, OfferTermsRefused, RepaymentKindNotOffered, NotEligible
        Outside the product's bands or above what the firm asked; the product was closed.
    ConsentMissing
        The firm took its consent back.
    """
    requires_lender_desk(viewer)
    async with platform_scope(session):
        sent, demand = await own_locked(session, viewer, dispatch_id)
        requires_seeking(demand)
        state = dispatch_moved(DispatchState(sent.state), DispatchState.INDICATED)
        policy = await queries.limits_on(session, business_date(now))
        product = await requires_dispatched(session, sent.product_id)
        check_indication(terms, product, demand_amount_fen=demand.amount_fen, policy=policy, now=now)
        await requires_rate_of_line(session, product, demand, terms.max_rate_bp, now=now)
        await covering_consent(session, firm_id=sent.firm_id, lender_id=sent.lender_id, now=now)
        row = _row(viewer, sent, terms, now=now)
        sent.state, sent.indicated_at = state.value, now
        session.add_all([row, sent])
        await session.flush()
        await write_down_dispatch(session, viewer, sent, "matching.indicated", now=now)
        await announce(session, IndicationMade(*dispatch_ids(sent)), occurred_at=now)
    return indication_view(row, sent)


def overdue_indications(at: Moment) -> Select[UUID, UUID]:
    """Return the statement of dispatches indicated and not chosen in time, with their demands, the longest first."""
    return (
        select(col(Dispatch.id), col(Dispatch.demand_id))
        .join(Indication, col(Indication.dispatch_id) == col(Dispatch.id))
        .where(col(Dispatch.state) == DispatchState.INDICATED, col(Indication.valid_until) <= at.now)
        .order_by(col(Indication.valid_until), col(Dispatch.lot))
    )


async def expire_indications(session: AsyncSession, *, now: datetime, limit: int = EXPIRE_BATCH) -> int:
    """End, as the platform, what was indicated and not chosen in its time; return how many ended."""
    ended = 0
    found = (await session.execute(overdue_indications(moment_of(now)).limit(limit))).all()
    await demands.lock_all(session, [demand_id for _dispatch_id, demand_id in found])
    for dispatch_id, demand_id in found:
        sent = await locked(session, dispatch_id)
        if sent.state != DispatchState.INDICATED:
            continue
        await end_dispatch(session, sent, DispatchEnd.NOT_CHOSEN, now=now)
        await write_down_dispatch(session, None, sent, "matching.not_chosen", now=now)
        await settle(session, demand_id, now=now)
        ended += 1
    return ended


def _row(viewer: Viewer, sent: Dispatch, terms: Indicated, *, now: datetime) -> Indication:
    return Indication(
        dispatch_id=sent.id,
        demand_id=sent.demand_id,
        firm_id=sent.firm_id,
        lender_id=sent.lender_id,
        product_id=sent.product_id,
        min_amount_fen=terms.min_amount_fen,
        max_amount_fen=terms.max_amount_fen,
        min_rate_bp=terms.min_rate_bp,
        max_rate_bp=terms.max_rate_bp,
        min_term_months=terms.min_term_months,
        max_term_months=terms.max_term_months,
        repayment_kinds=[kind.value for kind in terms.repayment_kinds],
        valid_until=terms.valid_until,
        made_by=viewer.principal_id,
        made_at=now,
    )
