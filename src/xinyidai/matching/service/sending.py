"""Sending a demand to a lender: the only writer of dispatches, which checks filter and consent as it sends."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.audit import service as audit
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing, Grant, Purpose
from xinyidai.demands import service as demands
from xinyidai.demands.queries import DemandView
from xinyidai.demands.rules import ITEMS_OPENED_TO_LENDERS
from xinyidai.foundation.calendar import add_working_days
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.outbox import announce
from xinyidai.matching.events import DemandDispatched
from xinyidai.matching.models import Dispatch
from xinyidai.matching.rules.eligibility import OnShelf, Standing, Verdict, judge, lot_for
from xinyidai.matching.rules.offers import (
    LenderAskedBefore,
    NotEligible,
    OfferTermsRefused,
    TooManyLenders,
)
from xinyidai.matching.rules.ranking import first_of_each_lender
from xinyidai.matching.rules.records import eligibility_digest
from xinyidai.matching.rules.states import DispatchPath, DispatchState, dispatch_moved
from xinyidai.matching.service.assembling import Assembled, lines_of


@dataclass(frozen=True)
class Covering:
    """The consent that lets a lender look, and until when."""

    consent_id: UUID
    consent_ids: tuple[UUID, ...]
    until: datetime


async def send_to_best(
    session: AsyncSession, assembled: Assembled, *, path: DispatchPath, most: int, now: datetime
) -> list[Dispatch]:
    """Send to the best product of each lender, in rank, until `most` are sent; who fails at sending is passed over."""
    sent: list[Dispatch] = []
    asked = set(assembled.reach.asked)
    for one in first_of_each_lender(assembled.decision.ranked, len(assembled.decision.ranked)):
        if len(sent) == most:
            break
        try:
            row = await _dispatch_to(session, assembled, asked, UUID(one.candidate.product_id), path=path, now=now)
        except TooManyLenders:
            break
        except (NotEligible, LenderAskedBefore, ConsentMissing):
            # Between ranking and sending a consent ended, a line filled up or the product closed: ask the next.
            continue
        asked.add(row.lender_id)
        sent.append(row)
    return sent


async def send_by_hand(
    session: AsyncSession, assembled: Assembled, product_id: UUID, *, assigned_by: UUID, now: datetime
) -> Dispatch:
    """Send to one product's lender because an operator said so; refusals as for every other path."""
    asked, path = assembled.reach.asked, DispatchPath.MANUAL
    return await _dispatch_to(session, assembled, asked, product_id, path=path, assigned_by=assigned_by, now=now)


async def _dispatch_to(
    session: AsyncSession,
    assembled: Assembled,
    asked: Collection[UUID],
    product_id: UUID,
    *,
    path: DispatchPath,
    assigned_by: UUID | None = None,
    now: datetime,
) -> Dispatch:
    """Send a demand to the lender of a product, whatever the path, or refuse.

    The consent is asked again, and the product's own filter is run again on what this transaction has read of shelf,
    facts and standings. The demand is locked, so nobody else sends it meanwhile and `asked`, who has it by now, is
    whole; the session is in platform scope.

    Raises
    ------
    NotEligible
        The product is no longer open, or a clause fails; names every failing clause.
    ConsentMissing, LenderAskedBefore, TooManyLenders
    """
    demand = assembled.demand
    if len(asked) >= assembled.policy.lenders_in_all:
        raise TooManyLenders(most=assembled.policy.lenders_in_all)
    verdict, standing = _judge(assembled, str(product_id), asked)
    lender_id = UUID(verdict.product.lender_id)
    covering = await covering_consent(session, firm_id=demand.firm_id, lender_id=lender_id, now=now)
    promised = assembled.policy.answer_working_days
    due = add_working_days(business_date(now), min(promised, verdict.product.answer_days or promised))
    row = Dispatch(
        demand_id=demand.id,
        firm_id=demand.firm_id,
        lender_id=lender_id,
        product_id=product_id,
        decision_id=assembled.decision_id,
        consent_id=covering.consent_id,
        eligibility_digest=eligibility_digest(
            verdict, assembled.facts, standing, [str(consent_id) for consent_id in covering.consent_ids]
        ),
        path=path.value,
        assigned_by=assigned_by,
        due_on=due.day,
        is_due_provisional=due.is_provisional,
        lot=lot_for(verdict.product, assembled.facts, standing),
    )
    await demands.open_to(session, demand.id, lender_id, until=covering.until, now=now)
    row.state = dispatch_moved(DispatchState(row.state), DispatchState.SENT).value
    row.sent_at = now
    session.add(row)
    await session.flush()
    await audit.write_down(
        session,
        None,
        action="matching.dispatched",
        subject_ids=[demand.firm_id],
        object_kind="dispatch",
        object_id=str(row.id),
        now=now,
        purpose=Purpose.PRE_LOAN.value,
        consent_ids=covering.consent_ids,
    )
    happened = DemandDispatched(str(demand.id), str(demand.firm_id), str(row.id), str(lender_id))
    await announce(session, happened, occurred_at=now)
    return row


async def covering_consent(session: AsyncSession, *, firm_id: UUID, lender_id: UUID, now: datetime) -> Covering:
    """Return the consent under which this lender may look into what a dispatch opens.

    Raises
    ------
    ConsentMissing
        None is in force, also where the catalogue would ask for none: a dispatch always stands on a consent.
    """
    permission = await consents.permission_for(
        session,
        receiver_id=lender_id,
        subject_ids=[firm_id],
        purpose=Purpose.PRE_LOAN,
        item_codes=list(ITEMS_OPENED_TO_LENDERS),
        now=now,
    )
    if not permission.grants:
        raise ConsentMissing(purpose=Purpose.PRE_LOAN.value, missing=1, items=list(ITEMS_OPENED_TO_LENDERS))
    lasting = [_lasts_longest(permission.grants, code) for code in ITEMS_OPENED_TO_LENDERS]
    ends_first = min(lasting, key=lambda grant: grant.expires_at)
    return Covering(ends_first.consent_id, permission.consent_ids, ends_first.expires_at)


async def requires_rate_of_line(
    session: AsyncSession, product: OnShelf, demand: DemandView, rate_bp: int, *, now: datetime
) -> None:
    """Refuse a rate that the lender's sharing agreement does not allow, where the product asks for cover.

    Better now than at the acceptance, where the firm would be the one to meet the refusal.

    Raises
    ------
    OfferTermsRefused
    """
    if not product.requires_cover:
        return
    lender_id = UUID(product.lender_id)
    line = (await lines_of(session, {lender_id}, demand.amount_fen, now=now)).get(lender_id)
    most_bp = 0 if line is None else line.line_max_rate_bp
    if rate_bp > most_bp:
        raise OfferTermsRefused(field="rate_bp", least=product.min_rate_bp, most=most_bp)


def _lasts_longest(grants: Sequence[Grant], item_code: str) -> Grant:
    covering = [grant for grant in grants if item_code in grant.item_codes]
    return max(covering, key=lambda grant: (grant.expires_at, grant.consent_id))


def _judge(assembled: Assembled, product_id: str, asked: Collection[UUID]) -> tuple[Verdict, Standing]:
    """Return the verdict of a product's own filter, which must let the demand through; `asked` is who has it by now."""
    product = next((one for one in assembled.reach.shelf if one.product_id == product_id), None)
    if product is None:
        raise NotEligible(product=product_id, failed=["product_not_open"])
    if UUID(product.lender_id) in asked:
        raise LenderAskedBefore
    standing = assembled.standings[product.lender_id]
    verdict = judge(product, assembled.facts, standing)
    if not verdict.is_eligible:
        raise NotEligible(product=product.code, failed=[failure.code for failure in verdict.failures])
    return verdict, standing
