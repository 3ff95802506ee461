"""Reading the circuit breakers of the sources."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.sources.models import SourceBreaker
from xinyidai.sources.rules.breakers import Breaker, BreakerState
from xinyidai.sources.rules.pull_parts import PullReason
from xinyidai.sources.rules.pulls import PullSource


async def breakers(session: AsyncSession) -> list[Breaker]:
    """Return the breaker of every source, those never called yet closed; they are of nobody and hold no secret."""
    rows = {row.source: breaker_view(row) for row in await session.scalars(select(SourceBreaker))}
    return [rows.get(source.value, Breaker(source)) for source in PullSource]


def breaker_view(row: SourceBreaker) -> Breaker:
    """Return a breaker's row as a value."""
    return Breaker(
        source=PullSource(row.source),
        state=BreakerState(row.state),
        failures=row.failures,
        openings=row.openings,
        rests_until=row.rests_until,
        probing_until=row.probing_until,
        last_success_at=row.last_success_at,
        last_failure_at=row.last_failure_at,
        last_reason=None if row.last_reason is None else PullReason(row.last_reason),
    )
