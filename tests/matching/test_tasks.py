"""What events and time do in matching: from a submitted demand to a replaced lender, each once."""

from datetime import datetime, timedelta

import asyncpg
from builders_consents import a_consent
from builders_demands import a_consent_to
from builders_matching import a_bank, a_choice, a_dispatch, an_asking_firm, an_indication, an_offer
from conftest import Database

from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import queries as consent_reads
from xinyidai.consents import service as consents
from xinyidai.decisions import replay
from xinyidai.demands import queries as demands
from xinyidai.demands import service as demand_service
from xinyidai.demands.rules import DemandState
from xinyidai.foundation import outbox
from xinyidai.foundation.database import in_transaction
from xinyidai.matching import queries, service, tasks
from xinyidai.matching.rules.states import DeclineReason, DispatchEnd, DispatchPath, DispatchState, OfferState


async def test_a_submitted_demand_is_matched_and_a_no_brings_the_next_lender(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        banks = [await a_bank(session, now=noon) for _ in range(6)]
        firm, demand = await an_asking_firm(session, *banks, now=noon)

    await outbox.drain(database.worker, now=noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        first = (await queries.dispatches_for(session, demand.id))[0]
        refuser = next(bank for bank in banks if bank.id == first.lender_id)
    async with in_transaction(database.app) as session:
        await act_as(session, refuser.desk.maker, now=noon)
        await service.decline(session, refuser.desk.maker, first.id, reason=DeclineReason.POLICY_REGION, now=noon)
    await outbox.drain(database.worker, now=noon)

    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        asked = await queries.dispatches_for(session, demand.id)
    assert [one.path for one in asked] == [DispatchPath.MATCH] * 5 + [DispatchPath.AFTER_DECLINE]
    assert {one.lender_id for one in asked} == {bank.id for bank in banks}


async def test_a_demand_withdrawn_before_its_matching_is_matched_to_nobody(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        firm, demand = await an_asking_firm(session, bank, now=noon)
        await demand_service.withdraw(session, firm, demand.id, now=noon)

    await outbox.drain(database.worker, now=noon)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        assert await queries.dispatches_for(session, demand.id) == []
        assert await outbox.waiting(database.worker) == []


async def test_a_consent_taken_back_ends_dispatch_and_offer(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        firm, dispatch = await a_dispatch(session, bank, now=noon)
        offer = await an_offer(session, bank, dispatch, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        given = await consent_reads.consents_of(session, firm, now=noon)
        await consents.revoke(session, firm, given.rows[0].id, now=noon)

    await outbox.drain(database.worker, now=noon)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        assert (await queries.offer(session, firm, offer.id)).state is OfferState.DECLINED
        assert (await queries.dispatch(session, firm, dispatch.id)).state is DispatchState.ENDED
        assert (await demands.demand(session, firm, dispatch.demand_id, now=noon)).state is DemandState.REJECTED_ALL


async def test_an_item_taken_back_ends_what_rested_on_it_and_no_other(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        firm, dispatch = await a_dispatch(session, bank, now=noon)
        given = (await consent_reads.consents_of(session, firm, now=noon)).rows[0]
        wide = await a_consent(
            session, firm, item_codes=["vat_invoice", "electricity", "gas"], receiver_ids=given.receiver_ids, now=noon
        )
        await consents.revoke(session, firm, given.id, now=noon)
    states = []

    for item in ("gas", "vat_invoice"):
        async with in_transaction(database.app) as session:
            await act_as(session, firm, now=noon)
            await consents.withdraw_item(session, firm, wide.id, item, now=noon)
        await outbox.drain(database.worker, now=noon)
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=noon)
            states.append((await queries.dispatch(session, firm, dispatch.id)).state)

    assert states[0] is not DispatchState.ENDED
    assert states[1] is DispatchState.ENDED


async def test_an_authority_taken_back_ends_the_binding_stage(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        firm, dispatch = await a_dispatch(session, bank, now=noon)
        chosen = await a_choice(session, firm, bank, dispatch, now=noon)
        offer = await an_offer(session, bank, dispatch, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        await consents.revoke(session, firm, chosen.authority.id, now=noon)

    await outbox.drain(database.worker, now=noon)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        ended = await queries.dispatch(session, firm, dispatch.id)
        assert (await queries.offer(session, firm, offer.id)).state is OfferState.DECLINED
        assert (ended.state, ended.end_code) == (DispatchState.ENDED, DispatchEnd.CONSENT_ENDED)
        assert await demands.readers_of(session, dispatch.demand_id, now=noon) == frozenset()


async def test_time_ends_silences_offers_and_acceptances(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        silent, slow, taken, mute, unchosen = [await a_bank(session, now=noon) for _ in range(5)]
        _firm, waiting = await a_dispatch(session, unchosen, now=noon)
        await an_indication(session, unchosen, waiting, now=noon)
        choosing, promised = await a_dispatch(session, mute, now=noon)
        await a_choice(session, choosing, mute, promised, now=noon)
        firm, unanswered = await a_dispatch(session, silent, now=noon)
        _firm, offered = await a_dispatch(session, slow, now=noon)
        late = await an_offer(session, slow, offered, now=noon)
        owner, third = await a_dispatch(session, taken, now=noon)
        accepted = await an_offer(session, taken, third, now=noon)
        await service.accept(session, owner, accepted.id, now=noon)
        await a_consent_to(session, firm, slow.id, now=noon)
    after = noon + timedelta(days=40)

    async with in_transaction(database.worker) as session:
        for job in (tasks.time_out, tasks.expire_indications, tasks.expire_offers, tasks.lapse_acceptances):
            await job(session, after)
    await outbox.drain(database.worker, now=noon)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=after)
        assert (await queries.dispatch(session, firm, unanswered.id)).state is DispatchState.REDISPATCHED
        assert (await queries.dispatch(session, choosing, promised.id)).state is DispatchState.TIMED_OUT
        assert (await queries.dispatch(session, unchosen.desk.maker, waiting.id)).end_code is DispatchEnd.NOT_CHOSEN
        assert (await queries.offer(session, slow.desk.maker, late.id)).state is OfferState.EXPIRED
        assert (await queries.offer(session, owner, accepted.id)).state is OfferState.LAPSED


async def test_an_altered_shelf_and_an_altered_demand_are_named_by_the_replay(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    decisions = []
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        for _ in range(3):
            bank = await a_bank(session, now=noon)
            _firm, demand = await an_asking_firm(session, bank, now=noon)
            matched = await service.match(session, demand.id, now=noon)
            decisions.append((matched.decision_id, demand.id))
    await admin.execute("SET session_replication_role = replica")
    await admin.execute("ALTER TABLE matching.shelf DISABLE TRIGGER ALL")
    await admin.execute(
        "UPDATE matching.shelf SET products = '[]' WHERE digest = (SELECT digest FROM matching.shelf"
        " ORDER BY jsonb_array_length(products) LIMIT 1)"
    )
    await admin.execute("UPDATE demands.demand SET amount_fen = amount_fen + 1 WHERE id = $1", decisions[1][1])

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        reports = [await replay.replay_one(session, decision_id, now=noon) for decision_id, _demand in decisions]

    assert [(report.same, report.different) for report in reports] == [(0, 1), (0, 1), (1, 0)]
    assert [[one.leg.value for one in report.differences] for report in reports] == [["outcome"], ["facts"], []]


async def test_a_demand_delivered_after_the_consent_ended_reaches_nobody(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        bank = await a_bank(session, now=noon)
        _firm, demand = await an_asking_firm(session, bank, now=noon)

    await outbox.drain(database.worker, now=noon + timedelta(days=400))

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        assert await queries.dispatches_for(session, demand.id) == []
