"""Accepting an offer: exactly one of a demand, with its capacity reserved in the same transaction.

Lock order: demand, offer, authority, then what agreements lock. The lock on the demand is what makes two acceptances
take turns; a unique index on accepted offers stands behind it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.access.service import platform_scope
from xinyidai.agreements import queries as agreement_reads
from xinyidai.agreements import service as agreements
from xinyidai.agreements.rules import ReservationState
from xinyidai.demands import service as demands
from xinyidai.demands.queries import DemandView
from xinyidai.demands.rules import DemandState
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.outbox import announce
from xinyidai.foundation.timetable import Moment, moment_of
from xinyidai.matching import queries
from xinyidai.matching.events import AcceptanceLapsed, OfferAccepted
from xinyidai.matching.models import Dispatch, Offer, OfferStanding
from xinyidai.matching.rules.offers import AnotherOfferAccepted, DemandNotOpen, OfferExpired
from xinyidai.matching.rules.states import TAKEN, OfferEnd, OfferState, offer_moved
from xinyidai.matching.service.desk import requires_firm
from xinyidai.matching.service.ending import end_dispatches
from xinyidai.matching.service.offering import offer_ids, requires_authority
from xinyidai.matching.service.sending import covering_consent
from xinyidai.matching.service.standing import move_offer, offer_locked, standing_locked, write_down_offer

LAPSE_BATCH = 200
LAPSED = "acceptance_lapsed"


@dataclass(frozen=True)
class AcceptedView:
    """What an acceptance came to."""

    offer_id: UUID
    demand_id: UUID
    firm_id: UUID
    lender_id: UUID
    reservation_id: UUID | None
    accepted_at: datetime
    disburse_by: date


async def accept(session: AsyncSession, viewer: Viewer, offer_id: UUID, *, now: datetime) -> AcceptedView:
    """Accept an offer as the firm: reserve capacity where the product asks for cover, decline every other offer.

    All of it in the caller's transaction; a refusal leaves nothing changed. Locks the demand, then the offer.

    Raises
    ------
    NotAllowed, NotFound
        The viewer does not act for the firm the offer was made to.
    AnotherOfferAccepted, IllegalOfferStep
        An offer for this demand was accepted before; this offer is no longer open.
    DemandNotOpen, OfferExpired, AuthorityMissing, ConsentMissing
    CapacityExhausted, NoAgreement, FirmCapReached, RateAboveAgreement
        The lender's line does not take it now.
    """
    requires_firm(viewer)
    seen = await queries.offer(session, viewer, offer_id)
    policy = await queries.limits_on(session, business_date(now))
    async with platform_scope(session):
        demand = await demands.lock(session, seen.demand_id)
        standing, row, sent = await offer_locked(session, offer_id)
        await _requires_open(session, demand, standing, now=now)
        await _requires_leave(session, row, sent, now=now)
        standing.reservation_id = await _reserve(session, row, now=now)
        standing.accepted_by, standing.accepted_at = viewer.principal_id, now
        standing.disburse_by = business_date(now) + timedelta(days=policy.acceptance_days)
        await move_offer(session, standing, OfferState.ACCEPTED, now=now)
        await demands.mark(session, demand.id, DemandState.ACCEPTED, now=now)
        await end_dispatches(
            session, demand.id, except_lender=row.lender_id, end_code=OfferEnd.ANOTHER_ACCEPTED, now=now
        )
        await write_down_offer(session, viewer, row, "matching.offer_accepted", now=now)
        await announce(session, OfferAccepted(*offer_ids(row)), occurred_at=now)
    return _view(row, standing)


async def mark_disbursed(session: AsyncSession, offer_id: UUID, *, now: datetime) -> None:
    """Write down that the accepted offer was paid out: it can no longer lapse and its demand is closed.

    For the room that makes loans, in its transaction, which holds the demand's lock. Repeating it changes nothing.
    Locks the offer.

    Raises
    ------
    NotFound, IllegalOfferStep
        No such offer; not accepted, or lapsed.
    """
    async with platform_scope(session):
        standing = await standing_locked(session, offer_id)
        if standing.state == OfferState.DISBURSED:
            return
        await move_offer(session, standing, OfferState.DISBURSED, now=now)
        await demands.mark(session, standing.demand_id, DemandState.CLOSED, now=now)


def overdue_acceptances(at: Moment) -> Select[UUID, UUID]:
    """Return the statement of acceptances not disbursed by their last day, with their demands, the longest first."""
    return (
        select(col(OfferStanding.offer_id), col(OfferStanding.demand_id))
        .join(Offer, col(Offer.id) == col(OfferStanding.offer_id))
        .join(Dispatch, col(Dispatch.id) == col(Offer.dispatch_id))
        .where(col(OfferStanding.state) == OfferState.ACCEPTED, col(OfferStanding.disburse_by) < at.today)
        .order_by(
            col(OfferStanding.disburse_by),
            col(OfferStanding.accepted_at),
            col(Dispatch.lot),
            col(OfferStanding.offer_id),
        )
    )


async def lapse_due(session: AsyncSession, *, now: datetime, limit: int = LAPSE_BATCH) -> int:
    """End, as the platform, acceptances not disbursed by their last day, and free what they reserved."""
    found = (await session.execute(overdue_acceptances(moment_of(now)).limit(limit))).all()
    # Every demand first: releasing locks ledger accounts that an acceptance holding the next demand may wait for.
    await demands.lock_all(session, [demand_id for _offer_id, demand_id in found])
    lapsed = 0
    for offer_id, _demand_id in found:
        standing = await standing_locked(session, offer_id)
        if standing.state == OfferState.ACCEPTED and await _free(session, standing, now=now):
            await _lapse(session, standing, now=now)
            lapsed += 1
    return lapsed


async def _requires_open(session: AsyncSession, demand: DemandView, standing: OfferStanding, *, now: datetime) -> None:
    taken = select(col(OfferStanding.offer_id)).where(
        col(OfferStanding.demand_id) == demand.id,
        col(OfferStanding.state).in_(list(TAKEN)),
        col(OfferStanding.offer_id) != standing.offer_id,
    )
    if (await session.execute(taken)).scalar_one_or_none() is not None:
        raise AnotherOfferAccepted
    if standing.state == OfferState.ISSUED and demand.state is not DemandState.OFFERED:
        raise DemandNotOpen(state=demand.state.value)
    if standing.state in (OfferState.EXPIRED, OfferState.ISSUED) and standing.valid_until <= now:
        raise OfferExpired
    if standing.state == OfferState.DECLINED and standing.end_code == OfferEnd.DEMAND_ENDED:
        raise DemandNotOpen(state=demand.state.value)
    offer_moved(OfferState(standing.state), OfferState.ACCEPTED)


async def _requires_leave(session: AsyncSession, row: Offer, sent: Dispatch, *, now: datetime) -> None:
    if row.is_inside is not None:
        # An offer from before the two stages was issued as binding without an authority, and stays what it was.
        await requires_authority(session, sent, now=now)
    await covering_consent(session, firm_id=row.firm_id, lender_id=row.lender_id, now=now)


async def _reserve(session: AsyncSession, row: Offer, *, now: datetime) -> UUID | None:
    if not row.requires_cover:
        return None
    reservation = await agreements.reserve(
        session,
        lender_id=row.lender_id,
        firm_id=row.firm_id,
        offer_id=row.id,
        principal_fen=row.amount_fen,
        rate_bp=row.rate_bp,
        now=now,
    )
    return reservation.id


async def _free(session: AsyncSession, standing: OfferStanding, *, now: datetime) -> bool:
    """Release what the acceptance holds; False where a loan stands on it already, which then did not lapse."""
    if standing.reservation_id is None:
        return True
    reservation = await agreement_reads.reservation(session, standing.reservation_id)
    if reservation.state is not ReservationState.RESERVED:
        return False
    await agreements.release(session, standing.reservation_id, reason=LAPSED, now=now)
    return True


async def _lapse(session: AsyncSession, standing: OfferStanding, *, now: datetime) -> None:
    await move_offer(session, standing, OfferState.LAPSED, now=now)
    await demands.mark(session, standing.demand_id, DemandState.EXPIRED, now=now)
    row = await session.get_one(Offer, standing.offer_id)
    await end_dispatches(session, row.demand_id, except_lender=None, end_code=OfferEnd.DEMAND_ENDED, now=now)
    await write_down_offer(session, None, row, "matching.acceptance_lapsed", now=now)
    await announce(session, AcceptanceLapsed(*offer_ids(row)), occurred_at=now)


def _view(row: Offer, standing: OfferStanding) -> AcceptedView:
    assert standing.accepted_at is not None, "set a moment ago"
    assert standing.disburse_by is not None, "set a moment ago"
    return AcceptedView(
        offer_id=row.id,
        demand_id=row.demand_id,
        firm_id=row.firm_id,
        lender_id=row.lender_id,
        reservation_id=standing.reservation_id,
        accepted_at=standing.accepted_at,
        disburse_by=standing.disburse_by,
    )
