"""The city's own offices over real HTTP, for adapters: a firm of both worlds, and clients that ask for a fault."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from builders_consents import a_consent
from builders_parties import a_firm
from builders_town import CLIENT, METERS, SECRET, Town, Wall, a_town
from conftest import Database
from uvicorn import Config, Server

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.clock import StandingClock, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.outbox import TryLater
from xinyidai.sources import service, tasks
from xinyidai.sources.adapters import Access, Page, PulledSource
from xinyidai.sources.adapters.tax import TaxBureau
from xinyidai.sources.adapters.utilities import Utilities
from xinyidai.sources.queries import pulled
from xinyidai.sources.rules.pull_parts import PartState, PartView
from xinyidai.sources.rules.pulls import PullSource, PullView, scope_of

ITEMS = ("vat_invoice", "tax_filing", "electricity", "water", "gas")
"""What the firm consents to; the tax grade and the notices of arrears are open."""
HANG_SECONDS = 1.5


@dataclass
class Spoilt:
    """A client whose reads ask the office to do something wrong, of some items or of all."""

    client: PulledSource
    kind: str = ""
    only: str = ""
    before_page: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        """Return the source."""
        return self.client.source

    @property
    def items(self) -> tuple[str, ...]:
        """Return its items."""
        return self.client.items

    async def exchange(self, permission: str) -> Access:
        """Exchange it without a fault: what is wrong is wrong with the reading."""
        return await self.client.exchange(permission)

    async def page(
        self, secret: str, item_code: str, *, credit_code: str, months_from: date, months_to: date, number: int
    ) -> Page:
        """Read a page, with a fault."""
        is_hit = self.kind and self.only in ("", item_code)
        return await self.client.page(
            f"{secret}~{self.kind}" if is_hit else secret,
            item_code,
            credit_code=credit_code,
            months_from=months_from,
            months_to=months_to,
            number=number,
        )

    async def give_back(self, secret: str) -> None:
        """Give it back."""
        await self.client.give_back(secret)

    async def aclose(self) -> None:
        """Close it."""
        await self.client.aclose()


@dataclass
class Offices:
    """The offices, the platform's clients there, and a firm that exists in both worlds."""

    town: Town
    database: Database
    firm: Viewer
    consent_id: UUID
    clients: dict[PullSource, Spoilt]
    noon: datetime

    async def permission(self, source: PullSource, scope: str | None = None) -> str:
        """Let the firm say yes at an office, to everything unless told otherwise."""
        asked = scope_of(source) if scope is None else scope
        if source is PullSource.TAX:
            return await self.town.consent(asked)
        return await self.town.reference(source.value, scope=asked)

    async def ask(self, source: PullSource, permission: str | None = None) -> PullView:
        """Let the firm ask for a pull."""
        code = await self.permission(source) if permission is None else permission
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=self.noon)
            return await service.ask_pull(session, self.firm, code, source=source, now=self.noon)

    async def attempt(self, asked: PullView) -> timedelta | None:
        """Let a worker try once; return how long it was put off for, None when it has ended."""
        try:
            await tasks.pull(self.database.worker, StandingClock(self.noon), self.clients[asked.source], asked.id)
        except TryLater as later:
            return later.after
        return None

    async def see(self, asked: PullView) -> PullView:
        """Return what the firm sees."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=self.noon)
            return await pulled.pull(session, self.firm, asked.id)

    async def run(self, asked: PullView) -> PullView:
        """Try once and return what the firm then sees."""
        await self.attempt(asked)
        return await self.see(asked)


def states(view: PullView) -> dict[str, PartState]:
    """Return the state of each item."""
    return {part.item_code: part.state for part in view.parts}


def part_of(view: PullView, item_code: str) -> PartView:
    """Return one item's part."""
    return next(part for part in view.parts if part.item_code == item_code)


@asynccontextmanager
async def the_offices(database: Database, home: Path, noon: datetime) -> AsyncGenerator[Offices]:
    """Serve the city on the loopback, with the firm of its that has a secret registered here too."""
    async with a_town(home, wall=Wall(wall_now()), quota=1_000, hang_seconds=HANG_SECONDS) as town:
        server = Server(Config(town.app, port=0, lifespan="off", log_level="critical"))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=noon)
            firm = await a_firm(session, credit_code=town.firm.credit_code, now=noon)
            consent = await a_consent(session, firm, item_codes=ITEMS, now=noon)
        clients = {
            PullSource.TAX: Spoilt(TaxBureau(url, CLIENT, SECRET)),
            PullSource.UTILITIES: Spoilt(Utilities(url, "meters", METERS)),
        }
        yield Offices(town, database, firm, consent.id, clients, noon)
        for client in clients.values():
            await client.aclose()
        server.should_exit = True
        await serving
