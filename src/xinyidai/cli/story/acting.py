"""How the story acts: one transaction an act, in the scope of the person who does it, at a business time it names."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import click
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.cli.surroundings import Connected
from xinyidai.foundation import outbox
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.progress import Progress


@dataclass
class Stage:
    """The platform under the story, the business time, and the stopwatch."""

    connected: Connected
    now: datetime
    began: float
    progress: Progress | None = None

    @asynccontextmanager
    async def acting(self, viewer: Viewer) -> AsyncGenerator[AsyncSession]:
        """Open a transaction with the web's rights, limited to the rows of the viewer's organisation."""
        async with in_transaction(self.connected.app) as session:
            await act_as(session, viewer, now=self.now)
            yield session

    @asynccontextmanager
    async def platform(self) -> AsyncGenerator[AsyncSession]:
        """Open a transaction with the worker's rights, in platform scope."""
        async with in_transaction(self.connected.worker) as session:
            await act_as_platform(session, now=self.now)
            yield session

    async def settle(self) -> int:
        """Deliver every event that waits; return how many."""
        return await outbox.drain(self.connected.worker, now=self.now)

    def tell(self, sentence: str) -> None:
        """Print one line of progress with the seconds so far."""
        click.echo(f"[{self.seconds():6.1f} s] {sentence}", err=True)
        if self.progress is not None:
            self.progress.tell(sentence, seconds=self.seconds())

    def count(self, what: str, done: int, of: int) -> None:
        """Show how far a long step is."""
        if self.progress is not None:
            self.progress.count(what, done=done, of=of, seconds=self.seconds())

    def seconds(self) -> float:
        """Return how long the story has been going on."""
        return round(time.monotonic() - self.began, 1)


def stage_at(connected: Connected, now: datetime) -> Stage:
    """Set the stage at a business time."""
    return Stage(connected, now, time.monotonic())
