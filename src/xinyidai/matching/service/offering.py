"""Binding offers: made by one person of a chosen lender, approved by another, withdrawn, declined, expired.

Only a lender that the firm chose makes one, while its written authority is in force; terms never change.
Lock order: demand, dispatch, offer, authority.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer, requires_two_people
from xinyidai.access.service import platform_scope
from xinyidai.consents import service as consents
from xinyidai.consents.rules import AuthorityMissing
from xinyidai.demands import service as demands
from xinyidai.demands.queries import DemandView
from xinyidai.demands.rules import DemandState, RepaymentKind
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.outbox import announce
from xinyidai.foundation.timetable import Moment, moment_of
from xinyidai.matching import queries
from xinyidai.matching.events import OfferEnded, OfferIssued
from xinyidai.matching.models import Dispatch, Indication, Offer, OfferStanding
from xinyidai.matching.queries import OfferView, offer_view, terms_indicated
from xinyidai.matching.rules.costs import total_interest_fen
from xinyidai.matching.rules.drift import drift_of
from xinyidai.matching.rules.eligibility import OnShelf
from xinyidai.matching.rules.offers import OfferExpired, OfferPending, OfferTerms, check_offer
from xinyidai.matching.rules.states import (
    BEFORE_THE_FIRM,
    DispatchEnd,
    DispatchState,
    OfferEnd,
    OfferState,
    dispatch_moved,
    offer_moved,
)
from xinyidai.matching.service.desk import requires_firm, requires_lender_checker, requires_lender_desk
from xinyidai.matching.service.dispatching import own_locked, requires_seeking, settle
from xinyidai.matching.service.ending import end_dispatch, locked
from xinyidai.matching.service.sending import covering_consent, requires_rate_of_line
from xinyidai.matching.service.shelf import requires_dispatched
from xinyidai.matching.service.standing import move_offer, standing_locked, write_down_offer

EXPIRE_BATCH = 200


async def make_offer(
    session: AsyncSession,
    viewer: Viewer,
    dispatch_id: UUID,
    *,
    amount_fen: int,
    rate_bp: int,
    term_months: int,
    repayment_kind: RepaymentKind,
    valid_until: datetime,
    now: datetime,
) -> OfferView:
    """Propose a binding offer as a chosen lender; a second person of the lender issues it by `approve_offer`.

    How far it lies from the lender's own indication is written down with it.

    Raises
    ------
    NotAllowed, NotFound
        No officer of a lender; no dispatch to this lender.
    IllegalDispatchStep, DemandNotOpen, OfferPending
        Not chosen, timed out, declined or ended; the demand is over; one offer of this lender is pending already.
    OfferTermsRefused, RepaymentKindNotOffered, NotEligible
        Outside the product's bands, above what the firm asked, longer open than the authority; the product was closed.
    AuthorityMissing, ConsentMissing
        The firm took its authority or its consent back.
    """
    requires_lender_desk(viewer)
    terms = OfferTerms(amount_fen, rate_bp, term_months, repayment_kind, valid_until)
    async with platform_scope(session):
        dispatch, demand = await own_locked(session, viewer, dispatch_id)
        requires_seeking(demand)
        product = await _check_terms(session, terms, dispatch, demand, now=now)
        await covering_consent(session, firm_id=dispatch.firm_id, lender_id=dispatch.lender_id, now=now)
        row, standing = await _write(session, viewer, dispatch, product, terms, now=now)
        await write_down_offer(session, viewer, row, "matching.offer_made", now=now)
    return offer_view(row, standing)


async def approve_offer(session: AsyncSession, viewer: Viewer, offer_id: UUID, *, now: datetime) -> OfferView:
    """Issue a proposed offer as the second person; from now on the firm sees it.

    Raises
    ------
    NotAllowed, NotFound, SamePersonTwice
    IllegalOfferStep, DemandNotOpen, OfferExpired, AuthorityMissing, ConsentMissing
    """
    requires_lender_checker(viewer)
    async with platform_scope(session):
        row = await _own_offer(session, viewer, offer_id)
        demand = await demands.lock(session, row.demand_id)
        dispatch = await locked(session, row.dispatch_id)
        standing = await standing_locked(session, offer_id)
        offer_moved(OfferState(standing.state), OfferState.ISSUED)
        requires_two_people(row.made_by, viewer.principal_id)
        requires_seeking(demand)
        if row.valid_until <= now:
            raise OfferExpired
        await requires_authority(session, dispatch, now=now)
        await covering_consent(session, firm_id=row.firm_id, lender_id=row.lender_id, now=now)
        standing.approved_by, standing.approved_at = viewer.principal_id, now
        await move_offer(session, standing, OfferState.ISSUED, now=now)
        dispatch.state = dispatch_moved(DispatchState(dispatch.state), DispatchState.OFFERED).value
        dispatch.offered_at = dispatch.offered_at or now
        session.add(dispatch)
        if demand.state is DemandState.MATCHING:
            await demands.mark(session, demand.id, DemandState.OFFERED, now=now)
        await write_down_offer(session, viewer, row, "matching.offer_issued", now=now)
        await announce(session, OfferIssued(*offer_ids(row)), occurred_at=now)
    return offer_view(row, standing)


async def withdraw_offer(session: AsyncSession, viewer: Viewer, offer_id: UUID, *, now: datetime) -> OfferView:
    """Take back a proposal, or an issued offer before it is accepted; the lender is still chosen, its clock runs.

    Raises
    ------
    NotAllowed, NotFound, IllegalOfferStep
    """
    requires_lender_desk(viewer)
    async with platform_scope(session):
        row = await _own_offer(session, viewer, offer_id)
        await demands.lock(session, row.demand_id)
        dispatch = await locked(session, row.dispatch_id)
        standing = await standing_locked(session, offer_id)
        await move_offer(session, standing, OfferState.WITHDRAWN, end_code=OfferEnd.LENDER_WITHDREW, now=now)
        if dispatch.state == DispatchState.OFFERED:
            back = DispatchState.IN_REVIEW if dispatch.authority_id is None else DispatchState.CHOSEN
            dispatch.state = dispatch_moved(DispatchState.OFFERED, back).value
            session.add(dispatch)
        await _ended(session, viewer, row, standing, "matching.offer_withdrawn", now=now)
    return offer_view(row, standing)


async def decline_offer(session: AsyncSession, viewer: Viewer, offer_id: UUID, *, now: datetime) -> OfferView:
    """Say no to an offer, as the firm; the lender no longer sees the demand.

    Raises
    ------
    NotAllowed, NotFound, IllegalOfferStep
    """
    requires_firm(viewer)
    seen = await queries.offer(session, viewer, offer_id)
    async with platform_scope(session):
        await demands.lock(session, seen.demand_id)
        row = await session.get_one(Offer, offer_id)
        dispatch = await locked(session, row.dispatch_id)
        standing = await standing_locked(session, offer_id)
        await move_offer(session, standing, OfferState.DECLINED, end_code=OfferEnd.FIRM_DECLINED, now=now)
        await end_dispatch(session, dispatch, DispatchEnd.FIRM_DECLINED, now=now)
        await _ended(session, viewer, row, standing, "matching.offer_declined", now=now)
    return offer_view(row, standing)


def overdue_offers(at: Moment) -> Select[UUID, UUID]:
    """Return the statement of offers whose time is over before the firm answered, with their demands."""
    return (
        select(col(OfferStanding.offer_id), col(OfferStanding.demand_id))
        .join(Offer, col(Offer.id) == col(OfferStanding.offer_id))
        .join(Dispatch, col(Dispatch.id) == col(Offer.dispatch_id))
        .where(col(OfferStanding.state).in_(list(BEFORE_THE_FIRM)), col(OfferStanding.valid_until) <= at.now)
        .order_by(col(OfferStanding.valid_until), col(Offer.made_at), col(Dispatch.lot), col(OfferStanding.offer_id))
    )


async def expire_offers(session: AsyncSession, *, now: datetime, limit: int = EXPIRE_BATCH) -> int:
    """End, as the platform, offers whose time is over; return how many ended."""
    ended = 0
    found = (await session.execute(overdue_offers(moment_of(now)).limit(limit))).all()
    await demands.lock_all(session, [demand_id for _offer_id, demand_id in found])
    for offer_id, _demand_id in found:
        standing = await standing_locked(session, offer_id)
        if standing.state not in BEFORE_THE_FIRM:
            continue
        row = await session.get_one(Offer, offer_id)
        was_issued = standing.state == OfferState.ISSUED
        await move_offer(session, standing, OfferState.EXPIRED, now=now)
        if was_issued:
            sent = await locked(session, row.dispatch_id)
            await end_dispatch(session, sent, DispatchEnd.OFFER_EXPIRED, now=now)
        await _ended(session, None, row, standing, "matching.offer_expired", now=now)
        ended += 1
    return ended


def offer_ids(row: Offer) -> tuple[str, str, str, str]:
    """Return the ids that every event of an offer carries."""
    return str(row.demand_id), str(row.firm_id), str(row.id), str(row.lender_id)


async def requires_authority(session: AsyncSession, dispatch: Dispatch, *, now: datetime) -> datetime:
    """Return when the authority of a chosen lender ends; it is held in force until the transaction does.

    Raises
    ------
    AuthorityMissing
        The lender was not chosen; the firm took the authority back; its term is over.
    """
    if dispatch.authority_id is None:
        raise AuthorityMissing
    held = await consents.require_authority(session, dispatch.authority_id, lender_id=dispatch.lender_id, now=now)
    return held.expires_at


async def _check_terms(
    session: AsyncSession, terms: OfferTerms, dispatch: Dispatch, demand: DemandView, *, now: datetime
) -> OnShelf:
    dispatch_moved(DispatchState(dispatch.state), DispatchState.OFFERED)
    pending = select(OfferStanding).where(
        col(OfferStanding.demand_id) == dispatch.demand_id,
        col(OfferStanding.lender_id) == dispatch.lender_id,
        col(OfferStanding.state).in_(list(BEFORE_THE_FIRM)),
    )
    if (await session.execute(pending)).scalars().first() is not None:
        raise OfferPending
    ends_at = await requires_authority(session, dispatch, now=now)
    product = await requires_dispatched(session, dispatch.product_id)
    policy = await queries.limits_on(session, business_date(now))
    check_offer(terms, product, demand_amount_fen=demand.amount_fen, authority_ends_at=ends_at, policy=policy, now=now)
    await requires_rate_of_line(session, product, demand, terms.rate_bp, now=now)
    return product


async def _write(
    session: AsyncSession, viewer: Viewer, dispatch: Dispatch, product: OnShelf, terms: OfferTerms, *, now: datetime
) -> tuple[Offer, OfferStanding]:
    indicated = select(Indication).where(col(Indication.dispatch_id) == dispatch.id)
    drift = drift_of(terms_indicated((await session.execute(indicated)).scalar_one()), terms)
    row = Offer(
        dispatch_id=dispatch.id,
        demand_id=dispatch.demand_id,
        firm_id=dispatch.firm_id,
        lender_id=dispatch.lender_id,
        product_id=dispatch.product_id,
        amount_fen=terms.amount_fen,
        rate_bp=terms.rate_bp,
        term_months=terms.term_months,
        repayment_kind=terms.repayment_kind.value,
        total_interest_fen=total_interest_fen(terms.amount_fen, terms.rate_bp, terms.term_months, terms.repayment_kind),
        requires_cover=product.requires_cover,
        valid_until=terms.valid_until,
        made_by=viewer.principal_id,
        made_at=now,
        amount_below_fen=drift.amount_below_fen,
        amount_below_ppm=drift.amount_below_ppm,
        rate_above_bp=drift.rate_above_bp,
        is_inside=drift.is_inside,
    )
    session.add(row)
    await session.flush()
    standing = OfferStanding(
        offer_id=row.id,
        demand_id=row.demand_id,
        firm_id=row.firm_id,
        lender_id=row.lender_id,
        made_by=row.made_by,
        valid_until=row.valid_until,
    )
    session.add(standing)
    await session.flush()
    return row, standing


async def _own_offer(session: AsyncSession, viewer: Viewer, offer_id: UUID) -> Offer:
    row = await session.get(Offer, offer_id)
    if row is None or row.lender_id != viewer.organisation_id:
        raise NotFound
    return row


async def _ended(
    session: AsyncSession, viewer: Viewer | None, row: Offer, standing: OfferStanding, action: str, *, now: datetime
) -> None:
    await write_down_offer(session, viewer, row, action, now=now)
    if standing.approved_at is not None:
        await announce(session, OfferEnded(*offer_ids(row)), occurred_at=now)
    await settle(session, row.demand_id, now=now)
