"""A week without the tax provider: the platform goes on, says what is missing and what is old, and catches up."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import asyncpg
import pytest
from builders_city import count
from builders_outage import MIX, STEP, Week, a_week, at_nine
from conftest import Database, a_clone

from city.providers.faults import Kind
from xinyidai.cli.diagnosis import Check
from xinyidai.foundation.embedded import PostgresServer
from xinyidai.sources.rules.coverage import Coverage, WhyNot
from xinyidai.sources.rules.pull_parts import PullReason
from xinyidai.sources.rules.pulls import ITEMS_OF, PullSource, PullState, PullView

BEFORE, BREAKS, MIDST, BACK, ENDS = (at_nine(date(2025, 1, day)) for day in (18, 19, 22, 26, 27))
"""Seven days of which the bureau publishes nothing about these firms: whoever reads before or after reads the same."""
TAX, METERS = PullSource.TAX, PullSource.UTILITIES
TROUBLE = {PullReason.SOURCE_AWAY, PullReason.SILENT, PullReason.QUOTA, PullReason.FAULTY}


@dataclass(frozen=True)
class Seen:
    """What is seen at one moment: digest, pulls and coverage of the two firms that ask, and what doctor says."""

    digest: str
    known: dict[PullSource, PullView]
    begun: dict[PullSource, PullView]
    covers_known: dict[str, Coverage]
    covers_begun: dict[str, Coverage]
    doctor: dict[str, Check]


@dataclass(frozen=True)
class Run:
    """What is seen in the last night of the week, on the morning after, and at the end; and what went wrong."""

    last_night: Seen
    morning: Seen
    end: Seen
    acts: list[tuple[date, str, int]]
    """What firms and banks did on which day, with the platform's answer."""
    said_again: int
    played: set[Kind | None]
    open_pulls: int
    undelivered: int
    failed_jobs: int
    demands: int


async def seen(week: Week) -> Seen:
    known, begun = week.askers
    return Seen(
        await week.digest(),
        await week.see(known),
        await week.see(begun),
        await week.covered(known),
        await week.covered(begun),
        await week.doctor(),
    )


async def run(cluster: PostgresServer, home: Path, *, is_disturbed: bool) -> Run:
    """Live the same days with or without the outage.

    One firm's facts are held from before; another's access is had and nothing read as the bureau breaks; both ask in
    the middle of it, one of them at the utilities; a firm of the city asks by itself, and another has banks at work.
    """
    with pytest.MonkeyPatch.context() as patch:
        async with a_clone(cluster) as database, a_week(database, home, patch, is_disturbed=is_disturbed) as week:
            known, begun = week.askers
            await week.live_until(BEFORE)
            await week.ask(known, TAX)
            await week.live_until(BREAKS)
            await week.break_down(of=week.askers)
            await week.ask(begun, TAX)
            await week.live_until(MIDST, is_down=True)
            await week.ask(known, TAX)
            await week.ask(begun, METERS)
            await week.live_until(BACK - STEP, is_down=True)
            last_night = await seen(week)
            await week.live_until(BACK)
            morning = await seen(week)
            await week.live_until(ENDS)
            return await ended(database, week, last_night, morning)


async def ended(database: Database, week: Week, last_night: Seen, morning: Seen) -> Run:
    admin = await asyncpg.connect(database.admin_dsn)
    found = Run(
        last_night,
        morning,
        await seen(week),
        [(date.fromisoformat(day), act, status) for day, _, act, status in week.staged.city.store.events()],
        week.said_again,
        set(week.played),
        open_pulls=await count(admin, "sources.pull", "ended_at IS NULL"),
        undelivered=await count(admin, "foundation.outbox_delivery", "state <> 'done'"),
        failed_jobs=await count(admin, "foundation.job_due", "last_error IS NOT NULL"),
        demands=await count(admin, "demands.demand", "submitted_at IS NOT NULL"),
    )
    await admin.close()
    return found


async def test_a_week_without_the_tax_provider_ends_as_if_it_had_not_been(
    cluster: PostgresServer, tmp_path: Path
) -> None:
    calm = await run(cluster, tmp_path / "calm", is_disturbed=False)
    torn = await run(cluster, tmp_path / "torn", is_disturbed=True)

    # In the week: nothing else of the bureau than faults, and everybody else goes on.
    night = torn.last_night
    assert set(MIX) <= torn.played
    assert night.begun[TAX].state is night.known[TAX].state is PullState.PENDING
    assert {part.reason for part in night.begun[TAX].parts} <= TROUBLE
    assert night.begun[METERS].state is PullState.READY
    assert {"choose", "consent"} <= {act for day, act, _ in torn.acts if BREAKS.date() <= day < BACK.date()}
    assert all(status < 400 for _, _, status in torn.acts)
    assert (torn.undelivered, torn.failed_jobs) == (0, 0)

    # What is missing and what is old is said so, of the tax items and of no other.
    assert {night.covers_begun[item].why_not for item in ITEMS_OF[TAX]} == {WhyNot.SILENT}
    assert {item for item, one in night.covers_known.items() if one.is_stale} == {
        "vat_invoice",
        "tax_filing",
        "tax_grade",
    }
    assert not any(one.is_stale for one in night.covers_begun.values())
    assert night.covers_begun["electricity"].delivered == calm.last_night.covers_begun["electricity"].delivered
    assert "breaker open" in night.doctor["source tax"].says
    assert night.doctor["source utilities"].is_ok
    assert night.digest != calm.last_night.digest

    # On the morning after: the access that was had is used, who had only a code says yes once more, nothing waits.
    assert torn.morning.begun[TAX].id == night.begun[TAX].id
    assert torn.morning.begun[TAX].state is torn.morning.known[TAX].state is PullState.READY
    assert (calm.said_again, torn.said_again) == (0, 1)
    assert torn.morning.doctor["source tax"].is_ok
    assert not any(one.is_stale for one in torn.morning.covers_known.values())
    assert (torn.open_pulls, torn.demands) == (0, calm.demands)
    assert torn.end.digest == calm.end.digest
