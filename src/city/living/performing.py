"""Performing an act over HTTP, once, with its idempotency key, and writing it down."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable
from datetime import date
from typing import TypeVar

import structlog

from city.bots.acts import Act
from city.platform import Answer, Platform
from city.settings import Actor
from city.store import Store
from city.world.draws import act_key

log = structlog.get_logger()
API = "/api/v1"
FUND_BELL = "fund"
LOOKS_AT_ONCE = 4
"""Over the whole process: as many as the platform's web process answers without a queue."""

Seen = TypeVar("Seen")


async def together(looks: Iterable[Awaitable[Seen]]) -> list[Seen]:
    """Look at several things side by side and return them in the order given.

    Raises
    ------
    PlatformAway
        One of them got no answer; the others have come to their end by then.
    """
    seen: list[Seen] = []
    for one in await asyncio.gather(*looks, return_exceptions=True):
        if isinstance(one, BaseException):
            raise one
        seen.append(one)
    return seen


class Performer:
    """What all actors of one process share: the way to the platform, the log of acts, the bells."""

    def __init__(self, platform: Platform, store: Store, *, seed: int) -> None:
        self.platform = platform
        self.store = store
        self.seed = seed
        self.done: Counter[str] = Counter()
        self._rung: dict[str, set[str]] = {}
        self._ringing: dict[str, set[str]] = {}
        self._eyes = asyncio.Semaphore(LOOKS_AT_ONCE)

    def begin_round(self) -> None:
        """Let the bells of the last round be heard in this one, so that the platform's worker comes in between."""
        self.done = Counter()
        self._rung, self._ringing = self._ringing, {}

    def hears(self, name: str) -> bool:
        """Say whether somebody's bell rang since the last round."""
        return name in self._rung

    def ringers(self, name: str) -> frozenset[str]:
        """Return by credit code who rang somebody's bell since the last round."""
        return frozenset(self._rung.get(name, ()))

    def ring(self, names: Iterable[str], *, by: str) -> None:
        """Ring for the next round."""
        for name in names:
            self._ringing.setdefault(name, set()).add(by)

    async def perform(self, actor: Actor, act: Act, day: date) -> Answer:
        """Do an act with one of the actor's two keys.

        Raises
        ------
        PlatformAway
            It may have been done all the same: the next try carries the same key.
        """
        key = act_key(self.seed, actor.credit_code, act.name, *act.natural)
        secret = actor.checker_key if act.by_checker else actor.maker_key
        answer = await self.platform.call(secret, act.method, f"{API}{act.path}", act.body, idempotency_key=key)
        self.done[act.name] += 1
        self.store.log_event(key, day.isoformat(), actor.credit_code, act.name, answer.status)
        self.ring(act.rings, by=actor.credit_code)
        if not answer.is_ok:
            log.info("act_refused", act=act.name, status=answer.status, code=answer.code)
        return answer

    async def read(self, actor: Actor, path: str) -> Answer:
        """Read as the actor."""
        async with self._eyes:
            return await self.platform.call(actor.maker_key, "GET", f"{API}{path}")

    async def pages(self, actor: Actor, path: str, field: str) -> list[dict[str, object]]:
        """Read a whole list as the actor."""
        async with self._eyes:
            return await self.platform.pages(actor.maker_key, f"{API}{path}", field)
