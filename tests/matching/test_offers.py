"""Binding offers: two people, terms that never change, an end for each; and what the firm may compare."""

from dataclasses import replace
from datetime import datetime, timedelta

import asyncpg
import pytest
from builders_demands import a_consent_to
from builders_matching import (
    Asked,
    Bank,
    a_bank,
    a_choice,
    a_dispatch,
    a_range,
    an_asking_firm,
    an_offer,
    choose_unless_chosen,
)
from conftest import Database
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import SamePersonTwice
from xinyidai.access.service import act_as_platform
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing
from xinyidai.demands import queries as demands
from xinyidai.demands import service as demand_service
from xinyidai.demands.rules import DemandState, RepaymentKind
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.matching import queries, service
from xinyidai.matching.queries import DispatchView, OfferView
from xinyidai.matching.rules.offers import DemandNotOpen, NotEligible, OfferExpired, OfferPending, OfferTermsRefused
from xinyidai.matching.rules.states import DispatchState, IllegalDispatchStep, IllegalOfferStep, OfferEnd, OfferState
from xinyidai.products import service as products


async def _made(
    session: AsyncSession, bank: Bank, dispatch: DispatchView, *, amount_fen: int = 50_000_000, now: datetime
) -> OfferView:
    await choose_unless_chosen(session, bank, dispatch, now=now)
    return await service.make_offer(
        session,
        bank.desk.maker,
        dispatch.id,
        amount_fen=amount_fen,
        rate_bp=400,
        term_months=12,
        repayment_kind=RepaymentKind.INTEREST_FIRST,
        valid_until=now + timedelta(days=10),
        now=now,
    )


async def test_the_firm_sees_an_offer_once_a_second_person_approved_it(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    made = await _made(session, bank, dispatch, now=noon)
    before = await queries.offers_for(session, firm, dispatch.demand_id)

    issued = await service.approve_offer(session, bank.desk.checker, made.id, now=noon)

    after = await queries.offers_for(session, firm, dispatch.demand_id)
    assert (before, after) == ([], [issued])
    assert (made.state, issued.state) == (OfferState.PROPOSED, OfferState.ISSUED)
    assert issued.total_interest_fen == 12 * 166_667
    assert (await queries.dispatch(session, firm, dispatch.id)).state is DispatchState.OFFERED
    assert (await demands.demand(session, firm, dispatch.demand_id, now=noon)).state is DemandState.OFFERED


async def test_the_maker_does_not_approve(asked: Asked, noon: datetime) -> None:
    session, bank, _firm, dispatch = asked
    made = await _made(session, bank, dispatch, now=noon)
    both = replace(bank.desk.maker, roles=bank.desk.maker.roles | bank.desk.checker.roles)

    with pytest.raises(SamePersonTwice):
        await service.approve_offer(session, both, made.id, now=noon)
    with pytest.raises(NotAllowed):
        await service.approve_offer(session, bank.desk.maker, made.id, now=noon)


async def test_another_bank_finds_neither_dispatch_nor_offer(session: AsyncSession, noon: datetime) -> None:
    bank, other = await a_bank(session, now=noon), await a_bank(session, now=noon)
    _firm, dispatch = await a_dispatch(session, bank, now=noon)
    offer = await an_offer(session, bank, dispatch, now=noon)

    for act in (
        _made(session, other, dispatch, now=noon),
        service.approve_offer(session, other.desk.checker, offer.id, now=noon),
        service.withdraw_offer(session, other.desk.maker, offer.id, now=noon),
        queries.offer(session, other.desk.maker, offer.id),
    ):
        with pytest.raises(NotFound):
            await act


async def test_an_offer_above_the_demand_is_refused(asked: Asked, noon: datetime) -> None:
    session, bank, _firm, dispatch = asked

    with pytest.raises(OfferTermsRefused):
        await _made(session, bank, dispatch, amount_fen=50_000_001, now=noon)


async def test_a_rate_that_the_sharing_agreement_does_not_allow_is_refused_before_the_firm_sees_it(
    session: AsyncSession, noon: datetime
) -> None:
    bank = await a_bank(session, requires_cover=True, line_max_rate_bp=399, now=noon)
    firm, dispatch = await a_dispatch(session, bank, now=noon)
    await a_choice(session, firm, bank, dispatch, terms=a_range(max_rate_bp=399, now=noon), now=noon)

    with pytest.raises(OfferTermsRefused, match="between 300 and 399"):
        await _made(session, bank, dispatch, now=noon)


async def test_a_lender_has_one_offer_before_the_firm_at_a_time(asked: Asked, noon: datetime) -> None:
    session, bank, _firm, dispatch = asked
    first = await _made(session, bank, dispatch, now=noon)

    with pytest.raises(OfferPending):
        await _made(session, bank, dispatch, now=noon)
    await service.withdraw_offer(session, bank.desk.maker, first.id, now=noon)

    assert (await _made(session, bank, dispatch, now=noon)).state is OfferState.PROPOSED


async def test_no_offer_without_the_firms_consent(session: AsyncSession, noon: datetime) -> None:
    bank = await a_bank(session, now=noon)
    firm, demand = await an_asking_firm(session, bank, now=noon)
    extra = await a_consent_to(session, firm, bank.id, now=noon)
    dispatch = (await service.match(session, demand.id, now=noon)).dispatches[0]
    made = await _made(session, bank, dispatch, now=noon)
    await consents.revoke(session, firm, extra.id, now=noon)
    still = await service.approve_offer(session, bank.desk.checker, made.id, now=noon)
    await service.withdraw_offer(session, bank.desk.maker, still.id, now=noon)
    later = noon + timedelta(days=60)

    with pytest.raises(ConsentMissing):
        await _made(session, bank, dispatch, now=later)


async def test_no_offer_on_a_withdrawn_demand_nor_on_a_closed_product(session: AsyncSession, noon: datetime) -> None:
    bank = await a_bank(session, now=noon)
    firm, first = await a_dispatch(session, bank, now=noon)
    _firm, second = await a_dispatch(session, bank, now=noon)
    for dispatch in (first, second):
        await choose_unless_chosen(session, bank, dispatch, now=noon)
    await demand_service.withdraw(session, firm, first.demand_id, now=noon)
    await products.close(session, bank.desk.maker, bank.product_id, now=noon)

    with pytest.raises(DemandNotOpen):
        await _made(session, bank, first, now=noon)
    with pytest.raises(NotEligible):
        await _made(session, bank, second, now=noon)


async def test_an_offer_that_the_lender_takes_back_leaves_it_chosen(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    offer = await an_offer(session, bank, dispatch, now=noon)

    withdrawn = await service.withdraw_offer(session, bank.desk.maker, offer.id, now=noon)

    assert (withdrawn.state, withdrawn.end_code) == (OfferState.WITHDRAWN, OfferEnd.LENDER_WITHDREW)
    assert (await queries.dispatch(session, firm, dispatch.id)).state is DispatchState.CHOSEN
    assert (await demands.demand(session, firm, dispatch.demand_id, now=noon)).state is DemandState.MATCHING


async def test_a_firm_that_declines_its_only_offer_ends_with_the_demand_rejected(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    offer = await an_offer(session, bank, dispatch, now=noon)

    declined = await service.decline_offer(session, firm, offer.id, now=noon)

    assert (declined.state, declined.end_code) == (OfferState.DECLINED, OfferEnd.FIRM_DECLINED)
    assert (await queries.dispatch(session, firm, dispatch.id)).state is DispatchState.ENDED
    assert (await demands.demand(session, firm, dispatch.demand_id, now=noon)).state is DemandState.REJECTED_ALL
    with pytest.raises(IllegalOfferStep):
        await service.decline_offer(session, firm, offer.id, now=noon)


async def test_an_offer_ends_with_its_time_and_the_next_lender_is_asked(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    offer = await an_offer(session, bank, dispatch, days=20, now=noon)
    fresh = await a_bank(session, now=noon)
    await a_consent_to(session, firm, fresh.id, now=noon)
    over = noon + timedelta(days=20)

    early = await service.expire_offers(session, now=over - timedelta(seconds=1))
    due = await service.expire_offers(session, now=over)

    asked = await queries.dispatches_for(session, dispatch.demand_id)
    assert (early, due) == (0, 1)
    assert (await queries.offer(session, firm, offer.id)).state is OfferState.EXPIRED
    assert [one.lender_id for one in asked] == [bank.id, fresh.id]
    assert (await demands.demand(session, firm, dispatch.demand_id, now=over)).state is DemandState.MATCHING


async def test_a_proposal_whose_time_is_over_is_not_issued(asked: Asked, noon: datetime) -> None:
    session, bank, _firm, dispatch = asked
    made = await _made(session, bank, dispatch, now=noon)

    with pytest.raises(OfferExpired):
        await service.approve_offer(session, bank.desk.checker, made.id, now=noon + timedelta(days=10))


async def test_a_declined_dispatch_takes_no_offer(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    offer = await an_offer(session, bank, dispatch, now=noon)
    await service.decline_offer(session, firm, offer.id, now=noon)
    _firm, other = await a_dispatch(session, bank, now=noon)
    await service.time_out_due(session, now=noon + timedelta(days=30))

    with pytest.raises(IllegalDispatchStep):
        await _made(session, bank, other, now=noon + timedelta(days=30))


async def test_the_terms_of_an_offer_cannot_be_changed_by_anybody(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        _firm, dispatch = await a_dispatch(session, bank, now=noon)
        await an_offer(session, bank, dispatch, now=noon)

    with pytest.raises(asyncpg.RestrictViolationError, match="append_only"):
        await admin.execute("UPDATE matching.offer SET rate_bp = 1")
