"""A circuit breaker for each source: after some failures in a row nobody calls for a while, then one tries. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from xinyidai.sources.rules.pull_parts import PullReason
from xinyidai.sources.rules.pulls import PullSource

FAILURES_TO_OPEN: Final = 5
FIRST_REST: Final = timedelta(seconds=30)
LONGEST_REST: Final = timedelta(minutes=10)
PROBE_LEASE: Final = timedelta(minutes=1)
"""How long the one who tries may be silent: a call and its repetition end sooner. Then another tries."""
LOOKS_AGAIN: Final = timedelta(seconds=10)
"""How long the others wait for what the one who tries finds."""


class BreakerState(StrEnum):
    """Closed: calls go through. Open: none do. Half open: one does."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class Breaker:
    """A source's breaker; every moment is wall time. `openings` counts those since the last success."""

    source: PullSource
    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    openings: int = 0
    rests_until: datetime | None = None
    probing_until: datetime | None = None
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_reason: PullReason | None = None

    def admitted(self, *, wall_at: datetime) -> "Breaker | timedelta":
        """Return the breaker with this caller let through, or how long it has to wait."""
        if self.state is BreakerState.CLOSED:
            return self
        until = self.rests_until if self.state is BreakerState.OPEN else self.probing_until
        if until is not None and until > wall_at:
            left = until - wall_at
            return left if self.state is BreakerState.OPEN else min(left, LOOKS_AGAIN)
        return replace(self, state=BreakerState.HALF_OPEN, rests_until=None, probing_until=wall_at + PROBE_LEASE)

    def succeeded(self, *, wall_at: datetime) -> "Breaker":
        """Return it after an answer, a refusal included: whoever says no is there and well."""
        return Breaker(
            self.source,
            last_success_at=wall_at,
            last_failure_at=self.last_failure_at,
            last_reason=self.last_reason,
        )

    def busy(self, *, wall_at: datetime) -> "Breaker":
        """Return it after a call that was asked for patience: neither a failure nor an answer, so whoever tries failed.

        A source in trouble answers with that and with worse by turns; were it a success, nobody would ever rest.
        """
        return self.failed(PullReason.QUOTA, wall_at=wall_at) if self.state is BreakerState.HALF_OPEN else self

    def failed(self, reason: PullReason, *, wall_at: datetime) -> "Breaker":
        """Return it after a call that failed; in an open one somebody failed who was under way when it opened."""
        told = replace(self, failures=self.failures + 1, last_failure_at=wall_at, last_reason=reason)
        is_due = self.state is BreakerState.HALF_OPEN or (
            self.state is BreakerState.CLOSED and told.failures >= FAILURES_TO_OPEN
        )
        if not is_due:
            return told
        rest = min(FIRST_REST * 2**self.openings, LONGEST_REST)
        return replace(
            told,
            state=BreakerState.OPEN,
            openings=min(self.openings + 1, 16),
            rests_until=wall_at + rest,
            probing_until=None,
        )
