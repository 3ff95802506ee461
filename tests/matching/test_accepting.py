"""Acceptance: exactly one offer of a demand, capacity in the same transaction, and an end when nothing is disbursed."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from builders_demands import a_consent_to, a_demand
from builders_matching import Asked, a_bank, a_choice, a_dispatch, an_accepted_offer, an_asking_firm, an_offer
from builders_parties import a_firm
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.agreements import queries as agreements
from xinyidai.agreements import service as agreement_service
from xinyidai.agreements.rules import CapacityExhausted, ReservationState
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing
from xinyidai.demands import queries as demands
from xinyidai.demands import service as demand_service
from xinyidai.demands.rules import DemandState, RepaymentKind
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.migrating import migrate
from xinyidai.foundation.settings import DatabaseRole
from xinyidai.matching import queries, service
from xinyidai.matching.models import Offer, OfferStanding
from xinyidai.matching.queries import DispatchView
from xinyidai.matching.rules.offers import AnotherOfferAccepted, DemandNotOpen, OfferExpired
from xinyidai.matching.rules.states import DispatchState, IllegalOfferStep, OfferEnd, OfferState
from xinyidai.matching.service import AcceptedView


async def test_acceptance_reserves_capacity_declines_the_rest_and_is_announced(
    session: AsyncSession, noon: datetime
) -> None:
    covered, plain, slow = (
        await a_bank(session, requires_cover=True, capacity_fen=50_000_000, now=noon),
        await a_bank(session, now=noon),
        await a_bank(session, now=noon),
    )
    firm, demand = await an_asking_firm(session, covered, plain, slow, now=noon)
    by_lender = {one.lender_id: one for one in (await service.match(session, demand.id, now=noon)).dispatches}
    chosen = await an_offer(session, covered, by_lender[covered.id], now=noon)
    other = await an_offer(session, plain, by_lender[plain.id], now=noon)

    accepted = await service.accept(session, firm, chosen.id, now=noon)

    assert accepted.reservation_id is not None
    reservation = await agreements.reservation(session, accepted.reservation_id)
    lost = await queries.offer(session, firm, other.id)
    states = {one.lender_id: one.state for one in await queries.dispatches_for(session, demand.id)}
    announced = await session.execute(text("SELECT body FROM foundation.outbox_event WHERE name = 'OfferAccepted'"))
    assert (reservation.principal_fen, reservation.offer_id) == (50_000_000, chosen.id)
    assert (lost.state, lost.end_code) == (OfferState.DECLINED, OfferEnd.ANOTHER_ACCEPTED)
    assert states == {
        covered.id: DispatchState.OFFERED,
        plain.id: DispatchState.ENDED,
        slow.id: DispatchState.ENDED,
    }
    assert (await demands.demand(session, firm, demand.id, now=noon)).state is DemandState.ACCEPTED
    assert await demands.readers_of(session, demand.id, now=noon) == {covered.id}
    assert announced.scalar_one()["offer_id"] == str(chosen.id)
    assert accepted.disburse_by.isoformat() == "2025-07-16"


async def test_what_the_loan_is_made_from(session: AsyncSession, noon: datetime) -> None:
    firm, bank, accepted = await an_accepted_offer(session, rate_bp=425, now=noon)

    found = await queries.accepted_offer(session, accepted.offer_id)

    assert found is not None
    assert (found.firm_id, found.lender_id, found.amount_fen, found.rate_bp, found.reservation_id) == (
        firm.organisation_id,
        bank.id,
        50_000_000,
        425,
        accepted.reservation_id,
    )
    assert await queries.accepted_offer(session, new_id()) is None


async def test_a_second_offer_of_the_demand_is_not_accepted_any_more(session: AsyncSession, noon: datetime) -> None:
    banks = [await a_bank(session, now=noon) for _ in range(2)]
    firm, demand = await an_asking_firm(session, *banks, now=noon)
    by_lender = {one.lender_id: one for one in (await service.match(session, demand.id, now=noon)).dispatches}
    offers = [await an_offer(session, bank, by_lender[bank.id], now=noon) for bank in banks]
    await service.accept(session, firm, offers[0].id, now=noon)

    with pytest.raises(AnotherOfferAccepted):
        await service.accept(session, firm, offers[1].id, now=noon)
    with pytest.raises(IllegalOfferStep):
        await service.accept(session, firm, offers[0].id, now=noon)


async def test_only_the_firm_accepts(asked: Asked, noon: datetime) -> None:
    session, bank, _firm, dispatch = asked
    offer = await an_offer(session, bank, dispatch, now=noon)

    with pytest.raises(NotFound):
        await service.accept(session, await a_firm(session, now=noon), offer.id, now=noon)
    with pytest.raises(NotAllowed):
        await service.accept(session, bank.desk.maker, offer.id, now=noon)


async def test_a_proposal_that_nobody_approved_cannot_be_accepted(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    await a_choice(session, firm, bank, dispatch, now=noon)
    proposal = await service.make_offer(
        session,
        bank.desk.maker,
        dispatch.id,
        amount_fen=50_000_000,
        rate_bp=400,
        term_months=12,
        repayment_kind=RepaymentKind.EQUAL_INSTALMENTS,
        valid_until=noon + timedelta(days=20),
        now=noon,
    )

    with pytest.raises(NotFound):
        await service.accept(session, firm, proposal.id, now=noon)

    await service.approve_offer(session, bank.desk.checker, proposal.id, now=noon)
    accepted = await service.accept(session, firm, proposal.id, now=noon)
    assert accepted.offer_id == proposal.id


async def test_a_withdrawn_offer_cannot_be_accepted(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    offer = await an_offer(session, bank, dispatch, now=noon)
    await service.withdraw_offer(session, bank.desk.maker, offer.id, now=noon)

    with pytest.raises(IllegalOfferStep):
        await service.accept(session, firm, offer.id, now=noon)


async def test_an_expired_offer_is_not_accepted(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    offer = await an_offer(session, bank, dispatch, days=20, now=noon)

    with pytest.raises(OfferExpired):
        await service.accept(session, firm, offer.id, now=noon + timedelta(days=20))


async def test_an_offer_on_a_withdrawn_demand_is_not_accepted(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    offer = await an_offer(session, bank, dispatch, now=noon)
    await demand_service.withdraw(session, firm, dispatch.demand_id, now=noon)

    with pytest.raises(DemandNotOpen):
        await service.accept(session, firm, offer.id, now=noon)
    await service.end_for_demand(session, dispatch.demand_id, now=noon)
    with pytest.raises(DemandNotOpen):
        await service.accept(session, firm, offer.id, now=noon)


async def test_an_offer_is_not_accepted_after_the_consent_was_taken_back(session: AsyncSession, noon: datetime) -> None:
    bank = await a_bank(session, now=noon)
    firm = await a_firm(session, now=noon)
    consent = await a_consent_to(session, firm, bank.id, now=noon)
    demand = await a_demand(session, firm, now=noon)
    dispatch = (await service.match(session, demand.id, now=noon)).dispatches[0]
    offer = await an_offer(session, bank, dispatch, now=noon)
    await consents.revoke(session, firm, consent.id, now=noon)

    with pytest.raises(ConsentMissing):
        await service.accept(session, firm, offer.id, now=noon)


async def test_two_offers_accepted_in_the_same_millisecond_leave_exactly_one(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        banks = [await a_bank(session, requires_cover=True, now=noon) for _ in range(3)]
        firm, demand = await an_asking_firm(session, *banks, now=noon)
        by_lender = {one.lender_id: one for one in (await service.match(session, demand.id, now=noon)).dispatches}
        offers = [await an_offer(session, bank, by_lender[bank.id], now=noon) for bank in banks]

    answers = await asyncio.gather(
        *[_accept(database, firm, offer.id, now=noon) for offer in offers], return_exceptions=True
    )

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        states = Counter([(await queries.offer(session, firm, offer.id)).state for offer in offers])
        reserved = await session.execute(text("SELECT offer_id FROM agreements.reservation"))
        announced = await session.execute(
            text("SELECT count(*) FROM foundation.outbox_event WHERE name = 'OfferAccepted'")
        )
    won = [answer for answer in answers if isinstance(answer, AcceptedView)]
    lost = [answer for answer in answers if isinstance(answer, AnotherOfferAccepted)]
    assert (len(won), len(lost)) == (1, 2)
    assert states == {OfferState.ACCEPTED: 1, OfferState.DECLINED: 2}
    assert list(reserved.scalars()) == [won[0].offer_id]
    assert announced.scalar_one() == 1


async def test_capacity_for_one_and_two_acceptances_of_different_demands(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        # Lender 20 percent: two loans of half a million need 80 million fen of cover, and the line holds 60.
        bank = await a_bank(session, requires_cover=True, capacity_fen=60_000_000, now=noon)
        asking = [await a_dispatch(session, bank, now=noon) for _ in range(2)]
        offers = [(firm, await an_offer(session, bank, dispatch, now=noon)) for firm, dispatch in asking]

    answers = await asyncio.gather(
        *[_accept(database, firm, offer.id, now=noon) for firm, offer in offers], return_exceptions=True
    )

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        states = sorted([(await queries.offer(session, firm, offer.id)).state for firm, offer in offers])
        parts = await session.execute(
            text("SELECT sum(fund_part_fen + guarantor_part_fen) FROM agreements.reservation")
        )
    assert sorted(type(answer).__name__ for answer in answers) == ["AcceptedView", CapacityExhausted.__name__]
    assert states == [OfferState.ACCEPTED, OfferState.ISSUED]
    assert parts.scalar_one() == 40_000_000


async def test_accepting_and_withdrawing_at_once_do_one_of_the_two(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        firm, dispatch = await a_dispatch(session, bank, now=noon)
        offer = await an_offer(session, bank, dispatch, now=noon)

    async def withdraw() -> object:
        async with in_transaction(database.app) as session:
            await act_as(session, firm, now=noon)
            return await demand_service.withdraw(session, firm, dispatch.demand_id, now=noon)

    answers = await asyncio.gather(_accept(database, firm, offer.id, now=noon), withdraw(), return_exceptions=True)

    assert sum(isinstance(answer, Exception) for answer in answers) == 1


async def test_the_database_itself_refuses_a_second_acceptance(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        banks = [await a_bank(session, now=noon) for _ in range(2)]
        firm, demand = await an_asking_firm(session, *banks, now=noon)
        by_lender = {one.lender_id: one for one in (await service.match(session, demand.id, now=noon)).dispatches}
        offers = [await an_offer(session, bank, by_lender[bank.id], now=noon) for bank in banks]
        await service.accept(session, firm, offers[0].id, now=noon)

    async def force() -> None:
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=noon)
            await session.execute(
                text(
                    "UPDATE matching.offer_standing SET state = 'accepted', accepted_at = :now, disburse_by = :day"
                    " WHERE state = 'declined'"
                ),
                {"now": noon, "day": noon.date()},
            )

    with pytest.raises(IntegrityError, match="uq_offer_standing_taken"):
        await force()


async def test_an_acceptance_that_is_not_disbursed_lapses_and_frees_its_capacity(
    session: AsyncSession, noon: datetime
) -> None:
    firm, _bank, accepted = await an_accepted_offer(session, now=noon)
    last_day, after = noon + timedelta(days=30), noon + timedelta(days=31)

    early = await service.lapse_due(session, now=last_day)
    due = await service.lapse_due(session, now=after)
    again = await service.lapse_due(session, now=after)

    assert accepted.reservation_id is not None
    reservation = await agreements.reservation(session, accepted.reservation_id)
    assert (early, due, again) == (0, 1, 0)
    assert reservation.state is ReservationState.RELEASED
    assert (await queries.offer(session, firm, accepted.offer_id)).state is OfferState.LAPSED
    assert (await demands.demand(session, firm, accepted.demand_id, now=after)).state is DemandState.EXPIRED
    assert await queries.accepted_offer(session, accepted.offer_id) is None


async def test_a_disbursed_offer_does_not_lapse_and_closes_its_demand(session: AsyncSession, noon: datetime) -> None:
    firm, _bank, accepted = await an_accepted_offer(session, now=noon)
    await service.mark_disbursed(session, accepted.offer_id, now=noon)
    await service.mark_disbursed(session, accepted.offer_id, now=noon)

    lapsed = await service.lapse_due(session, now=noon + timedelta(days=31))

    assert lapsed == 0
    assert (await queries.offer(session, firm, accepted.offer_id)).state is OfferState.DISBURSED
    assert (await demands.demand(session, firm, accepted.demand_id, now=noon)).state is DemandState.CLOSED


async def test_an_acceptance_on_which_a_loan_stands_never_lapses(session: AsyncSession, noon: datetime) -> None:
    _firm, _bank, accepted = await an_accepted_offer(session, now=noon)
    assert accepted.reservation_id is not None
    await agreement_service.turn_into_cover(session, accepted.reservation_id, loan_id=new_id(), now=noon)

    lapsed = await service.lapse_due(session, now=noon + timedelta(days=31))

    assert lapsed == 0
    assert await queries.accepted_offer(session, accepted.offer_id) is not None


async def _accept(database: Database, firm: Viewer, offer_id: UUID, *, now: datetime) -> AcceptedView:
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=now)
        return await service.accept(session, firm, offer_id, now=now)


async def test_an_offer_from_before_the_two_stages_is_still_accepted_or_taken_back(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        asked = [await a_dispatch(session, bank, now=noon) for _ in range(2)]
    offers = [await _an_offer_from_before(database, dispatch, now=noon) for _firm, dispatch in asked]
    await migrate(database.settings.dsn(DatabaseRole.MIGRATE), to="0019")
    await migrate(database.settings.dsn(DatabaseRole.MIGRATE))

    accepted = await _accept(database, asked[0][0], offers[0], now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, bank.desk.maker, now=noon)
        await service.withdraw_offer(session, bank.desk.maker, offers[1], now=noon)
        back = await queries.dispatch(session, bank.desk.maker, asked[1][1].id)

    assert accepted.offer_id == offers[0]
    assert back.state is DispatchState.IN_REVIEW


async def _an_offer_from_before(database: Database, dispatch: DispatchView, *, now: datetime) -> UUID:
    """Write the rows that an issued offer left before there were indications; return its id."""
    row = Offer(
        dispatch_id=dispatch.id,
        demand_id=dispatch.demand_id,
        firm_id=dispatch.firm_id,
        lender_id=dispatch.lender_id,
        product_id=dispatch.product_id,
        amount_fen=50_000_000,
        rate_bp=400,
        term_months=12,
        repayment_kind="equal_instalments",
        total_interest_fen=1_089_942,
        requires_cover=False,
        valid_until=now + timedelta(days=20),
        made_by=new_id(),
        made_at=now,
    )
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        session.add(row)
        await session.flush()
        offer_id = row.id
        session.add(
            OfferStanding(
                offer_id=offer_id,
                demand_id=dispatch.demand_id,
                firm_id=dispatch.firm_id,
                lender_id=dispatch.lender_id,
                made_by=row.made_by,
                valid_until=row.valid_until,
                state=OfferState.ISSUED.value,
                approved_by=new_id(),
                approved_at=now,
            )
        )
        await demand_service.mark(session, dispatch.demand_id, DemandState.OFFERED, now=now)
        await session.execute(
            text("UPDATE matching.dispatch SET state = 'offered', offered_at = :now WHERE id = :id"),
            {"now": now, "id": dispatch.id},
        )
    return offer_id
