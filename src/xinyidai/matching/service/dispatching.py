"""A demand's way to lenders: matched, assigned by hand, replaced after a no or a silence, ended with the demand.

Lock order: demand, dispatch, offer, then what agreements lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Role, Viewer, requires_kind, requires_role
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.consents import queries as consent_reads
from xinyidai.consents.rules import Purpose
from xinyidai.demands import service as demands
from xinyidai.demands.queries import DemandView
from xinyidai.demands.rules import ITEMS_OPENED_TO_LENDERS, DemandState
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.outbox import announce
from xinyidai.foundation.timetable import Moment, moment_of
from xinyidai.matching.events import DemandRejectedByAll, DispatchDeclined, DispatchTimedOut
from xinyidai.matching.models import Dispatch, OfferStanding, RestrictedReason
from xinyidai.matching.queries import DispatchView, dispatch_view
from xinyidai.matching.rules.eligibility import Verdict
from xinyidai.matching.rules.offers import DemandNotOpen
from xinyidai.matching.rules.ranking import Ranked
from xinyidai.matching.rules.states import (
    OPEN_TO_LENDER,
    WAITS_FOR_LENDER,
    DeclineReason,
    DispatchPath,
    DispatchState,
    OfferEnd,
    OfferState,
    dispatch_moved,
    sayable,
    told_to_firm,
)
from xinyidai.matching.service.assembling import Assembled, Reach, assemble, reach_of, record, weigh
from xinyidai.matching.service.desk import requires_lender_desk
from xinyidai.matching.service.ending import end_dispatches, end_one, locked
from xinyidai.matching.service.sending import send_by_hand, send_to_best

SEEKING = (DemandState.MATCHING, DemandState.OFFERED)
TIMEOUT_BATCH = 200


@dataclass(frozen=True)
class MatchView:
    """What a matching came to: the eligible in rank, the refused with every failing clause, whom it was sent to."""

    demand_id: UUID
    decision_id: UUID
    ranked: tuple[Ranked, ...]
    refused: tuple[Verdict, ...]
    dispatches: tuple[DispatchView, ...]


async def match(session: AsyncSession, demand_id: UUID, *, now: datetime) -> MatchView:
    """Match a submitted demand and send it to the best lenders; with nobody eligible it ends as rejected by all.

    The decision with every reason is recorded either way. Locks the demand.

    Raises
    ------
    NotFound
    IllegalDemandStep
        The demand is not submitted, or was matched before.
    """
    async with platform_scope(session):
        demand = await demands.mark(session, demand_id, DemandState.MATCHING, now=now)
        assembled = await assemble(session, demand, now=now)
        most = assembled.policy.lenders_at_once
        sent = await send_to_best(session, assembled, path=DispatchPath.MATCH, most=most, now=now)
        if not sent:
            await _reject(session, assembled, now=now)
    return _view(assembled, sent)


async def assign(
    session: AsyncSession, viewer: Viewer, demand_id: UUID, product_id: UUID, *, now: datetime
) -> DispatchView:
    """Send a demand to one product's lender by an operator's hand; the lender's filter and the consent hold as ever.

    Raises
    ------
    NotAllowed
        No officer of the operator.
    NotFound, DemandNotOpen
    NotEligible, ConsentMissing, LenderAskedBefore, TooManyLenders
        As for every other path.
    """
    requires_kind(viewer, OrganisationKind.OPERATOR)
    requires_role(viewer, Role.OFFICER, Role.ADMIN)
    async with platform_scope(session):
        demand = await demands.lock(session, demand_id)
        requires_seeking(demand)
        assembled = await assemble(session, demand, now=now)
        row = await send_by_hand(session, assembled, product_id, assigned_by=viewer.principal_id, now=now)
        await write_down_dispatch(session, viewer, row, "matching.assigned", now=now)
    return dispatch_view(row)


async def take_up(session: AsyncSession, viewer: Viewer, dispatch_id: UUID, *, now: datetime) -> DispatchView:
    """Say that the lender is looking at it; the answer clock runs on.

    Raises
    ------
    NotAllowed, NotFound, IllegalDispatchStep
    """
    requires_lender_desk(viewer)
    async with platform_scope(session):
        row, _demand = await own_locked(session, viewer, dispatch_id)
        row.state = dispatch_moved(DispatchState(row.state), DispatchState.IN_REVIEW).value
        row.taken_up_at = now
        session.add(row)
        await session.flush()
        await write_down_dispatch(session, viewer, row, "matching.taken_up", now=now)
    return dispatch_view(row)


async def decline(
    session: AsyncSession, viewer: Viewer, dispatch_id: UUID, *, reason: DeclineReason, now: datetime
) -> DispatchView:
    """Say no at either stage, with a reason of the closed list; the demand closes to the lender, the next is asked.

    A suspicion is kept where only the lender sees it; the firm hears that the lender cannot proceed.

    Raises
    ------
    NotAllowed, NotFound, IllegalDispatchStep, DeclineReasonRefused
    """
    requires_lender_desk(viewer)
    sayable(reason)
    async with platform_scope(session):
        row, _demand = await own_locked(session, viewer, dispatch_id)
        row.state = dispatch_moved(DispatchState(row.state), DispatchState.DECLINED).value
        row.refused_at = now
        row.decline_code = told_to_firm(reason).value
        session.add(row)
        if told_to_firm(reason) is not reason:
            session.add(
                RestrictedReason(
                    dispatch_id=row.id,
                    lender_id=row.lender_id,
                    reason=reason.value,
                    said_by=viewer.principal_id,
                    said_at=now,
                )
            )
        await demands.close_to(session, row.demand_id, [row.lender_id], now=now)
        await write_down_dispatch(session, viewer, row, "matching.declined", now=now)
        await announce(session, DispatchDeclined(*dispatch_ids(row)), occurred_at=now)
    return dispatch_view(row)


def overdue_dispatches(at: Moment) -> Select[UUID, UUID]:
    """Return the statement of dispatches whose indication or offer is overdue, with their demands, longest first."""
    return (
        select(col(Dispatch.id), col(Dispatch.demand_id))
        .where(col(Dispatch.state).in_(list(WAITS_FOR_LENDER)), col(Dispatch.due_on) < at.today)
        .order_by(col(Dispatch.due_on), col(Dispatch.sent_at), col(Dispatch.lot), col(Dispatch.id))
    )


async def time_out_due(session: AsyncSession, *, now: datetime, limit: int = TIMEOUT_BATCH) -> int:
    """End, as the platform, what was not answered by its last day; return how many ended."""
    ended = 0
    found = (await session.execute(overdue_dispatches(moment_of(now)).limit(limit))).all()
    await demands.lock_all(session, [demand_id for _dispatch_id, demand_id in found])
    for dispatch_id, _demand_id in found:
        row = await locked(session, dispatch_id)
        if row.state not in WAITS_FOR_LENDER:
            continue
        row.state = dispatch_moved(DispatchState(row.state), DispatchState.TIMED_OUT).value
        row.refused_at = now
        session.add(row)
        await session.flush()
        await demands.close_to(session, row.demand_id, [row.lender_id], now=now)
        await write_down_dispatch(session, None, row, "matching.timed_out", now=now)
        await announce(session, DispatchTimedOut(*dispatch_ids(row)), occurred_at=now)
        ended += 1
    return ended


async def replace_dispatch(
    session: AsyncSession, dispatch_id: UUID, *, path: DispatchPath, now: datetime
) -> DispatchView | None:
    """Ask the next lender in place of one that said no or nothing; None when nobody is left or it is done already.

    The demand is matched anew: facts, products, lines and consents are those of now. Locks the demand.
    """
    async with platform_scope(session):
        row = await session.get(Dispatch, dispatch_id)
        if row is None:
            raise NotFound
        demand = await demands.lock(session, row.demand_id)
        row = await locked(session, dispatch_id)
        if demand.state not in SEEKING or row.state not in (DispatchState.DECLINED, DispatchState.TIMED_OUT):
            return None
        reach = await reach_of(session, demand, now=now)
        sent = await _ask_next(session, demand, reach, path=path, now=now)
        if sent is None:
            return None
        row.state = dispatch_moved(DispatchState(row.state), DispatchState.REDISPATCHED).value
        row.replaced_by = sent.id
        session.add(row)
        await session.flush()
    return dispatch_view(sent)


async def settle(session: AsyncSession, demand_id: UUID, *, now: datetime) -> None:
    """Bring a demand in line after an offer or dispatch ended: back to matching, to the next lender, or to its end."""
    async with platform_scope(session):
        demand = await demands.lock(session, demand_id)
        if demand.state not in SEEKING:
            return
        if demand.state is DemandState.OFFERED and not await _is_offer_open(session, demand_id):
            demand = await demands.mark(session, demand_id, DemandState.MATCHING, now=now)
        reach = await reach_of(session, demand, now=now)
        if not reach.is_with_somebody:
            await _ask_next(session, demand, reach, path=DispatchPath.AFTER_DECLINE, now=now)


async def end_for_demand(session: AsyncSession, demand_id: UUID, *, now: datetime) -> int:
    """End every dispatch and offer of a demand that the firm withdrew or that expired; return how many dispatches."""
    async with platform_scope(session):
        await demands.lock(session, demand_id)
        return await end_dispatches(session, demand_id, except_lender=None, end_code=OfferEnd.DEMAND_ENDED, now=now)


async def end_without_consent(session: AsyncSession, firm_id: UUID, *, now: datetime) -> int:
    """End the firm's dispatches to lenders that no valid consent covers any longer; return how many."""
    ended = 0
    async with platform_scope(session):
        lenders_of = await _open_lenders(session, firm_id)
        await demands.lock_all(session, lenders_of)
        for demand_id, lender_ids in lenders_of.items():
            allowed = await consent_reads.receivers_allowed(
                session,
                firm_id,
                purpose=Purpose.PRE_LOAN,
                item_codes=list(ITEMS_OPENED_TO_LENDERS),
                receiver_ids=lender_ids,
                now=now,
            )
            for lender_id in sorted(set(lender_ids) - allowed):
                ended += await end_one(session, demand_id, lender_id, OfferEnd.CONSENT_ENDED, now=now)
            await settle(session, demand_id, now=now)
    return ended


async def end_without_authority(session: AsyncSession, authority_id: UUID, *, now: datetime) -> int:
    """End the binding stage of the lender whose written authority the firm took back; return how many ended.

    An offer that was accepted before stands: nothing is left to stop.
    """
    async with platform_scope(session):
        sent = select(Dispatch).where(col(Dispatch.authority_id) == authority_id)
        row = (await session.execute(sent)).scalar_one_or_none()
        if row is None or (await demands.lock(session, row.demand_id)).state not in SEEKING:
            return 0
        ended = await end_one(session, row.demand_id, row.lender_id, OfferEnd.CONSENT_ENDED, now=now)
        await settle(session, row.demand_id, now=now)
    return ended


def requires_seeking(demand: DemandView) -> None:
    """Refuse with `DemandNotOpen` a demand that is not before the lenders."""
    if demand.state not in SEEKING:
        raise DemandNotOpen(state=demand.state.value)


async def own_locked(session: AsyncSession, viewer: Viewer, dispatch_id: UUID) -> tuple[Dispatch, DemandView]:
    """Lock the demand, then a dispatch of it that was sent to the viewer's lender; return both, as they are now.

    The scope is the platform's.

    Raises
    ------
    NotFound
        No such dispatch, or another lender's: the two look the same.
    """
    found = await session.get(Dispatch, dispatch_id)
    if found is None or found.lender_id != viewer.organisation_id:
        raise NotFound
    demand = await demands.lock(session, found.demand_id)
    return await locked(session, dispatch_id), demand


async def _ask_next(
    session: AsyncSession, demand: DemandView, reach: Reach, *, path: DispatchPath, now: datetime
) -> Dispatch | None:
    """Match anew and send to the best that is left; where nobody is and others still look, decide nothing.

    So noes of one moment come to the same decisions in whatever order they are heard: the last one ends the demand.
    """
    if reach.is_with_somebody and not reach.has_anybody_new:
        return None
    weighed = await weigh(session, demand, reach, now=now)
    if reach.is_with_somebody and not weighed.goes_on:
        return None
    assembled = await record(session, weighed, now=now)
    sent = await send_to_best(session, assembled, path=path, most=1, now=now)
    if sent:
        return sent[0]
    if demand.state is DemandState.MATCHING and not reach.is_with_somebody:
        await _reject(session, assembled, now=now)
    return None


async def _reject(session: AsyncSession, assembled: Assembled, *, now: datetime) -> None:
    demand = assembled.demand
    await demands.mark(session, demand.id, DemandState.REJECTED_ALL, now=now)
    happened = DemandRejectedByAll(str(demand.id), str(demand.firm_id), str(assembled.decision_id))
    await announce(session, happened, occurred_at=now)


async def _open_lenders(session: AsyncSession, firm_id: UUID) -> dict[UUID, list[UUID]]:
    statement = (
        select(col(Dispatch.demand_id), col(Dispatch.lender_id))
        .where(
            col(Dispatch.firm_id) == firm_id,
            col(Dispatch.state).in_(list(OPEN_TO_LENDER)),
        )
        .order_by(col(Dispatch.demand_id), col(Dispatch.lender_id))
    )
    found: dict[UUID, list[UUID]] = {}
    for demand_id, lender_id in await session.execute(statement):
        found.setdefault(demand_id, []).append(lender_id)
    return found


async def _is_offer_open(session: AsyncSession, demand_id: UUID) -> bool:
    statement = select(func.count()).where(
        col(OfferStanding.demand_id) == demand_id, col(OfferStanding.state) == OfferState.ISSUED
    )
    return bool((await session.execute(statement)).scalar_one())


def _view(assembled: Assembled, sent: Sequence[Dispatch]) -> MatchView:
    return MatchView(
        demand_id=assembled.demand.id,
        decision_id=assembled.decision_id,
        ranked=assembled.decision.ranked,
        refused=assembled.decision.refused,
        dispatches=tuple(dispatch_view(row) for row in sent),
    )


def dispatch_ids(row: Dispatch) -> tuple[str, str, str, str]:
    """Return the ids that every event of a dispatch carries."""
    return str(row.demand_id), str(row.firm_id), str(row.id), str(row.lender_id)


async def write_down_dispatch(
    session: AsyncSession, viewer: Viewer | None, row: Dispatch, action: str, *, now: datetime
) -> None:
    """Leave the audit row of an act on a dispatch, under every consent that it stands on."""
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[row.firm_id],
        object_kind="dispatch",
        object_id=str(row.id),
        now=now,
        purpose=Purpose.PRE_LOAN.value,
        consent_ids=[row.consent_id, *([row.authority_id] if row.authority_id else [])],
    )
