"""Reads of matching: limits, dispatches, offers. Row scope is in the query and in row-level security."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, Row, Select, Text, any_, bindparam, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of
from xinyidai.matching.models import Dispatch, Indication, Matching, Offer, OfferStanding
from xinyidai.matching.rules.drift import Drift
from xinyidai.matching.rules.offers import Indicated, MatchingPolicy
from xinyidai.matching.rules.states import (
    TAKEN,
    DeclineReason,
    DispatchEnd,
    DispatchPath,
    DispatchState,
    OfferEnd,
    OfferState,
)
from xinyidai.matching.rules.views import AcceptedOffer as AcceptedOffer
from xinyidai.matching.rules.views import DispatchView as DispatchView
from xinyidai.matching.rules.views import IndicationView as IndicationView
from xinyidai.matching.rules.views import OfferView as OfferView

# What every lender and firm asks all day: through the classes, and built anew each time, it costs twice as much.
_LIMITS = SQLModel.metadata.tables["matching.limits"]
_LIMITS_ON = (
    select(_LIMITS)
    .where(_LIMITS.c.effective_from <= bindparam("day"))
    .order_by(_LIMITS.c.effective_from.desc())
    .limit(1)
)
_DISPATCHES = SQLModel.metadata.tables["matching.dispatch"]
_DISPATCH = select(_DISPATCHES).where(_DISPATCHES.c.id == bindparam("dispatch_id"))
_INBOX = (
    select(_DISPATCHES)
    .where(
        _DISPATCHES.c.lender_id == bindparam("lender_id"),
        _DISPATCHES.c.id > bindparam("after"),
        _DISPATCHES.c.state == any_(bindparam("states", type_=ARRAY(Text))),
    )
    .order_by(_DISPATCHES.c.id)
    .limit(bindparam("most"))
)
_OF_DEMAND = select(_DISPATCHES).where(_DISPATCHES.c.demand_id == bindparam("demand_id")).order_by(_DISPATCHES.c.id)
_ASKED = select(_DISPATCHES.c.lender_id, _DISPATCHES.c.state).where(_DISPATCHES.c.demand_id == bindparam("demand_id"))


def dispatch_view(row: Dispatch | Row[tuple[object, ...]]) -> DispatchView:
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
        indicated_at=row.indicated_at,
        chosen_at=row.chosen_at,
        authority_id=row.authority_id,
        end_code=None if row.end_code is None else DispatchEnd(row.end_code),
    )


def indication_view(row: Indication, sent: Dispatch) -> IndicationView:
    """Return an indication and its dispatch as a value."""
    return IndicationView(
        id=row.id,
        dispatch_id=row.dispatch_id,
        demand_id=row.demand_id,
        firm_id=row.firm_id,
        lender_id=row.lender_id,
        product_id=row.product_id,
        terms=terms_indicated(row),
        made_at=row.made_at,
        state=DispatchState(sent.state),
        authority_id=sent.authority_id,
    )


def terms_indicated(row: Indication) -> Indicated:
    """Return the ranges of an indication's row."""
    return Indicated(
        min_amount_fen=row.min_amount_fen,
        max_amount_fen=row.max_amount_fen,
        min_rate_bp=row.min_rate_bp,
        max_rate_bp=row.max_rate_bp,
        min_term_months=row.min_term_months,
        max_term_months=row.max_term_months,
        repayment_kinds=tuple(RepaymentKind(kind) for kind in row.repayment_kinds),
        valid_until=row.valid_until,
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
        drift=_drift(row),
    )


def _drift(row: Offer) -> Drift | None:
    if row.amount_below_fen is None or row.amount_below_ppm is None or row.rate_above_bp is None:
        return None
    return Drift(row.amount_below_fen, row.amount_below_ppm, row.rate_above_bp, row.is_inside is True)


async def limits_on(session: AsyncSession, day: date) -> MatchingPolicy:
    """Return the limits and clocks in force on a day."""
    row = (await session.execute(_LIMITS_ON, {"day": day})).one()
    return MatchingPolicy(
        effective_from=row.effective_from,
        lenders_at_once=row.lenders_at_once,
        lenders_in_all=row.lenders_in_all,
        answer_working_days=row.answer_working_days,
        acceptance_days=row.acceptance_days,
        offer_days=row.offer_days,
        history_days=row.history_days,
        history_answers=row.history_answers,
        lenders_chosen=row.lenders_chosen,
        indication_days=row.indication_days,
        binding_working_days=row.binding_working_days,
        authority_days=row.authority_days,
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
    row = (await session.execute(_DISPATCH, {"dispatch_id": dispatch_id})).one_or_none()
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
    asked = {
        "lender_id": viewer.organisation_id,
        "after": after_id(cursor),
        "states": list(states) or list(DispatchState),
        "most": size + 1,
    }
    found = await session.execute(_INBOX, asked)
    return page_of([dispatch_view(row) for row in found], limit=size, id_of=lambda view: view.id)


async def dispatches_for(session: AsyncSession, demand_id: UUID) -> list[DispatchView]:
    """Return every dispatch of a demand that the session's scope may see, in the order they were made."""
    return [dispatch_view(row) for row in await session.execute(_OF_DEMAND, {"demand_id": demand_id})]


async def indications_for(session: AsyncSession, viewer: Viewer, demand_id: UUID) -> list[IndicationView]:
    """Return the indications for one demand, the lowest rate first: the firm all of its own, a lender its own alone.

    A demand goes to a bounded number of lenders, so the list is short by nature.
    """
    own = col(Indication.lender_id) if viewer.is_one_of(OrganisationKind.LENDER) else col(Indication.firm_id)
    statement = (
        select(Indication, Dispatch)
        .join(Dispatch, col(Dispatch.id) == col(Indication.dispatch_id))
        .where(col(Indication.demand_id) == demand_id, own == viewer.organisation_id)
        .order_by(
            col(Indication.min_rate_bp),
            col(Indication.max_rate_bp),
            col(Indication.max_amount_fen).desc(),
            col(Indication.made_at),
            col(Dispatch.lot),
        )
        .limit(200)
        .execution_options(populate_existing=True)
    )
    return [indication_view(*found) for found in await session.execute(statement)]


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
        .join(Dispatch, col(Dispatch.id) == col(Offer.dispatch_id))
        .where(col(Offer.demand_id) == demand_id)
        .order_by(
            col(Offer.rate_bp), col(Offer.total_interest_fen), col(Offer.made_at), col(Dispatch.lot), col(Offer.id)
        )
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


async def lenders_asked(session: AsyncSession, demand_id: UUID) -> dict[UUID, DispatchState]:
    """Return every lender that was ever asked about a demand, each once, and where that stands."""
    found = await session.execute(_ASKED, {"demand_id": demand_id})
    return {lender_id: DispatchState(state) for lender_id, state in found}


async def demands_by_decision(session: AsyncSession, decision_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return the ids of the demands that decisions matched, as far as the transaction may see them."""
    statement = select(col(Matching.decision_id), col(Matching.demand_id)).where(
        col(Matching.decision_id).in_(decision_ids)
    )
    return {row.decision_id: row.demand_id for row in await session.execute(statement)}


def _offers_seen_by(viewer: Viewer) -> Select[Offer, OfferStanding]:
    statement = select(Offer, OfferStanding).join(OfferStanding, col(OfferStanding.offer_id) == col(Offer.id))
    if viewer.is_one_of(OrganisationKind.LENDER):
        return statement.where(col(Offer.lender_id) == viewer.organisation_id)
    return statement.where(col(Offer.firm_id) == viewer.organisation_id, col(OfferStanding.approved_at).is_not(None))


async def organisations_to_act(session: AsyncSession, organisation_ids: Sequence[UUID], *, now: datetime) -> set[UUID]:
    """Return those with something of their own to do: firms that may choose or accept, lenders with an opened demand.

    Needs platform scope.
    """
    ids = list(organisation_ids)
    statements = (
        select(col(Dispatch.firm_id)).where(
            col(Dispatch.firm_id).in_(ids), col(Dispatch.state) == DispatchState.INDICATED.value
        ),
        select(col(OfferStanding.firm_id)).where(
            col(OfferStanding.firm_id).in_(ids),
            col(OfferStanding.state) == OfferState.ISSUED.value,
            col(OfferStanding.valid_until) > now,
        ),
        select(col(Dispatch.lender_id)).where(
            col(Dispatch.lender_id).in_(ids),
            col(Dispatch.state).in_([DispatchState.IN_REVIEW.value, DispatchState.CHOSEN.value]),
        ),
    )
    found: set[UUID] = set()
    for statement in statements:
        found |= set((await session.execute(statement)).scalars())
    return found


async def firms_waiting(session: AsyncSession, firm_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of the firms whose demand lies before a lender that has to answer. Needs platform scope."""
    waiting = [state.value for state in (DispatchState.SENT, DispatchState.IN_REVIEW, DispatchState.CHOSEN)]
    found = await session.execute(
        select(col(Dispatch.firm_id)).where(col(Dispatch.firm_id).in_(list(firm_ids)), col(Dispatch.state).in_(waiting))
    )
    return set(found.scalars())
