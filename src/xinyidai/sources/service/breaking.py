"""The stored circuit breakers: whether a source may be called now, and what its answers do to that."""

from datetime import timedelta
from typing import Final

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation.clock import wall_now
from xinyidai.sources.models import SourceBreaker
from xinyidai.sources.queries.breakers import breaker_view
from xinyidai.sources.rules.breakers import Breaker, BreakerState
from xinyidai.sources.rules.pull_parts import PullReason
from xinyidai.sources.rules.pulls import PullSource

SUCCESS_IS_OLD: Final = timedelta(minutes=1)
"""A closed breaker's last success is written down no oftener: else every page of every pull would wait for one row."""


async def admit(session: AsyncSession, source: PullSource) -> timedelta | None:
    """Let a caller through, or say how long it has to wait; of those who come after a rest, one is let through.

    Locks the breaker unless it is closed.
    """
    row = await session.get(SourceBreaker, source.value, populate_existing=True)
    if row is None or row.state == BreakerState.CLOSED:
        return None
    locked = await _locked(session, source)
    found = breaker_view(locked).admitted(wall_at=wall_now())
    if isinstance(found, timedelta):
        return found
    await _write(session, locked, found)
    return None


async def note_answer(session: AsyncSession, source: PullSource) -> None:
    """Write down that the source answered. Locks the breaker where that changes something."""
    wall = wall_now()
    row = await session.get(SourceBreaker, source.value, populate_existing=True)
    is_told = row is not None and row.last_success_at is not None and wall - row.last_success_at < SUCCESS_IS_OLD
    if row is not None and is_told and row.state == BreakerState.CLOSED and not row.failures:
        return
    locked = await _locked(session, source)
    await _write(session, locked, breaker_view(locked).succeeded(wall_at=wall))


async def note_busy(session: AsyncSession, source: PullSource) -> None:
    """Write down that the source asked for patience. Locks the breaker unless it is closed: then nothing changes."""
    row = await session.get(SourceBreaker, source.value, populate_existing=True)
    if row is None or row.state == BreakerState.CLOSED:
        return
    locked = await _locked(session, source)
    await _write(session, locked, breaker_view(locked).busy(wall_at=wall_now()))


async def is_away(session: AsyncSession, source: PullSource) -> bool:
    """Say whether the source's breaker is not closed: then what failed last was the source's fault."""
    row = await session.get(SourceBreaker, source.value, populate_existing=True)
    return row is not None and row.state != BreakerState.CLOSED


async def note_failure(session: AsyncSession, source: PullSource, reason: PullReason) -> bool:
    """Write down that a call failed and why; say whether calls have to stop now. Locks the breaker."""
    locked = await _locked(session, source)
    found = breaker_view(locked).failed(reason, wall_at=wall_now())
    await _write(session, locked, found)
    return found.state is not BreakerState.CLOSED


async def _locked(session: AsyncSession, source: PullSource) -> SourceBreaker:
    empty = {"source": source.value, "state": BreakerState.CLOSED.value, "failures": 0, "openings": 0}
    await session.execute(insert(SourceBreaker).values(empty).on_conflict_do_nothing())
    return await session.get_one(SourceBreaker, source.value, with_for_update=True, populate_existing=True)


async def _write(session: AsyncSession, row: SourceBreaker, told: Breaker) -> None:
    row.state, row.failures, row.openings = told.state.value, told.failures, told.openings
    row.rests_until, row.probing_until = told.rests_until, told.probing_until
    row.last_success_at, row.last_failure_at = told.last_success_at, told.last_failure_at
    row.last_reason = told.last_reason and told.last_reason.value
    await session.flush()
