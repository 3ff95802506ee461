"""A week in which the tax bureau answers nothing but faults, over the staged city: both clocks go together, as in life.

The wall clock of the platform and of the city is one that the test moves, and it is moved with business time: a day of
one is a day of the other. So codes of ten minutes run out, breakers rest for their minutes and access tokens last for
their month, each in the clock that it goes by, and nothing waits for a real second.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from builders_bureau import CLIENT_ID, CLIENT_SECRET
from builders_city import CONTROL, METERS_ID, METERS_SECRET, SECRETS, STARTS_ON, Staged, a_staged_city
from builders_consents import a_consent
from builders_engines import lent_sessions
from builders_parties import a_viewer
from builders_town import Wall
from conftest import Database
from uvicorn import Config, Server

from city.providers.app import create_app
from city.providers.faults import Faults, Kind
from city.world.calendar import OPENS, SHANGHAI, is_working_day
from city.world.population import Firm, make_firms
from xinyidai.access.rules import Role, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.cli.diagnosis import Check
from xinyidai.cli.source_checks import source_checks
from xinyidai.demands import coverage
from xinyidai.foundation import clock, timetable
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.settings import DatabaseRole
from xinyidai.parties.rules import PartyId
from xinyidai.sources import service, tasks
from xinyidai.sources.adapters import PulledSource, wire
from xinyidai.sources.adapters.tax import TaxBureau
from xinyidai.sources.adapters.utilities import Utilities
from xinyidai.sources.queries import pulled
from xinyidai.sources.queries.holdings import digest_of_holdings
from xinyidai.sources.rules.coverage import Coverage
from xinyidai.sources.rules.pull_parts import PullReason
from xinyidai.sources.rules.pulls import ITEMS_OF, PullSource, PullState, PullView, scope_of
from xinyidai.worker import load_rooms

STEP = timedelta(hours=6)
"""How often somebody looks after what is due: as if all workers were slow, which changes no outcome and costs less."""
DAY = timedelta(days=1)
HANG_SECONDS, PATIENCE_SECONDS = 0.15, 0.05
MIX = {Kind.TIME_OUT: 0.25, Kind.DROPPED_CONNECTION: 1 / 3, Kind.BROKEN: 0.5, Kind.TOO_MANY: 1.0}
"""Each is drawn where those before it are not: one of the four in every call, each as often as the others."""
BOTS = (4, 113)
"""Firms of the city that want a loan on the 17th and on the 21st of January, and act by themselves."""
CONSENTED = ("vat_invoice", "tax_filing", *ITEMS_OF[PullSource.UTILITIES])
"""What those that ask when told let the platform use; the bureau's other items are open."""
ASKERS = (2, 3)
"""Firms that ask when a test says so, for all that tax bureau and utilities have of them."""


@dataclass
class Week:
    """The staged city with real offices on the loopback, two firms that ask on command, and the days lived so far."""

    staged: Staged
    offices: httpx2.AsyncClient
    wall: Wall
    database: Database
    askers: dict[str, Viewer]
    is_disturbed: bool
    """Whether the bureau breaks at all: the other run lives the same days without."""
    played: Counter[Kind | None] = field(default_factory=Counter)
    """What the bureau did with each call, None where it answered."""
    said_again: int = 0

    @property
    def now(self) -> datetime:
        """Return the moment, on either clock."""
        return self.wall()

    async def live_until(self, last: datetime, *, is_down: bool = False) -> None:
        """Live up to a moment, step by step; while it is down, the bureau answers nothing but faults."""
        while self.now < last:
            await self._step(min(last, self.now + (STEP if is_down else DAY)), is_down=is_down)

    async def ask(self, code: str, source: PullSource) -> None:
        """Let a firm say yes at an office and ask for a pull, which a worker takes up at once."""
        await self._ask(code, source)
        await self.staged.deliver()

    async def break_down(self, of: Collection[str] = ()) -> None:
        """Let the bureau answer nothing but faults, or no question about some firms.

        A fault lives an hour at most, so they are asked for in each step, and drawn anew from its moment.
        """
        for kind, probability in MIX.items() if self.is_disturbed else ():
            body = {
                "provider": "tax",
                "kind": kind,
                "probability": probability,
                "seed": int(self.now.timestamp()),
                "seconds_to_live": 3_600,
                "credit_codes": sorted(of),
            }
            answer = await self.offices.post("/faults", json=body, headers={"Authorization": f"Bearer {CONTROL}"})
            assert answer.status_code == 201, answer.text

    async def _ask(self, code: str, source: PullSource) -> None:
        viewer = self.askers[code]
        permission = await self._permission(code, source)
        async with in_transaction(self.database.app) as session:
            await act_as(session, viewer, now=self.now)
            await service.ask_pull(session, viewer, permission, source=source, now=self.now)

    async def see(self, code: str) -> dict[PullSource, PullView]:
        """Return the newest pull of each source, as the firm sees it."""
        viewer = self.askers[code]
        async with in_transaction(self.database.app) as session:
            await act_as(session, viewer, now=self.now)
            return {one.source: one for one in await pulled.latest_pulls(session, viewer)}

    async def covered(self, code: str) -> dict[str, Coverage]:
        """Return what a firm is told of its items."""
        viewer = self.askers[code]
        async with in_transaction(self.database.app) as session:
            await act_as(session, viewer, now=self.now)
            return {one.item_code: one for one in await coverage.own_coverage(session, viewer, now=self.now)}

    async def doctor(self) -> dict[str, Check]:
        """Return what `doctor --sources` says."""
        known = self.database.settings.model_copy(
            update={"city_url": "http://city", "tax_client_id": CLIENT_ID, "utilities_client_id": METERS_ID}
        )
        return {one.name: one for one in await source_checks(self.database.worker, known, now=self.now)}

    async def digest(self) -> str:
        """Return the digest of all that is held from sources, as the auditor reads it."""
        async with (
            lent_sessions(self.database.settings, DatabaseRole.AUDITOR) as auditor,
            in_transaction(auditor) as session,
        ):
            return await digest_of_holdings(session)

    async def _step(self, at: datetime, *, is_down: bool) -> None:
        self.wall.moment = at
        await self.staged.tell("/clock", {"act": "set", "business_at": at.isoformat()})
        if is_down:
            await self.break_down()
        await self.staged.deliver()
        await timetable.tick(self.database.worker, now=at, act_as=act_as_platform)
        await self.staged.deliver()
        local = at.astimezone(SHANGHAI)
        if local.time() != OPENS:
            return
        for code in self.askers:
            await self._say_yes_again(code)
        while is_working_day(local.date()):
            done = await self.staged.tell("/act", {"business_at": at.isoformat()})
            await self.staged.deliver()
            if not done["acts"]:
                break

    async def _say_yes_again(self, code: str) -> None:
        """Do what the firm's page asks for when the bureau took a code for run out."""
        newest = (await self.see(code)).get(PullSource.TAX)
        if newest is not None and (newest.state, newest.reason) == (PullState.DENIED, PullReason.CODE_REFUSED):
            await self.ask(code, PullSource.TAX)
            self.said_again += 1

    async def _permission(self, code: str, source: PullSource) -> str:
        client_id = {PullSource.TAX: CLIENT_ID, PullSource.UTILITIES: METERS_ID}[source]
        body = {"credit_code": code, "client_id": client_id, "scope": scope_of(source)}
        secret = {"Authorization": f"Bearer {SECRETS}{code}"}
        answer = await self.offices.post(f"/{source}/authorizations", json=body, headers=secret)
        assert answer.status_code == 201, answer.text
        told: dict[str, str] = answer.json()
        return told["code" if source is PullSource.TAX else "reference"]


def at_nine(day: date) -> datetime:
    """Return when offices open on a day."""
    return datetime.combine(day, OPENS, SHANGHAI)


def firms_of_the_week() -> tuple[tuple[Firm, ...], tuple[Firm, ...]]:
    """Return the firms that act by themselves, and those that ask when told."""
    every = make_firms(1, 300)
    return tuple(every[place] for place in BOTS), tuple(every[place] for place in ASKERS)


@asynccontextmanager
async def a_week(
    database: Database, home: Path, monkeypatch: pytest.MonkeyPatch, *, is_disturbed: bool
) -> AsyncGenerator[Week]:
    """Open the staged city on its first day, with clients of two offices over real HTTP."""
    bots, askers = firms_of_the_week()
    wall = Wall(at_nine(STARTS_ON))
    load_rooms()
    _let_wall_be(wall, monkeypatch)
    monkeypatch.setattr(wire, "LONGEST_CALL", PATIENCE_SECONDS)
    monkeypatch.setattr(wire, "FIRST_PAUSE", 0.001)
    async with a_staged_city(database, home, monkeypatch, (*bots, *askers), wall=wall) as staged:
        app = create_app(staged.city, control_token=CONTROL, hang_seconds=HANG_SECONDS)
        played = _written_down(app.state.faults, monkeypatch)
        server = Server(Config(app, port=0, lifespan="off", log_level="critical"))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        clients: dict[PullSource, PulledSource] = {
            PullSource.TAX: TaxBureau(url, CLIENT_ID, CLIENT_SECRET),
            PullSource.UTILITIES: Utilities(url, METERS_ID, METERS_SECRET),
        }
        monkeypatch.setattr(tasks, "source_named", clients.__getitem__)
        async with httpx2.AsyncClient(base_url=url, trust_env=False) as offices:
            viewers = {one.credit_code: await _who_asks(database, staged, one) for one in askers}
            yield Week(staged, offices, wall, database, viewers, is_disturbed, played)
        for client in clients.values():
            await client.aclose()
        server.should_exit = True
        await serving


async def _who_asks(database: Database, staged: Staged, firm: Firm) -> Viewer:
    party_id = PartyId(UUID(staged.city.city_file.actors[firm.credit_code].party_id))
    now = staged.city.clock.now()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        viewer = await a_viewer(session, party_id, Role.OWNER, now=now)
        await a_consent(session, viewer, item_codes=CONSENTED, now=now)
    return viewer


def _let_wall_be(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a wall clock into every module of the platform that reads the wall's."""
    real = clock.wall_now
    for name, module in list(sys.modules.items()):
        if name.startswith("xinyidai.") and module.__dict__.get("wall_now") is real:
            monkeypatch.setattr(module, "wall_now", wall)


def _written_down(faults: Faults, monkeypatch: pytest.MonkeyPatch) -> Counter[Kind | None]:
    """Count what goes wrong, by kind; None counts what goes well."""
    played: Counter[Kind | None] = Counter()
    draw = faults.draw

    def draw_and_count(
        provider: str, wall: datetime, *, credit_code: str, of: Collection[Kind] | None = None
    ) -> Kind | None:
        kind = draw(provider, wall, credit_code=credit_code, of=of)
        played[kind] += provider == "tax"
        return kind

    monkeypatch.setattr(faults, "draw", draw_and_count)
    return played
