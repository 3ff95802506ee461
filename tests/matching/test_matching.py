"""Matching: whom a demand is sent to, why not to others, and what happens when nobody answers."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

import pytest
from builders_demands import a_consent_to, a_demand
from builders_matching import Asked, a_bank, a_dispatch, an_asking_firm
from builders_parties import a_desk, a_firm
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind
from xinyidai.consents import service as consents
from xinyidai.decisions import queries as decisions
from xinyidai.decisions import replay
from xinyidai.demands import queries as demands
from xinyidai.demands import service as demand_service
from xinyidai.demands.rules import DemandState, IllegalDemandStep
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.matching import queries, service
from xinyidai.matching.rules.eligibility import Filter
from xinyidai.matching.rules.offers import DemandNotOpen, LenderAskedBefore, NotEligible
from xinyidai.matching.rules.states import DeclineReason, DispatchPath, DispatchState, IllegalDispatchStep
from xinyidai.parties.rules import PLATFORM_ID


async def test_a_demand_goes_to_the_cheapest_lenders_and_the_firm_learns_why_not_to_others(
    session: AsyncSession, noon: datetime
) -> None:
    dear = await a_bank(session, min_rate_bp=500, max_rate_bp=900, now=noon)
    cheap = await a_bank(session, min_rate_bp=300, max_rate_bp=500, now=noon)
    small = await a_bank(session, max_amount_fen=40_000_000, min_age_months=600, now=noon)
    unnamed = await a_bank(session, now=noon)
    firm, demand = await an_asking_firm(session, dear, cheap, small, now=noon)

    matched = await service.match(session, demand.id, now=noon)

    told = await decisions.explanation(session, firm, matched.decision_id)
    failed = {verdict.product.lender_id: [one.code for one in verdict.failures] for verdict in matched.refused}
    assert [dispatch.lender_id for dispatch in matched.dispatches] == [cheap.id, dear.id]
    assert failed[str(small.id)][0] == Filter.AMOUNT
    assert len(failed[str(small.id)]) == 2
    assert failed[str(unnamed.id)] == [Filter.CONSENT]
    assert told.reasons is not None
    assert len(told.reasons) == 3
    assert (await demands.demand(session, firm, demand.id, now=noon)).state is DemandState.MATCHING


async def test_no_more_lenders_are_asked_at_once_than_the_policy_says(session: AsyncSession, noon: datetime) -> None:
    banks = [await a_bank(session, now=noon) for _ in range(7)]
    _firm, demand = await an_asking_firm(session, *banks, now=noon)

    matched = await service.match(session, demand.id, now=noon)

    assert (len(matched.ranked), len(matched.dispatches)) == (7, 5)


async def test_the_answer_clock_is_ten_working_days_or_the_products_own_promise(
    session: AsyncSession, noon: datetime
) -> None:
    plain = await a_bank(session, now=noon)
    quick = await a_bank(session, answer_days=3, now=noon)
    slow = await a_bank(session, answer_days=30, now=noon)
    _firm, demand = await an_asking_firm(session, plain, quick, slow, now=noon)

    matched = await service.match(session, demand.id, now=noon)

    due = {dispatch.lender_id: dispatch.due_on.isoformat() for dispatch in matched.dispatches}
    assert due == {plain.id: "2025-06-30", quick.id: "2025-06-19", slow.id: "2025-06-30"}


async def test_with_nobody_eligible_the_demand_ends_with_every_reason(session: AsyncSession, noon: datetime) -> None:
    bank = await a_bank(session, min_amount_fen=90_000_000, now=noon)
    firm, demand = await an_asking_firm(session, bank, now=noon)

    matched = await service.match(session, demand.id, now=noon)

    told = await decisions.explanation(session, firm, matched.decision_id)
    announced = await session.execute(
        text("SELECT count(*) FROM foundation.outbox_event WHERE name = 'DemandRejectedByAll'")
    )
    assert matched.dispatches == ()
    assert told.reasons is not None
    assert [reason["code"] for reason in told.reasons] == [Filter.AMOUNT]
    assert (await demands.demand(session, firm, demand.id, now=noon)).state is DemandState.REJECTED_ALL
    assert announced.scalar_one() == 1


async def test_a_demand_is_matched_once(session: AsyncSession, noon: datetime) -> None:
    bank = await a_bank(session, now=noon)
    _firm, demand = await an_asking_firm(session, bank, now=noon)
    await service.match(session, demand.id, now=noon)

    with pytest.raises(IllegalDemandStep):
        await service.match(session, demand.id, now=noon)


async def test_a_firm_without_any_consent_is_matched_to_nobody(session: AsyncSession, noon: datetime) -> None:
    await a_bank(session, now=noon)
    firm = await a_firm(session, now=noon)
    demand = await a_demand(session, firm, now=noon)

    matched = await service.match(session, demand.id, now=noon)

    assert matched.dispatches == ()
    assert [one.code for one in matched.refused[0].failures] == [Filter.CONSENT]


async def test_a_full_or_missing_line_keeps_a_covered_product_from_being_asked(
    session: AsyncSession, noon: datetime
) -> None:
    full = await a_bank(session, requires_cover=True, capacity_fen=10_000_000, now=noon)
    roomy = await a_bank(session, requires_cover=True, now=noon)
    _firm, demand = await an_asking_firm(session, full, roomy, now=noon)

    matched = await service.match(session, demand.id, now=noon)

    failed = [one.code for one in matched.refused[0].failures]
    assert [dispatch.lender_id for dispatch in matched.dispatches] == [roomy.id]
    assert failed == [Filter.LINE_CAPACITY, Filter.LINE_FIRM_CAP]


async def test_a_decline_closes_the_demand_to_the_lender_and_the_next_one_is_asked(
    session: AsyncSession, noon: datetime
) -> None:
    banks = [await a_bank(session, now=noon) for _ in range(6)]
    firm, demand = await an_asking_firm(session, *banks, now=noon)
    first = (await service.match(session, demand.id, now=noon)).dispatches[0]
    refuser = next(bank for bank in banks if bank.id == first.lender_id)

    await service.decline(session, refuser.desk.maker, first.id, reason=DeclineReason.CAPACITY_DEBT, now=noon)
    replaced = await service.replace_dispatch(session, first.id, path=DispatchPath.AFTER_DECLINE, now=noon)

    left = next(bank for bank in banks if replaced is not None and bank.id == replaced.lender_id)
    seen = await queries.dispatch(session, firm, first.id)
    assert replaced is not None
    assert (seen.state, seen.replaced_by) == (DispatchState.REDISPATCHED, replaced.id)
    assert seen.decline_reason is DeclineReason.CAPACITY_DEBT
    with pytest.raises(NotFound):
        await demands.demand(session, refuser.desk.maker, demand.id, now=noon)
    assert (await demands.demand(session, left.desk.maker, demand.id, now=noon)).id == demand.id


async def test_a_replacement_happens_once_however_often_it_is_delivered(session: AsyncSession, noon: datetime) -> None:
    banks = [await a_bank(session, now=noon) for _ in range(7)]
    _firm, demand = await an_asking_firm(session, *banks, now=noon)
    first = (await service.match(session, demand.id, now=noon)).dispatches[0]
    refuser = next(bank for bank in banks if bank.id == first.lender_id)
    await service.decline(session, refuser.desk.maker, first.id, reason=DeclineReason.POLICY_AGE, now=noon)

    once = await service.replace_dispatch(session, first.id, path=DispatchPath.AFTER_DECLINE, now=noon)
    twice = await service.replace_dispatch(session, first.id, path=DispatchPath.AFTER_DECLINE, now=noon)

    assert once is not None
    assert twice is None
    assert len(await queries.dispatches_for(session, demand.id)) == 6


async def test_when_the_last_lender_says_no_the_demand_ends(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked

    await service.decline(session, bank.desk.maker, dispatch.id, reason=DeclineReason.DATA_MISSING, now=noon)
    await service.replace_dispatch(session, dispatch.id, path=DispatchPath.AFTER_DECLINE, now=noon)

    ended = await demands.demand(session, firm, dispatch.demand_id, now=noon)
    assert ended.state is DemandState.REJECTED_ALL


async def test_a_suspicion_is_kept_from_the_firm(asked: Asked, noon: datetime) -> None:
    session, bank, firm, dispatch = asked

    await service.decline(session, bank.desk.maker, dispatch.id, reason=DeclineReason.SUSPICION, now=noon)

    kept = await session.execute(text("SELECT reason, lender_id FROM matching.restricted_reason"))
    seen = await queries.dispatch(session, firm, dispatch.id)
    assert seen.decline_reason is DeclineReason.CANNOT_PROCEED
    assert kept.one() == (DeclineReason.SUSPICION, bank.id)


async def test_an_unanswered_dispatch_times_out_after_its_last_day(session: AsyncSession, noon: datetime) -> None:
    first, second = await a_bank(session, now=noon), await a_bank(session, now=noon)
    firm, dispatch = await a_dispatch(session, first, now=noon)
    await a_consent_to(session, firm, second.id, now=noon)
    last_day, after = datetime.fromisoformat("2025-06-30T04:00Z"), datetime.fromisoformat("2025-07-01T04:00Z")

    early = await service.time_out_due(session, now=last_day)
    due = await service.time_out_due(session, now=after)
    replaced = await service.replace_dispatch(session, dispatch.id, path=DispatchPath.AFTER_TIMEOUT, now=after)

    assert (early, due) == (0, 1)
    assert replaced is not None
    assert (replaced.lender_id, replaced.path) == (second.id, DispatchPath.AFTER_TIMEOUT)
    with pytest.raises(IllegalDispatchStep):
        await service.decline(session, first.desk.maker, dispatch.id, reason=DeclineReason.IDENTITY, now=after)


async def test_a_lender_cannot_act_on_another_lenders_dispatch(session: AsyncSession, noon: datetime) -> None:
    bank, other = await a_bank(session, now=noon), await a_bank(session, now=noon)
    firm, dispatch = await a_dispatch(session, bank, now=noon)

    for act in (
        service.take_up(session, other.desk.maker, dispatch.id, now=noon),
        service.decline(session, other.desk.maker, dispatch.id, reason=DeclineReason.IDENTITY, now=noon),
        queries.dispatch(session, other.desk.maker, dispatch.id),
    ):
        with pytest.raises(NotFound):
            await act
    with pytest.raises(NotAllowed):
        await service.take_up(session, firm, dispatch.id, now=noon)


async def test_an_operator_cannot_pass_a_filter_a_consent_or_a_second_time(
    session: AsyncSession, noon: datetime
) -> None:
    bank, picky, unnamed = [await a_bank(session, now=noon) for _ in range(3)]
    picky = await a_bank(session, min_amount_fen=90_000_000, now=noon)
    firm, demand = await an_asking_firm(session, bank, picky, now=noon)
    await service.match(session, demand.id, now=noon)
    operator = (await a_desk(session, OrganisationKind.OPERATOR, now=noon)).maker

    with pytest.raises(NotEligible, match=Filter.AMOUNT):
        await service.assign(session, operator, demand.id, picky.product_id, now=noon)
    with pytest.raises(NotEligible, match=Filter.CONSENT):
        await service.assign(session, operator, demand.id, unnamed.product_id, now=noon)
    with pytest.raises(LenderAskedBefore):
        await service.assign(session, operator, demand.id, bank.product_id, now=noon)
    with pytest.raises(NotAllowed):
        await service.assign(session, firm, demand.id, unnamed.product_id, now=noon)
    assert len(await queries.dispatches_for(session, demand.id)) == 1


async def test_an_operator_may_assign_what_fits(session: AsyncSession, noon: datetime) -> None:
    bank = await a_bank(session, now=noon)
    firm, demand = await an_asking_firm(session, bank, now=noon)
    await service.match(session, demand.id, now=noon)
    late = await a_bank(session, now=noon)
    await a_consent_to(session, firm, late.id, now=noon)
    operator = (await a_desk(session, OrganisationKind.OPERATOR, now=noon)).maker

    assigned = await service.assign(session, operator, demand.id, late.product_id, now=noon)

    assert (assigned.lender_id, assigned.path) == (late.id, DispatchPath.MANUAL)


async def test_a_withdrawn_demand_is_assigned_to_nobody_and_its_dispatches_end(
    session: AsyncSession, noon: datetime
) -> None:
    bank, other = await a_bank(session, now=noon), await a_bank(session, now=noon)
    firm, dispatch = await a_dispatch(session, bank, now=noon)
    operator = (await a_desk(session, OrganisationKind.OPERATOR, now=noon)).maker
    await demand_service.withdraw(session, firm, dispatch.demand_id, now=noon)

    ended = await service.end_for_demand(session, dispatch.demand_id, now=noon)

    assert ended == 1
    assert (await queries.dispatch(session, firm, dispatch.id)).state is DispatchState.ENDED
    with pytest.raises(DemandNotOpen):
        await service.assign(session, operator, dispatch.demand_id, other.product_id, now=noon)


async def test_a_revoked_consent_ends_the_dispatch_and_the_next_is_not_reached_either(
    session: AsyncSession, noon: datetime
) -> None:
    bank = await a_bank(session, now=noon)
    firm = await a_firm(session, now=noon)
    consent = await a_consent_to(session, firm, bank.id, now=noon)
    demand = await a_demand(session, firm, now=noon)
    dispatch = (await service.match(session, demand.id, now=noon)).dispatches[0]

    await consents.revoke(session, firm, consent.id, now=noon)
    ended = await service.end_without_consent(session, firm.organisation_id, now=noon)

    assert ended == 1
    assert (await queries.dispatch(session, firm, dispatch.id)).state is DispatchState.ENDED
    assert (await demands.demand(session, firm, demand.id, now=noon)).state is DemandState.REJECTED_ALL


async def test_a_consent_that_ends_between_ranking_and_sending_is_not_sent_on(
    session: AsyncSession, noon: datetime
) -> None:
    bank = await a_bank(session, now=noon)
    firm = await a_firm(session, now=noon)
    await a_consent_to(session, firm, bank.id, days=30, now=noon)
    demand = await a_demand(session, firm, now=noon)

    matched = await service.match(session, demand.id, now=noon + timedelta(days=30))

    assert matched.dispatches == ()


async def test_a_matching_is_replayed_the_same_and_an_altered_shelf_is_named(
    session: AsyncSession, noon: datetime
) -> None:
    banks = [await a_bank(session, min_age_months=months, now=noon) for months in (None, 12, 600)]
    _firm, demand = await an_asking_firm(session, *banks, now=noon)
    matched = await service.match(session, demand.id, now=noon)

    report = await replay.replay_one(session, matched.decision_id, now=noon)

    assert (report.same, report.different, report.purged) == (1, 0, 0)


async def test_the_database_holds_no_dispatch_without_consent_and_digest(session: AsyncSession) -> None:
    columns = await session.execute(
        text(
            "SELECT column_name, is_nullable FROM information_schema.columns WHERE table_schema = 'matching'"
            " AND table_name = 'dispatch' AND column_name IN ('consent_id', 'eligibility_digest', 'decision_id')"
        )
    )

    assert sorted((row.column_name, row.is_nullable) for row in columns) == [
        ("consent_id", "NO"),
        ("decision_id", "NO"),
        ("eligibility_digest", "NO"),
    ]


@pytest.mark.parametrize(
    ("ages_of_others", "asked_in_all", "ends_as"),
    [
        ([], 2, DemandState.REJECTED_ALL),
        ([600], 2, DemandState.REJECTED_ALL),
        ([0], 3, DemandState.MATCHING),
    ],
    ids=["nobody else", "another that does not fit", "another that fits"],
)
async def test_two_noes_of_one_moment_come_to_the_same_in_whatever_order_they_are_heard(
    session: AsyncSession, noon: datetime, ages_of_others: list[int], asked_in_all: int, ends_as: DemandState
) -> None:
    banks = {one.id: one for one in [await a_bank(session, now=noon) for _ in range(2)]}
    others = [await a_bank(session, min_age_months=age, now=noon) for age in ages_of_others]
    ends = set()
    for noes_and_hearings in ("1n 1h 2n 2h", "1n 2n 1h 2h", "1n 2n 2h 1h", "2n 2h 1n 1h"):
        firm, demand = await an_asking_firm(session, *banks.values(), now=noon)
        sent = dict(zip("12", (await service.match(session, demand.id, now=noon)).dispatches, strict=True))
        await a_consent_to(session, firm, PLATFORM_ID, *[one.id for one in others], now=noon)
        for step in noes_and_hearings.split():
            said = sent[step[0]]
            acts: dict[str, Callable[..., Awaitable[object]]] = {
                "n": partial(service.decline, viewer=banks[said.lender_id].desk.maker, reason=DeclineReason.POLICY_AGE),
                "h": partial(service.replace_dispatch, path=DispatchPath.AFTER_DECLINE),
            }
            await acts[step[1]](session, dispatch_id=said.id, now=noon)
        made = text("SELECT count(*) FROM matching.matching WHERE demand_id = :demand_id")
        matchings = (await session.execute(made, {"demand_id": demand.id})).scalar_one()
        asked = frozenset((one.lender_id, one.path) for one in await queries.dispatches_for(session, demand.id))
        ends.add((matchings, asked, (await demands.demand(session, firm, demand.id, now=noon)).state))

    ((matchings, asked, state),) = ends
    assert (matchings, len(asked), state) == (2, asked_in_all, ends_as)
