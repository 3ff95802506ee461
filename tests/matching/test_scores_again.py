"""A score that serves again while a demand goes from lender to lender, and what makes a new one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from builders_demands import a_consent_to, a_demand
from builders_matching import Bank, a_bank
from builders_scoring import Town, a_released_model, a_town
from builders_sources import a_row
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.decisions import replay
from xinyidai.matching import queries, service
from xinyidai.matching.rules.states import DeclineReason, DispatchPath
from xinyidai.matching.service import MatchView
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.scoring import service as scoring
from xinyidai.sources import service as sources
from xinyidai.sources.rules import DeliveryKind

A_MOMENT = timedelta(microseconds=1)
A_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Matched:
    """A demand that was matched at noon, with one lender left to ask."""

    session: AsyncSession
    town: Town
    bank: Bank
    matched: MatchView

    @property
    def firm(self) -> Viewer:
        """Return the firm that asks."""
        return self.town.firms[0]

    async def replace_lender(self, *, now: datetime) -> UUID:
        """Let the lender say no and ask the next; return the decision that this took."""
        (asked,) = self.matched.dispatches
        await service.decline(self.session, self.bank.desk.maker, asked.id, reason=DeclineReason.POLICY_REGION, now=now)
        next_one = await service.replace_dispatch(self.session, asked.id, path=DispatchPath.AFTER_DECLINE, now=now)
        assert next_one is not None
        return await queries.newest_decision(self.session, self.firm, asked.demand_id)

    async def scores(self) -> list[UUID]:
        """Return the firm's scores, oldest first."""
        found = await self.session.execute(
            text("SELECT id FROM scoring.score WHERE firm_id = :firm ORDER BY scored_at"),
            {"firm": self.firm.organisation_id},
        )
        return list(found.scalars())


@pytest.fixture
async def matched(session: AsyncSession, noon: datetime) -> Matched:
    """Return a demand of a firm with invoices, matched to a bank beside which another one opens."""
    await a_released_model(session, now=noon)
    town = await a_town(session, firms=1, now=noon)
    await sources.receive_rows(session, town.agency.maker, [a_row(town.codes[0], invoice_no="A-1")], now=noon)
    bank = await a_bank(session, now=noon)
    await a_consent_to(session, town.firms[0], PLATFORM_ID, bank.id, now=noon)
    demand = await a_demand(session, town.firms[0], now=noon)
    found = await service.match(session, demand.id, now=noon)
    other = await a_bank(session, now=noon)
    await a_consent_to(session, town.firms[0], other.id, now=noon)
    return Matched(session, town, bank, found)


async def test_one_score_serves_for_a_week_and_each_decision_that_names_it_replays(
    matched: Matched, noon: datetime
) -> None:
    before = await matched.scores()

    decision_id = await matched.replace_lender(now=noon + A_WEEK - A_MOMENT)

    reports = [
        await replay.replay_one(matched.session, decision, now=noon + A_WEEK)
        for decision in (matched.matched.decision_id, decision_id)
    ]
    assert len(before) == 1
    assert await matched.scores() == before
    assert decision_id != matched.matched.decision_id
    assert [(report.same, report.different, report.purged) for report in reports] == [(1, 0, 0)] * 2


async def _deliver(matched: Matched, now: datetime) -> None:
    row = a_row(matched.town.codes[0], invoice_no="A-2")
    report = await sources.receive_rows(matched.session, matched.town.agency.maker, [row], now=now)
    assert report.loaded == 1


async def _correct(matched: Matched, now: datetime) -> None:
    row = a_row(matched.town.codes[0], invoice_no="A-1", net_yuan="80", gross_yuan="93")
    report = await sources.receive_rows(
        matched.session, matched.town.agency.maker, [row], kind=DeliveryKind.CORRECTION, now=now
    )
    assert report.loaded == 1


async def _release(matched: Matched, now: datetime) -> None:
    await a_released_model(matched.session, seed=4, now=now)


@pytest.mark.parametrize("change", [_deliver, _correct, _release])
async def test_new_facts_and_another_release_make_a_new_score(
    change: Callable[[Matched, datetime], Awaitable[None]], matched: Matched, noon: datetime
) -> None:
    await change(matched, noon + timedelta(hours=1))

    await matched.replace_lender(now=noon + timedelta(hours=2))

    assert len(await matched.scores()) == 2


async def test_after_a_week_a_new_score_is_made(matched: Matched, noon: datetime) -> None:
    await matched.replace_lender(now=noon + A_WEEK)

    assert len(await matched.scores()) == 2


async def test_the_facts_of_another_firm_change_nothing(matched: Matched, noon: datetime) -> None:
    later = noon + timedelta(hours=1)
    other = await a_town(matched.session, firms=1, now=later)
    await _deliver(Matched(matched.session, other, matched.bank, matched.matched), later)

    await matched.replace_lender(now=noon + timedelta(hours=2))

    assert len(await matched.scores()) == 1


async def test_a_firm_that_asks_for_its_score_always_gets_a_new_one(matched: Matched, noon: datetime) -> None:
    await scoring.score_own(matched.session, matched.firm, now=noon + timedelta(minutes=1))

    assert len(await matched.scores()) == 2
