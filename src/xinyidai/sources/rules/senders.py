"""Who delivers how often, and whether a sender is behind its own rhythm. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final
from uuid import UUID

from xinyidai.sources.rules.pull_parts import PullReason
from xinyidai.sources.rules.pulls import PullSource, PullState

ARRIVALS_SEEN: Final = 13
"""The newest arrivals that a rhythm is read from: a year of months."""
ARRIVALS_NEEDED: Final = 4
PATIENCE: Final = 2
"""A sender is behind when it is silent for longer than this many of its usual gaps."""
SHORTEST_GAP: Final = timedelta(days=1)
"""Several files of one day are one arrival to a rhythm."""


@dataclass(frozen=True)
class SenderView:
    """What an organisation delivered in all, and how its newest deliveries came.

    `rejected` counts rows by fault over the newest ARRIVALS_SEEN deliveries; `usual_gap` is None where there were too
    few to tell.
    """

    sender_id: UUID
    deliveries: int
    received: int
    loaded: int
    rejected_rows: int
    rejected: Mapping[str, int]
    last_received_at: datetime
    usual_gap: timedelta | None
    is_behind: bool


@dataclass(frozen=True)
class PullCount:
    """How many pulls of a source ended or stand alike, and when the newest of them was asked for."""

    source: PullSource
    state: PullState
    reason: PullReason | None
    count: int
    newest_at: datetime


def usual_gap(arrived_at: Sequence[datetime]) -> timedelta | None:
    """Return the median time between arrivals, at least SHORTEST_GAP; None for fewer than ARRIVALS_NEEDED.

    Parameters
    ----------
    arrived_at : sequence of datetime
        In any order; those within SHORTEST_GAP after another belong to it.
    """
    counted: list[datetime] = []
    for moment in sorted(arrived_at):
        if not counted or moment - counted[-1] >= SHORTEST_GAP:
            counted.append(moment)
    if len(counted) < ARRIVALS_NEEDED:
        return None
    return timedelta(seconds=median((b - a).total_seconds() for a, b in pairwise(counted)))


def is_behind(last_at: datetime, gap: timedelta | None, *, now: datetime) -> bool:
    """Say whether a sender is silent for longer than PATIENCE of its usual gaps."""
    return gap is not None and now - last_at > PATIENCE * gap
