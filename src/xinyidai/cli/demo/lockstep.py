"""The driver of a lock-step demo: it sets the day, ticks, waits until nothing is left to do, and lets everybody act."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import redis.asyncio as redis
from sqlalchemy import Row, text

from xinyidai.cli.demo.reading import CityReader
from xinyidai.foundation import outbox
from xinyidai.foundation.clock import SHANGHAI, BusinessClock, start_of_day, wall_now
from xinyidai.foundation.database import Sessions, in_single_statements
from xinyidai.foundation.timetable import jobs, period_of
from xinyidai.sources.queries.breakers import breakers
from xinyidai.sources.rules.breakers import BreakerState
from xinyidai.worker import deliver, tick

OPENS: Final = timedelta(hours=9)
POLL_SECONDS: Final = 0.004
PATIENCE_SECONDS: Final = 120
MAX_ROUNDS: Final = 60
QUEUE, IN_HAND = "celery", "unacked"
UNSEEN: Final = frozenset({"quality.judge_delivery", "sources.seal_delivery"})
"""Consumers whose work nobody in the city can see: it goes on while everybody acts, and is done when the day ends, as
are the jobs that come last."""
_JOBS: Final = text(
    "SELECT count(*), count(*) FILTER (WHERE done_at IS NULL), count(*) FILTER (WHERE last_error IS NOT NULL)"
    " FROM foundation.job_due WHERE (job, period) IN (SELECT * FROM unnest(CAST(:jobs AS text[]),"
    " CAST(:periods AS text[])))"
)
_LEFT: Final = text(
    "SELECT d.id, d.state, d.consumer, d.due_at <= :wall AS is_due FROM foundation.outbox_delivery d"
    " JOIN foundation.outbox_event e ON e.id = d.event_id"
    " WHERE d.state <> 'done' ORDER BY e.recorded_at, d.consumer, d.id"
)

Condition = Callable[[], Awaitable[bool]]


class StuckError(RuntimeError):
    """The platform does not come to rest; the message says on what it waits."""


@dataclass
class Driver:
    """What moves the days: the city's clock, the broker, and a look into outbox and timetable."""

    city: CityReader
    clock: BusinessClock
    broker: redis.Redis
    sessions: Sessions
    acts: Counter[str] = field(default_factory=Counter)
    periods: Mapping[str, str] = field(default_factory=dict)
    """The period of each job on the day that is lived."""

    async def live(self, first_on: date, days: int) -> datetime:
        """Live these days, from nine o'clock of the first on; return the last moment."""
        now = start_of_day(first_on) + OPENS
        for number in range(days):
            now = start_of_day(first_on + timedelta(days=number)) + OPENS
            if self.clock.now() < now:
                self.city.tell_clock("set", business_at=now.isoformat())
            await self.live_day(now)
        return now

    async def live_day(self, now: datetime) -> None:
        """Tick, then by turns let the worker follow and everybody act, until there is nothing more to do."""
        await self._tick(now)
        for _round in range(MAX_ROUNDS):
            await self.rest()
            done = self.city.act(now)
            self.acts.update(done)
            if not sum(done.values()):
                await self.rest(ends_day=True)
                return
        raise StuckError(f"on {now.astimezone(SHANGHAI):%Y-%m-%d} somebody acts without end: {dict(done)}")

    async def rest(self, *, ends_day: bool = False) -> None:
        """Hand out what waits, in the order in which it happened, until no message is left and no delivery waits; but
        what is unseen is handed out last, and waited for at the day's end alone.

        Who acts in a round hands out nothing but fetches of a firm's own data: what a delivery finds does not hang
        on how fast worker and city are. What was put off for later is waited for, but not while a source is away: the
        days go on without it, and it is handed out on the day on which it is due.
        """
        if ends_day:
            await self._until(self._are_all_jobs_done, "jobs")
        give_up_at = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            await self._until(self._queue_is_empty, "messages")
            left = await self._left()
            seen = [one for one in left if one.consumer not in UNSEEN]
            due = [one.id for one in seen or left if one.is_due]
            for delivery_id in due:
                deliver.apply_async((str(delivery_id),))
            if not left or not (seen or ends_day):
                return
            if due:
                continue
            if await self._is_a_source_away():
                return
            if asyncio.get_running_loop().time() > give_up_at:
                raise StuckError("a delivery is put off for too long")
            await asyncio.sleep(0.1)

    async def _tick(self, now: datetime) -> None:
        """Let the timetable run what is due, and wait for all of it but what comes last, which nobody can see."""
        self.periods = {job.name: period_of(job.rhythm, now) for job in jobs()}
        seen = {job.name: self.periods[job.name] for job in jobs() if not job.comes_last}
        tick.apply_async()
        await self._until(self._queue_is_empty, "tick")
        await self._until(lambda: self._are_done(seen), "jobs")

    async def _are_all_jobs_done(self) -> bool:
        return await self._are_done(self.periods)

    async def _are_done(self, periods: Mapping[str, str]) -> bool:
        """Say whether these jobs are over for their periods."""
        asked = {"jobs": list(periods), "periods": list(periods.values())}
        async with in_single_statements(self.sessions) as session:
            begun, open_jobs, failed = (await session.execute(_JOBS, asked)).one()
        if failed:
            raise StuckError("a job of the timetable failed: see the worker's log")
        return bool(begun == len(periods)) and not open_jobs

    async def _queue_is_empty(self) -> bool:
        return not await self.broker.exists(QUEUE, IN_HAND)  # a list or hash that is empty is not there

    async def _left(self) -> Sequence[Row[UUID, str, str, bool]]:
        """Return the deliveries that are not done, in the order of their events."""
        async with in_single_statements(self.sessions) as session:
            left = (await session.execute(_LEFT, {"wall": wall_now()})).all()
        if any(one.state == outbox.DeliveryState.PARKED for one in left):
            raise StuckError("a delivery was given up: see the worker's log")
        return left

    async def _is_a_source_away(self) -> bool:
        async with in_single_statements(self.sessions) as session:
            return any(one.state is not BreakerState.CLOSED for one in await breakers(session))

    async def _until(self, is_true: Condition, what: str) -> None:
        give_up_at = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while not await is_true():
            if asyncio.get_running_loop().time() > give_up_at:
                raise StuckError(f"the worker does not come to an end with its {what}")
            await asyncio.sleep(POLL_SECONDS)
