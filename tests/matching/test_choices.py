"""The firm's choice: up to so many lenders, each under a written authority that can be taken back at once."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

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
    an_indication,
    an_offer,
    authority_text,
)
from builders_parties import a_firm
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Role, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import queries as consent_reads
from xinyidai.consents import service as consents
from xinyidai.consents.rules import (
    AuthorityMissing,
    ConsentMissing,
    ConsentState,
    ConsentTextOutdated,
    ConsentView,
    Purpose,
)
from xinyidai.demands.queries import DemandView
from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.matching import queries, service
from xinyidai.matching.queries import DispatchView, IndicationView, OfferView
from xinyidai.matching.rules.offers import IndicationExpired, NotEligible, TooManyChosen
from xinyidai.matching.rules.states import DeclineReason, DispatchPath, DispatchState, IllegalDispatchStep
from xinyidai.matching.service import ChoiceView
from xinyidai.products import service as products


async def _choose(
    session: AsyncSession, firm: Viewer, demand_id: UUID, *indications: IndicationView, now: datetime
) -> list[ChoiceView]:
    return await service.choose_lenders(
        session,
        firm,
        demand_id,
        indication_ids=[one.id for one in indications],
        text_digest=authority_text(now),
        now=now,
    )


async def _indicated(
    session: AsyncSession, count: int, *, now: datetime
) -> tuple[Viewer, DemandView, list[Bank], list[IndicationView]]:
    """Return a firm, its demand, and so many banks with what each indicated."""
    banks = [await a_bank(session, now=now) for _ in range(count)]
    firm, demand = await an_asking_firm(session, *banks, now=now)
    by_lender = {one.lender_id: one for one in (await service.match(session, demand.id, now=now)).dispatches}
    return firm, demand, banks, [await an_indication(session, bank, by_lender[bank.id], now=now) for bank in banks]


async def _propose(session: AsyncSession, bank: Bank, dispatch: DispatchView, *, now: datetime) -> OfferView:
    return await service.make_offer(
        session,
        bank.desk.maker,
        dispatch.id,
        amount_fen=45_000_000,
        rate_bp=430,
        term_months=12,
        repayment_kind=RepaymentKind.EQUAL_INSTALMENTS,
        valid_until=now + timedelta(days=10),
        now=now,
    )


async def test_a_choice_is_a_written_authority_to_one_lender_and_a_clock(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    later = noon + timedelta(days=2)

    chosen = await a_choice(session, firm, bank, dispatch, now=later)

    kept = await consent_reads.consent(session, bank.desk.maker, chosen.authority.id, now=later)
    seen = await queries.dispatch(session, bank.desk.maker, dispatch.id)
    announced = await session.execute(text("SELECT body FROM foundation.outbox_event WHERE name = 'LenderChosen'"))
    assert (kept.purpose, kept.receiver_ids, kept.item_codes) == (Purpose.CREDIT_QUERY, (bank.id,), ())
    assert (kept.text_digest, kept.granted_by) == (authority_text(later), firm.principal_id)
    assert kept.expires_at == later + timedelta(days=90)
    assert (seen.state, seen.authority_id, seen.chosen_at) == (DispatchState.CHOSEN, kept.id, later)
    assert seen.due_on == chosen.due_on == datetime.fromisoformat("2025-07-02").date()
    assert announced.scalar_one()["authority_id"] == str(kept.id)


async def test_an_authority_opens_nothing_that_the_platform_keeps(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    await a_choice(session, firm, bank, dispatch, now=noon)

    with pytest.raises(ConsentMissing):
        await consents.require(
            session,
            receiver_id=bank.id,
            subject_ids=[firm.organisation_id],
            purpose=Purpose.CREDIT_QUERY,
            item_codes=["vat_invoice"],
            now=noon,
        )


async def test_no_binding_offer_before_the_choice(asked: Asked, noon: datetime) -> None:
    session, bank, _firm, dispatch = asked
    with pytest.raises(IllegalDispatchStep):
        await _propose(session, bank, dispatch, now=noon)
    await an_indication(session, bank, dispatch, now=noon)

    with pytest.raises(IllegalDispatchStep):
        await _propose(session, bank, dispatch, now=noon)


async def test_a_binding_offer_outside_its_range_is_made_and_its_drift_kept(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    await a_choice(session, firm, bank, dispatch, terms=a_range(min_amount_fen=50_000_000, now=noon), now=noon)

    made = await _propose(session, bank, dispatch, now=noon)

    assert made.drift is not None
    assert (made.drift.amount_below_fen, made.drift.amount_below_ppm) == (5_000_000, 100_000)
    assert (made.drift.rate_above_bp, made.drift.is_inside) == (10, False)


async def test_up_to_three_at_a_time_and_another_when_one_falls_away(session: AsyncSession, noon: datetime) -> None:
    firm, demand, banks, indicated = await _indicated(session, 4, now=noon)
    await _choose(session, firm, demand.id, *indicated[:2], now=noon)

    with pytest.raises(TooManyChosen):
        await _choose(session, firm, demand.id, *indicated[2:], now=noon)
    (third,) = await _choose(session, firm, demand.id, indicated[2], now=noon)
    with pytest.raises(TooManyChosen):
        await _choose(session, firm, demand.id, indicated[3], now=noon)
    await service.decline(session, banks[2].desk.maker, third.dispatch_id, reason=DeclineReason.LIST_HIT, now=noon)
    (fourth,) = await _choose(session, firm, demand.id, indicated[3], now=noon)

    assert fourth.lender_id == banks[3].id


async def test_a_choice_is_all_or_nothing(session: AsyncSession, noon: datetime) -> None:
    firm, demand, banks, indicated = await _indicated(session, 2, now=noon)
    await products.close(session, banks[1].desk.maker, banks[1].product_id, now=noon)

    with pytest.raises(NotEligible):
        async with session.begin_nested():
            await _choose(session, firm, demand.id, *indicated, now=noon)

    authorities = await session.execute(text("SELECT count(*) FROM consents.consent WHERE purpose = 'credit_query'"))
    states = {one.state for one in await queries.dispatches_for(session, demand.id)}
    assert (authorities.scalar_one(), states) == (0, {DispatchState.INDICATED})


async def test_only_the_owner_of_the_firm_chooses_and_only_what_was_indicated_to_it(
    session: AsyncSession, noon: datetime
) -> None:
    firm, demand, banks, (indicated,) = await _indicated(session, 1, now=noon)
    stranger = await a_firm(session, now=noon)
    other, _other_demand, _banks, (elsewhere,) = await _indicated(session, 1, now=noon)
    officer = replace(firm, roles=frozenset({Role.OFFICER}))

    with pytest.raises(NotFound):
        await _choose(session, stranger, demand.id, indicated, now=noon)
    with pytest.raises(NotFound):
        await _choose(session, firm, demand.id, elsewhere, now=noon)
    for viewer in (banks[0].desk.maker, officer):
        with pytest.raises(NotAllowed):
            await _choose(session, viewer, demand.id, indicated, now=noon)
    assert (await queries.indications_for(session, other, demand.id)) == []


async def test_what_was_shown_must_be_the_text_in_use(session: AsyncSession, noon: datetime) -> None:
    firm, demand, _banks, (indicated,) = await _indicated(session, 1, now=noon)

    with pytest.raises(ConsentTextOutdated):
        await service.choose_lenders(
            session, firm, demand.id, indication_ids=[indicated.id], text_digest=bytes(32), now=noon
        )


async def test_an_indication_past_its_time_is_not_chosen(session: AsyncSession, noon: datetime) -> None:
    firm, demand, _banks, (indicated,) = await _indicated(session, 1, now=noon)

    with pytest.raises(IndicationExpired):
        await _choose(session, firm, demand.id, indicated, now=noon + timedelta(days=14))


async def test_a_choice_needs_the_consent_too(session: AsyncSession, noon: datetime) -> None:
    firm, demand, _banks, (indicated,) = await _indicated(session, 1, now=noon)
    (given,) = (await consent_reads.consents_of(session, firm, now=noon)).rows
    await consents.revoke(session, firm, given.id, now=noon)

    with pytest.raises(ConsentMissing):
        await _choose(session, firm, demand.id, indicated, now=noon)


async def test_a_revoked_authority_stops_proposal_approval_and_acceptance_at_once(
    session: AsyncSession, noon: datetime
) -> None:
    bank = await a_bank(session, now=noon)
    asked = [await a_dispatch(session, bank, now=noon) for _ in range(3)]
    chosen = [await a_choice(session, firm, bank, dispatch, now=noon) for firm, dispatch in asked]
    proposed = await _propose(session, bank, asked[1][1], now=noon)
    issued = await an_offer(session, bank, asked[2][1], now=noon)
    for (firm, _dispatch), choice in zip(asked, chosen, strict=True):
        await consents.revoke(session, firm, choice.authority.id, now=noon)

    with pytest.raises(AuthorityMissing):
        await _propose(session, bank, asked[0][1], now=noon)
    with pytest.raises(AuthorityMissing):
        await service.approve_offer(session, bank.desk.checker, proposed.id, now=noon)
    with pytest.raises(AuthorityMissing):
        await service.accept(session, asked[2][0], issued.id, now=noon)


async def test_a_revoked_authority_ends_the_lender_and_leaves_an_accepted_offer(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    chosen = await a_choice(session, firm, bank, dispatch, now=noon)
    taker, other = await a_dispatch(session, bank, now=noon)
    taken = await a_choice(session, taker, bank, other, now=noon)
    offer = await an_offer(session, bank, other, now=noon)
    await service.accept(session, taker, offer.id, now=noon)

    ended = await service.end_without_authority(session, chosen.authority.id, now=noon)
    again = await service.end_without_authority(session, chosen.authority.id, now=noon)
    late = await service.end_without_authority(session, taken.authority.id, now=noon)

    assert (ended, again, late) == (1, 0, 0)
    assert (await queries.dispatch(session, firm, dispatch.id)).state is DispatchState.ENDED
    assert await queries.accepted_offer(session, offer.id) is not None


async def test_a_chosen_lender_that_stays_silent_times_out_and_the_next_is_asked(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked
    await a_choice(session, firm, bank, dispatch, now=noon)
    fresh = await a_bank(session, now=noon)
    await a_consent_to(session, firm, fresh.id, now=noon)
    last_day, after = datetime.fromisoformat("2025-06-30T04:00Z"), datetime.fromisoformat("2025-07-01T04:00Z")

    early = await service.time_out_due(session, now=last_day)
    due = await service.time_out_due(session, now=after)
    replaced = await service.replace_dispatch(session, dispatch.id, path=DispatchPath.AFTER_TIMEOUT, now=after)

    assert (early, due) == (0, 1)
    assert replaced is not None
    assert replaced.lender_id == fresh.id
    with pytest.raises(IllegalDispatchStep):
        await _propose(session, bank, dispatch, now=after)


async def test_a_demand_waits_for_the_firm_while_something_is_indicated(session: AsyncSession, noon: datetime) -> None:
    firm, demand, banks, indicated = await _indicated(session, 2, now=noon)

    await service.decline(
        session, banks[0].desk.maker, indicated[0].dispatch_id, reason=DeclineReason.LIST_HIT, now=noon
    )
    await service.replace_dispatch(session, indicated[0].dispatch_id, path=DispatchPath.AFTER_DECLINE, now=noon)

    (chosen,) = await _choose(session, firm, demand.id, indicated[1], now=noon)
    assert chosen.lender_id == banks[1].id


async def test_four_choices_in_the_same_millisecond_leave_exactly_three(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, demand, _banks, indicated = await _indicated(session, 4, now=noon)

    async def choose(one: IndicationView) -> list[ChoiceView]:
        async with in_transaction(database.app) as session:
            await act_as(session, firm, now=noon)
            return await _choose(session, firm, demand.id, one, now=noon)

    answers = await asyncio.gather(*[choose(one) for one in indicated], return_exceptions=True)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        states = Counter(one.state for one in await queries.dispatches_for(session, demand.id))
        given = await session.execute(text("SELECT count(*) FROM consents.consent WHERE purpose = 'credit_query'"))
    assert sorted(type(answer).__name__ for answer in answers) == [TooManyChosen.__name__, "list", "list", "list"]
    assert states == {DispatchState.CHOSEN: 3, DispatchState.INDICATED: 1}
    assert given.scalar_one() == 3


async def test_choosing_the_same_lender_twice_at_once_gives_one_authority(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, demand, _banks, (indicated,) = await _indicated(session, 1, now=noon)

    async def choose() -> list[ChoiceView]:
        async with in_transaction(database.app) as session:
            await act_as(session, firm, now=noon)
            return await _choose(session, firm, demand.id, indicated, now=noon)

    answers = await asyncio.gather(choose(), choose(), return_exceptions=True)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        given = await session.execute(text("SELECT count(*) FROM consents.consent WHERE purpose = 'credit_query'"))
    assert sorted(type(answer).__name__ for answer in answers) == [IllegalDispatchStep.__name__, "list"]
    assert given.scalar_one() == 1


async def test_a_consent_revoked_while_a_lender_is_chosen_never_leaves_it_an_offer_to_make(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, demand, banks, (indicated,) = await _indicated(session, 1, now=noon)
        (given,) = (await consent_reads.consents_of(session, firm, now=noon)).rows
        dispatch = await queries.dispatch(session, firm, indicated.dispatch_id)

    async def choose() -> list[ChoiceView]:
        async with in_transaction(database.app) as session:
            await act_as(session, firm, now=noon)
            return await _choose(session, firm, demand.id, indicated, now=noon)

    async def revoke() -> ConsentView:
        async with in_transaction(database.app) as session:
            await act_as(session, firm, now=noon)
            return await consents.revoke(session, firm, given.id, now=noon)

    _chosen, revoked = await asyncio.gather(choose(), revoke(), return_exceptions=True)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        with pytest.raises((ConsentMissing, IllegalDispatchStep)):
            await _propose(session, banks[0], dispatch, now=noon)
    assert isinstance(revoked, ConsentView)


async def test_a_proposal_and_a_revocation_at_once_leave_nothing_that_can_be_issued(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        firm, dispatch = await a_dispatch(session, bank, now=noon)
        chosen = await a_choice(session, firm, bank, dispatch, now=noon)

    async def propose() -> OfferView:
        async with in_transaction(database.app) as session:
            await act_as(session, bank.desk.maker, now=noon)
            return await _propose(session, bank, dispatch, now=noon)

    async def revoke() -> ConsentView:
        async with in_transaction(database.app) as session:
            await act_as(session, firm, now=noon)
            return await consents.revoke(session, firm, chosen.authority.id, now=noon)

    _proposed, revoked = await asyncio.gather(propose(), revoke(), return_exceptions=True)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        offers = await queries.offers_for(session, bank.desk.maker, dispatch.demand_id)
        for offer in offers:
            with pytest.raises(AuthorityMissing):
                await service.approve_offer(session, bank.desk.checker, offer.id, now=noon)
    assert isinstance(revoked, ConsentView)
    assert revoked.state is ConsentState.REVOKED


async def test_the_database_itself_keeps_a_binding_stage_without_an_authority_out(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        _firm, demand, _banks, _indications = await _indicated(session, 1, now=noon)

    async def force() -> None:
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=noon)
            await session.execute(
                text("UPDATE matching.dispatch SET state = 'chosen' WHERE demand_id = :demand"), {"demand": demand.id}
            )

    with pytest.raises(IntegrityError, match="ck_dispatch_binding_under_authority"):
        await force()
