"""The indicative stage: a range from platform data, once, binding nobody, ended by time."""

from datetime import datetime, timedelta

import asyncpg
import pytest
from builders_demands import a_consent_to
from builders_matching import Asked, a_bank, a_choice, a_dispatch, a_range, an_asking_firm, an_indication, an_offer
from conftest import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as_platform
from xinyidai.consents import queries as consent_reads
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing
from xinyidai.demands import queries as demands
from xinyidai.demands import service as demand_service
from xinyidai.demands.rules import DemandState
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.matching import queries, service
from xinyidai.matching.rules.offers import DemandNotOpen, NotEligible, OfferTermsRefused
from xinyidai.matching.rules.states import DeclineReason, DispatchEnd, DispatchState, IllegalDispatchStep
from xinyidai.products import service as products


async def test_one_officer_answers_with_a_range_that_binds_nobody(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked

    made = await an_indication(session, bank, dispatch, now=noon)

    announced = await session.execute(text("SELECT body FROM foundation.outbox_event WHERE name = 'IndicationMade'"))
    seen = await queries.dispatch(session, firm, dispatch.id)
    assert (made.state, made.terms) == (DispatchState.INDICATED, a_range(now=noon))
    assert await queries.indications_for(session, firm, dispatch.demand_id) == [made]
    assert await queries.offers_for(session, firm, dispatch.demand_id) == []
    assert (seen.state, seen.indicated_at, seen.authority_id) == (DispatchState.INDICATED, noon, None)
    assert (await demands.demand(session, firm, dispatch.demand_id, now=noon)).state is DemandState.MATCHING
    assert announced.scalar_one()["dispatch_id"] == str(dispatch.id)


async def test_the_firm_compares_by_rate_and_a_bank_sees_its_own_alone(session: AsyncSession, noon: datetime) -> None:
    dear, cheap = await a_bank(session, now=noon), await a_bank(session, now=noon)
    firm, demand = await an_asking_firm(session, dear, cheap, now=noon)
    by_lender = {one.lender_id: one for one in (await service.match(session, demand.id, now=noon)).dispatches}
    await an_indication(session, dear, by_lender[dear.id], terms=a_range(min_rate_bp=400, now=noon), now=noon)
    await an_indication(session, cheap, by_lender[cheap.id], now=noon)

    compared = await queries.indications_for(session, firm, demand.id)
    of_dear = await queries.indications_for(session, dear.desk.maker, demand.id)

    assert [one.lender_id for one in compared] == [cheap.id, dear.id]
    assert [one.lender_id for one in of_dear] == [dear.id]


async def test_a_dispatch_is_indicated_once(asked: Asked, noon: datetime) -> None:
    session, bank, _firm, dispatch = asked
    await an_indication(session, bank, dispatch, now=noon)

    with pytest.raises(IllegalDispatchStep):
        await an_indication(session, bank, dispatch, now=noon)


async def test_nobody_else_indicates_and_nothing_beyond_demand_line_or_product(
    session: AsyncSession, noon: datetime
) -> None:
    bank, other = await a_bank(session, now=noon), await a_bank(session, now=noon)
    lined = await a_bank(session, requires_cover=True, line_max_rate_bp=399, now=noon)
    firm, dispatch = await a_dispatch(session, bank, now=noon)
    _firm, covered = await a_dispatch(session, lined, now=noon)

    with pytest.raises(NotFound):
        await an_indication(session, other, dispatch, now=noon)
    with pytest.raises(NotAllowed):
        await service.indicate(session, firm, dispatch.id, terms=a_range(now=noon), now=noon)
    with pytest.raises(OfferTermsRefused):
        await an_indication(session, bank, dispatch, terms=a_range(max_amount_fen=50_000_001, now=noon), now=noon)
    with pytest.raises(OfferTermsRefused, match="between 300 and 399"):
        await an_indication(session, lined, covered, now=noon)
    await products.close(session, bank.desk.maker, bank.product_id, now=noon)
    with pytest.raises(NotEligible):
        await an_indication(session, bank, dispatch, now=noon)


async def test_no_indication_without_the_consent_nor_on_a_withdrawn_demand(
    session: AsyncSession, noon: datetime
) -> None:
    bank = await a_bank(session, now=noon)
    revoking, first = await a_dispatch(session, bank, now=noon)
    leaving, second = await a_dispatch(session, bank, now=noon)
    (given,) = (await consent_reads.consents_of(session, revoking, now=noon)).rows
    await consents.revoke(session, revoking, given.id, now=noon)
    await demand_service.withdraw(session, leaving, second.demand_id, now=noon)

    with pytest.raises(ConsentMissing):
        await an_indication(session, bank, first, now=noon)
    with pytest.raises(DemandNotOpen):
        await an_indication(session, bank, second, now=noon)


async def test_a_lender_may_still_say_no_after_it_indicated(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    await an_indication(session, bank, dispatch, now=noon)

    await service.decline(session, bank.desk.maker, dispatch.id, reason=DeclineReason.LIST_HIT, now=noon)

    seen = await queries.dispatch(session, firm, dispatch.id)
    assert (seen.state, seen.decline_reason) == (DispatchState.DECLINED, DeclineReason.LIST_HIT)


async def test_the_clock_of_the_lender_stands_while_the_firm_thinks(session: AsyncSession, noon: datetime) -> None:
    bank = await a_bank(session, answer_days=1, now=noon)
    _firm, dispatch = await a_dispatch(session, bank, now=noon)
    await an_indication(session, bank, dispatch, now=noon)

    assert await service.time_out_due(session, now=noon + timedelta(days=10)) == 0


async def test_an_indication_not_chosen_in_its_time_ends_and_the_next_lender_is_asked(
    asked: Asked, noon: datetime
) -> None:
    session, bank, firm, dispatch = asked
    await an_indication(session, bank, dispatch, terms=a_range(days=14, now=noon), now=noon)
    fresh = await a_bank(session, now=noon)
    await a_consent_to(session, firm, fresh.id, now=noon)
    over = noon + timedelta(days=14)

    early = await service.expire_indications(session, now=over - timedelta(seconds=1))
    due = await service.expire_indications(session, now=over)
    again = await service.expire_indications(session, now=over)

    told = await session.execute(text("SELECT body FROM foundation.outbox_event WHERE name = 'LenderNotChosen'"))
    ended = await queries.dispatch(session, bank.desk.maker, dispatch.id)
    asked = await queries.dispatches_for(session, dispatch.demand_id)
    assert (early, due, again) == (0, 1, 0)
    assert (ended.state, ended.end_code) == (DispatchState.ENDED, DispatchEnd.NOT_CHOSEN)
    assert told.scalar_one()["lender_id"] == str(bank.id)
    assert [one.lender_id for one in asked] == [bank.id, fresh.id]
    with pytest.raises(NotFound):
        await demands.demand(session, bank.desk.maker, dispatch.demand_id, now=over)


async def test_lenders_not_chosen_are_told_when_the_demand_closes(session: AsyncSession, noon: datetime) -> None:
    won, offered, indicated, silent = [await a_bank(session, now=noon) for _ in range(4)]
    firm, demand = await an_asking_firm(session, won, offered, indicated, silent, now=noon)
    by_lender = {one.lender_id: one for one in (await service.match(session, demand.id, now=noon)).dispatches}
    await an_indication(session, indicated, by_lender[indicated.id], now=noon)
    await a_choice(session, firm, offered, by_lender[offered.id], now=noon)
    offer = await an_offer(session, won, by_lender[won.id], now=noon)

    await service.accept(session, firm, offer.id, now=noon)

    ends = {one.lender_id: one.end_code for one in await queries.dispatches_for(session, demand.id)}
    told = await session.execute(
        text("SELECT body ->> 'lender_id' FROM foundation.outbox_event WHERE name = 'LenderNotChosen'")
    )
    assert ends == {
        won.id: None,
        offered.id: DispatchEnd.ANOTHER_ACCEPTED,
        indicated.id: DispatchEnd.NOT_CHOSEN,
        silent.id: DispatchEnd.ANOTHER_ACCEPTED,
    }
    assert list(told.scalars()) == [str(indicated.id)]


async def test_an_indication_cannot_be_changed_by_anybody(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        _firm, dispatch = await a_dispatch(session, bank, now=noon)
        await an_indication(session, bank, dispatch, now=noon)

    with pytest.raises(asyncpg.RestrictViolationError, match="append_only"):
        await admin.execute("UPDATE matching.indication SET max_rate_bp = min_rate_bp")
