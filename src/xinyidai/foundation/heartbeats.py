"""Heartbeats: web, beat and the workers tell, in wall time, that they still do their work.

They are kept in the broker, which every such process reaches and which may forget them, and as the age of a file, so
that a container's health check costs a `find` and no second Python.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import structlog
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from xinyidai.foundation.clock import wall_now

log = structlog.get_logger()

KEY = "xinyidai:heartbeats"
LATE_AFTER = timedelta(seconds=60)
KEPT = timedelta(hours=1)
"""How long a process that fell silent is still named; one that was replaced must not worry anybody for ever."""
PATIENCE_SECONDS = 2


@dataclass(frozen=True)
class Heartbeat:
    """When a process, named `kind@host`, was last heard."""

    name: str
    heard_at: datetime

    def is_late(self, *, wall_at: datetime) -> bool:
        """Say whether it was silent for too long."""
        return wall_at - self.heard_at > LATE_AFTER


class Heart:
    """The heartbeat of this process."""

    def __init__(self, broker_url: str, name: str, *, file: Path | None) -> None:
        self.name = name
        self._file = file
        self._broker = Redis.from_url(
            broker_url,
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
            # The next heartbeat is the next try; waiting here would hold up the process that beats.
            retry=Retry(NoBackoff(), 0),
        )

    def beat(self) -> None:
        """Tell that the process does its work; where the broker does not take it, the file grows old as well."""
        wall = wall_now()
        try:
            with self._broker.pipeline() as together:
                together.zadd(KEY, {self.name: wall.timestamp()})
                together.zremrangebyscore(KEY, "-inf", (wall - KEPT).timestamp())
                together.execute()
        except (RedisError, OSError) as error:
            log.warning("heartbeat_not_told", error=type(error).__name__)
            return
        if self._file is not None:
            self._file.touch()

    def end(self) -> None:
        """Take the name back, because the process ends in order and nobody shall miss it."""
        try:
            self._broker.zrem(KEY, self.name)
        except (RedisError, OSError) as error:
            log.warning("heartbeat_not_ended", error=type(error).__name__)
        self._broker.close()


@asynccontextmanager
async def beating_in_loop(heart: Heart, *, every_seconds: float = 5.0) -> AsyncGenerator[None]:
    """Let the heart beat from this event loop, so that a stuck one falls silent; take the name back at the end."""

    async def beat() -> None:
        while True:
            await asyncio.to_thread(heart.beat)
            await asyncio.sleep(every_seconds)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        heart.end()


async def heartbeats(broker: AsyncRedis) -> list[Heartbeat]:
    """Return what was heard within the last hour, by name."""
    found = cast(list[tuple[bytes, float]], await broker.zrange(KEY, 0, -1, withscores=True))
    return sorted(
        (Heartbeat(name.decode(), datetime.fromtimestamp(score, UTC)) for name, score in found),
        key=lambda one: one.name,
    )
