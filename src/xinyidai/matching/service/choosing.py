"""The firm's choice: whom it lets make a binding offer, each under a written authority for that lender's credit query.

The choice, the authority and the move of the dispatch are one transaction. Lock order: demand, dispatch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.access.service import platform_scope
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentView
from xinyidai.demands import service as demands
from xinyidai.demands.queries import DemandView
from xinyidai.foundation.calendar import add_working_days
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.outbox import announce
from xinyidai.matching import queries
from xinyidai.matching.events import LenderChosen
from xinyidai.matching.models import Dispatch, Indication
from xinyidai.matching.rules.eligibility import judge
from xinyidai.matching.rules.offers import IndicationExpired, MatchingPolicy, NotEligible, TooManyChosen
from xinyidai.matching.rules.records import eligibility_digest
from xinyidai.matching.rules.states import UNDER_AUTHORITY, DispatchState, dispatch_moved
from xinyidai.matching.service.assembling import applicant_facts, standings_of
from xinyidai.matching.service.desk import requires_firm
from xinyidai.matching.service.dispatching import dispatch_ids, requires_seeking, write_down_dispatch
from xinyidai.matching.service.ending import locked
from xinyidai.matching.service.sending import covering_consent
from xinyidai.matching.service.shelf import requires_dispatched


@dataclass(frozen=True)
class ChoiceView:
    """A lender that the firm chose: the authority it holds, and by when it answers."""

    demand_id: UUID
    dispatch_id: UUID
    indication_id: UUID
    lender_id: UUID
    chosen_at: datetime
    due_on: date
    authority: ConsentView


async def choose_lenders(
    session: AsyncSession,
    viewer: Viewer,
    demand_id: UUID,
    *,
    indication_ids: Sequence[UUID],
    text_digest: bytes,
    now: datetime,
) -> list[ChoiceView]:
    """Choose lenders by their indications, all or none, and authorise each one's own credit query in writing.

    The lender's filter and the firm's consent are asked again: nobody is chosen whom the demand would not reach today.
    More may be added later, as long as no more than the policy says hold the firm's authority at a time. Locks the
    demand.

    Parameters
    ----------
    text_digest : bytes
        Of the text for `Purpose.CREDIT_QUERY` that the firm was shown.

    Raises
    ------
    NotAllowed, NotFound
        No owner of the firm; no such demand or indication of the firm's.
    TooManyChosen, IllegalDispatchStep, IndicationExpired, DemandNotOpen
        Too many at a time; chosen before, declined or ended; over.
    NotEligible, ConsentMissing, ConsentTextOutdated
    """
    requires_firm(viewer)
    demand = await demands.lock_own(session, viewer, demand_id)
    policy = await queries.limits_on(session, business_date(now))
    wanted = list(dict.fromkeys(indication_ids))
    async with platform_scope(session):
        requires_seeking(demand)
        if await _under_authority(session, demand_id) + len(wanted) > policy.lenders_chosen:
            raise TooManyChosen(most=policy.lenders_chosen)
        sent = [await _indicated(session, demand, indication_id, now=now) for indication_id in wanted]
        fitting = await _fits_still(session, demand, [dispatch for _indication, dispatch in sent], policy, now=now)
        return [
            await _choose(
                session, viewer, row, dispatch, fitting[dispatch.id], policy, text_digest=text_digest, now=now
            )
            for row, dispatch in sent
        ]


async def _indicated(
    session: AsyncSession, demand: DemandView, indication_id: UUID, *, now: datetime
) -> tuple[Indication, Dispatch]:
    """Return an indication of this demand that can still be chosen, and its dispatch, locked."""
    row = await session.get(Indication, indication_id)
    if row is None or row.demand_id != demand.id:
        raise NotFound
    sent = await locked(session, row.dispatch_id)
    dispatch_moved(DispatchState(sent.state), DispatchState.CHOSEN)
    if row.valid_until <= now:
        raise IndicationExpired
    await covering_consent(session, firm_id=sent.firm_id, lender_id=sent.lender_id, now=now)
    return row, sent


async def _choose(
    session: AsyncSession,
    viewer: Viewer,
    row: Indication,
    sent: Dispatch,
    choice_digest: bytes,
    policy: MatchingPolicy,
    *,
    text_digest: bytes,
    now: datetime,
) -> ChoiceView:
    authority = await consents.authorise(
        session,
        viewer,
        lender_id=sent.lender_id,
        expires_at=now + timedelta(days=policy.authority_days),
        text_digest=text_digest,
        now=now,
    )
    due = add_working_days(business_date(now), policy.binding_working_days)
    sent.state = dispatch_moved(DispatchState(sent.state), DispatchState.CHOSEN).value
    sent.choice_digest, sent.authority_id = choice_digest, authority.id
    sent.chosen_at, sent.chosen_by = now, viewer.principal_id
    sent.due_on, sent.is_due_provisional = due.day, due.is_provisional
    session.add(sent)
    await session.flush()
    await write_down_dispatch(session, viewer, sent, "matching.chosen", now=now)
    await announce(session, LenderChosen(*dispatch_ids(sent), str(authority.id)), occurred_at=now)
    return ChoiceView(row.demand_id, sent.id, row.id, sent.lender_id, now, due.day, authority)


async def _fits_still(
    session: AsyncSession, demand: DemandView, sent: Sequence[Dispatch], policy: MatchingPolicy, *, now: datetime
) -> dict[UUID, bytes]:
    """Return by dispatch the digest of why its product's own filter lets the demand through now, or refuse.

    The consent was just asked for each lender. It was asked, and answered: that is why it can be chosen.
    """
    products = {one.id: await requires_dispatched(session, one.product_id) for one in sent}
    facts, consent_ids = await applicant_facts(session, demand, list(products.values()), policy, now=now)
    lender_ids = {one.lender_id for one in sent}
    standings = await standings_of(session, demand, lender_ids, policy, allowed=lender_ids, asked=(), now=now)
    found: dict[UUID, bytes] = {}
    for dispatch_id, product in products.items():
        standing = standings[product.lender_id]
        verdict = judge(product, facts, standing)
        if not verdict.is_eligible:
            raise NotEligible(product=product.code, failed=[failure.code for failure in verdict.failures])
        under = [str(consent_id) for consent_id in consent_ids]
        found[dispatch_id] = eligibility_digest(verdict, facts, standing, under)
    return found


async def _under_authority(session: AsyncSession, demand_id: UUID) -> int:
    statement = select(func.count()).where(
        col(Dispatch.demand_id) == demand_id, col(Dispatch.state).in_(list(UNDER_AUTHORITY))
    )
    return int((await session.execute(statement)).scalar_one())
