"""The invariant of the room: whatever the path, no demand reaches a bank that its own filter or the consent keeps out.

Random worlds, random acts: match, decline, time out, replace, assign by hand, indicate, choose, take back a consent,
give one, close a product, exhaust a line. After every act each new dispatch and each new choice is judged by a second,
plain reading of the rules.
"""

import contextlib
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from builders_demands import a_consent_to, a_demand
from builders_matching import Bank, a_bank, a_range, an_indication, authority_text
from builders_parties import Desk, a_desk, a_firm
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.consents import service as consents
from xinyidai.demands import queries as demands
from xinyidai.demands.queries import DemandView
from xinyidai.foundation.errors import NotFound, Refusal
from xinyidai.matching import queries, service
from xinyidai.matching.queries import DispatchView
from xinyidai.matching.rules.states import OPEN_TO_LENDER, DeclineReason, DispatchPath, DispatchState
from xinyidai.products import service as products

SEEDS, STEPS = range(4), 50
OPEN = OPEN_TO_LENDER


@dataclass
class Given:
    """A consent as the test remembers it."""

    id: UUID
    lender_ids: frozenset[UUID]
    ends_at: datetime
    is_revoked: bool = False


@dataclass
class Filter:
    """A bank's filter as the test remembers it."""

    bank: Bank
    min_amount_fen: int
    min_age_months: int | None
    has_room: bool
    is_open: bool = True

    def lets_through(self, asked: "Asked") -> bool:
        """Read the filter plainly."""
        is_old_enough = self.min_age_months is None or asked.age_months >= self.min_age_months
        return self.is_open and self.has_room and asked.demand.amount_fen >= self.min_amount_fen and is_old_enough


@dataclass
class Asked:
    """A firm and its demand as the test remembers them."""

    firm: Viewer
    demand: DemandView
    age_months: int
    given: list[Given]

    def allows(self, lender_id: UUID, now: datetime) -> bool:
        """Read the consents plainly."""
        return any(not one.is_revoked and lender_id in one.lender_ids and now < one.ends_at for one in self.given)


@dataclass
class World:
    """Everything of one run."""

    filters: dict[UUID, Filter]
    asked: list[Asked]
    operator: Desk
    seen: set[UUID] = field(default_factory=set)
    chosen: set[UUID] = field(default_factory=set)


async def _world(session: AsyncSession, chance: random.Random, *, now: datetime) -> World:
    filters = {}
    for _ in range(10):
        min_amount_fen, age = chance.choice([1_000_000] * 6 + [60_000_000]), chance.choice([None] * 6 + [24, 120])
        covered, capacity_fen = chance.random() < 0.25, chance.choice([1_000_000, 10**10])
        bank = await a_bank(
            session,
            min_amount_fen=min_amount_fen,
            min_age_months=age,
            requires_cover=covered,
            capacity_fen=capacity_fen,
            answer_days=chance.choice([None, 2]),
            now=now,
        )
        filters[bank.id] = Filter(bank, min_amount_fen, age, not covered or capacity_fen == 10**10)
    asked = []
    for years in (1, 4, 12):
        born = now.date() - timedelta(days=366 * years)
        firm = await a_firm(session, established_on=born, now=now)
        demand = await a_demand(session, firm, amount_fen=chance.choice([50_000_000, 70_000_000]), now=now)
        asked.append(Asked(firm, demand, 12 * years, []))
    operator = await a_desk(session, OrganisationKind.OPERATOR, now=now)
    world = World(filters, asked, operator)
    for one in asked:
        await _give(session, world, one, chance, now=now)
    return world


async def _give(session: AsyncSession, world: World, one: Asked, chance: random.Random, *, now: datetime) -> None:
    lender_ids = chance.sample(sorted(world.filters), chance.randint(6, len(world.filters)))
    days = chance.choice([3, 60, 300])
    given = await a_consent_to(session, one.firm, *lender_ids, days=days, now=now)
    one.given.append(Given(given.id, frozenset(lender_ids), given.expires_at))


async def _revoke(session: AsyncSession, world: World, one: Asked, chance: random.Random, *, now: datetime) -> None:
    given = chance.choice(one.given)
    await consents.revoke(session, one.firm, given.id, now=now)
    given.is_revoked = True
    await service.end_without_consent(session, one.firm.organisation_id, now=now)


async def _match(session: AsyncSession, world: World, one: Asked, chance: random.Random, *, now: datetime) -> None:
    await service.match(session, one.demand.id, now=now)


async def _assign(session: AsyncSession, world: World, one: Asked, chance: random.Random, *, now: datetime) -> None:
    wanted = chance.choice(list(world.filters.values())).bank
    await service.assign(session, world.operator.maker, one.demand.id, wanted.product_id, now=now)


async def _decline(session: AsyncSession, world: World, one: Asked, chance: random.Random, *, now: datetime) -> None:
    dispatch = chance.choice([*await queries.dispatches_for(session, one.demand.id), None])
    desk = chance.choice(list(world.filters.values())).bank.desk
    found = dispatch or await queries.dispatch(session, desk.maker, one.demand.id)
    await service.decline(
        session, world.filters[found.lender_id].bank.desk.maker, found.id, reason=DeclineReason.DATA_MISSING, now=now
    )
    await service.replace_dispatch(session, found.id, path=DispatchPath.AFTER_DECLINE, now=now)


async def _time_out(session: AsyncSession, world: World, one: Asked, chance: random.Random, *, now: datetime) -> None:
    await service.time_out_due(session, now=now)
    for dispatch in await queries.dispatches_for(session, one.demand.id):
        await service.replace_dispatch(session, dispatch.id, path=DispatchPath.AFTER_TIMEOUT, now=now)


async def _indicate(session: AsyncSession, world: World, one: Asked, chance: random.Random, *, now: datetime) -> None:
    sent = await queries.dispatches_for(session, one.demand.id)
    for dispatch in chance.sample(sent, min(3, len(sent))):
        with contextlib.suppress(Refusal):
            await an_indication(
                session, world.filters[dispatch.lender_id].bank, dispatch, terms=a_range(days=25, now=now), now=now
            )


async def _choose(session: AsyncSession, world: World, one: Asked, chance: random.Random, *, now: datetime) -> None:
    found = await queries.indications_for(session, one.firm, one.demand.id)
    waiting = [indicated.id for indicated in found if indicated.state is DispatchState.INDICATED]
    wanted = chance.sample(waiting, min(1, len(waiting)))
    await service.choose_lenders(
        session, one.firm, one.demand.id, indication_ids=wanted, text_digest=authority_text(now), now=now
    )


async def _close(session: AsyncSession, world: World, one: Asked, chance: random.Random, *, now: datetime) -> None:
    kept = chance.choice(list(world.filters.values()))
    await products.close(session, kept.bank.desk.maker, kept.bank.product_id, now=now)
    kept.is_open = False


async def _new_dispatches(session: AsyncSession, world: World) -> list[tuple[Asked, DispatchView]]:
    found = []
    for one in world.asked:
        for dispatch in await queries.dispatches_for(session, one.demand.id):
            if dispatch.id not in world.seen:
                world.seen.add(dispatch.id)
                found.append((one, dispatch))
    return found


async def _new_choices(session: AsyncSession, world: World) -> list[tuple[Asked, DispatchView]]:
    found = []
    for one in world.asked:
        for dispatch in await queries.dispatches_for(session, one.demand.id):
            if dispatch.authority_id is not None and dispatch.id not in world.chosen:
                world.chosen.add(dispatch.id)
                found.append((one, dispatch))
    return found


async def test_no_path_reaches_a_bank_that_filter_or_consent_keeps_out(session: AsyncSession, noon: datetime) -> None:
    dispatched: list[tuple[str, DispatchView, bool, bool]] = []
    chosen: list[tuple[str, DispatchView, bool, bool]] = []
    leaks: set[tuple[UUID, UUID]] = set()

    for seed in SEEDS:
        chance = random.Random(seed)  # noqa: S311 - a reproducible world, no secret
        world, now = await _world(session, chance, now=noon), noon
        for act in [_match, _match, _match, *chance.choices(list(ACTS), list(ACTS.values()), k=STEPS)]:
            now += timedelta(hours=chance.choice([0, 1, 30, 80]))
            one = chance.choice(world.asked)
            with contextlib.suppress(Refusal):
                async with session.begin_nested():
                    await act(session, world, one, chance, now=now)
            for owner, dispatch in await _new_choices(session, world):
                fits = world.filters[dispatch.lender_id].lets_through(owner)
                chosen.append((act.__name__, dispatch, fits, owner.allows(dispatch.lender_id, now)))
            for owner, dispatch in await _new_dispatches(session, world):
                fits = world.filters[dispatch.lender_id].lets_through(owner)
                dispatched.append((act.__name__, dispatch, fits, owner.allows(dispatch.lender_id, now)))
        leaks |= await _read_without_right(session, world, now=now)

    assert [one for one in dispatched + chosen if not (one[2] and one[3])] == []
    assert len(chosen) > 3
    assert leaks == set()
    assert {one[1].path for one in dispatched} == set(DispatchPath)


async def _read_without_right(session: AsyncSession, world: World, *, now: datetime) -> set[tuple[UUID, UUID]]:
    """Return which demands a bank can read without an open dispatch or a consent."""
    leaks = set()
    for one in world.asked:
        sent = {dispatch.lender_id: dispatch.state for dispatch in await queries.dispatches_for(session, one.demand.id)}
        for lender_id, kept in world.filters.items():
            with contextlib.suppress(NotFound):
                await demands.demand(session, kept.bank.desk.maker, one.demand.id, now=now)
                leaks.add((one.demand.id, lender_id))
        leaks -= {
            (one.demand.id, lender_id)
            for lender_id, state in sent.items()
            if state in OPEN and one.allows(lender_id, now)
        }
    return leaks


ACTS = {
    _match: 4,
    _assign: 12,
    _decline: 5,
    _time_out: 3,
    _indicate: 5,
    _choose: 6,
    _revoke: 1,
    _give: 3,
    _close: 1,
}
