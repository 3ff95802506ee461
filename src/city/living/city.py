"""The city as a whole: who lives in it, what a round is, and how it lives while time flows."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from city.bots.firm import Parties
from city.clock import Mode
from city.consenting import TAX_SCOPES, issue_code
from city.living.banks import BankDesk
from city.living.firms import Firms
from city.living.funds import FundDesk
from city.living.performing import FUND_BELL, Performer, together
from city.living.timekeeping import Timekeeper, Wall
from city.platform import Platform
from city.settings import Actor, CityFile, read_city_file
from city.store import Store
from city.wall import wall_now
from city.wire import Wire
from city.world.calendar import day_of
from city.world.institutions import banks
from city.world.population import Firm, make_firms

BEGAN = "began"
CLOCK_STAMP = "clock.stamp"


@dataclass(frozen=True)
class Ground:
    """What a city is made from: where it keeps things, its seed and size, how and when its time begins."""

    home: Path
    seed: int
    firms: int
    mode: Mode
    starts_at: datetime
    own_process: str = ""
    """Credit code of the bank that lives in a process of its own, empty for none."""
    wall: Wall = wall_now
    wire: Wire | None = None
    """In place of HTTP connections to the platform."""

    @property
    def toml(self) -> Path:
        """Return where the platform's seeding writes what the city needs."""
        return self.home / "city.toml"


@dataclass
class Inhabitants:
    """Everybody who acts in this process."""

    performer: Performer
    firms: Firms
    banks: list[BankDesk]
    funds: list[FundDesk]
    observer: Actor | None
    """Whose key asks the platform whether persons are waited for."""

    async def act(self, now: datetime, *, is_first: bool, looks_daily: bool) -> None:
        """Let everybody look, side by side, and then act in one order: what a round sees does not hang on speed."""
        asked = self.firms.asked_now() if is_first else {}
        firms_saw = await self.firms.look(now, is_first=is_first, looks_daily=looks_daily)
        banks_saw = await together(
            desk.look(
                now,
                looks_in=self._looks_in(desk, asked, day_of(now)),
                is_first=is_first,
                looks_daily=looks_daily,
            )
            for desk in self.banks
        )
        if self.performer.hears(FUND_BELL) or (is_first and any(desk.waits_for_fund() for desk in self.banks)):
            await together(fund.look(now) for fund in self.funds)
        await self.firms.act(firms_saw, now)
        for desk, saw in zip(self.banks, banks_saw, strict=True):
            await desk.act(saw, now)
        for fund in self.funds:
            await fund.act(now)

    def _looks_in(self, desk: BankDesk, asked: Mapping[str, Mapping[str, str]], today: date) -> bool:
        code = desk.actor.credit_code
        return self.performer.hears(code) or desk.expects(asked.get(code, {}), today)


@dataclass
class City:
    """A city: its file, its clock, its registry, and once city.toml is there its inhabitants."""

    ground: Ground
    store: Store
    clock: Timekeeper
    registry: Mapping[str, Firm]
    city_file: CityFile
    inhabitants: Inhabitants | None = None
    only_bank: str = ""
    waits_for: str = ""
    """Who has something to do where persons are concerned: "person" or "bots"."""
    is_hurried: bool = False
    """Whether a person waits for bots: they act at any hour then, also while the time stands for that person."""
    is_skipping: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _last_day: date | None = None

    @classmethod
    def found(cls, ground: Ground, *, only_bank: str = "") -> "City":
        """Open a city, or found it where there is none; `only_bank` opens it for one bank's own process."""
        own = ground.home / "city"
        store = Store(own / "city.sqlite3")
        clock = Timekeeper(
            store, stamp=own / CLOCK_STAMP, mode=ground.mode, starts_at=ground.starts_at, wall=ground.wall
        )
        registry = {firm.credit_code: firm for firm in make_firms(ground.seed, ground.firms)}
        empty = CityFile(ground.seed, ground.mode, (), {}, {})
        return cls(ground, store, clock, registry, empty, only_bank=only_bank)

    async def settle(self) -> bool:
        """Read city.toml again and let everybody in it live here; False while it names nobody.

        Raises
        ------
        ValueError
            The file cannot be read, or is of another seed or mode.
        """
        async with self.lock:
            await self._stack.aclose()
            self.inhabitants = None
            self._last_day = None
            found = read_city_file(self.ground.toml, seed=self.ground.seed, mode=self.ground.mode)
            if (found.seed, found.mode) != (self.ground.seed, self.ground.mode):
                raise ValueError("city.toml is of another seed or mode than the city was started with")
            self.city_file = found
            if not found.actors:
                return False
            platform = await self._stack.enter_async_context(
                Platform(self.city_file.platform_urls, seed=self.city_file.seed, wire=self.ground.wire)
            )
            self.inhabitants = self._inhabitants(platform)
            return True

    async def close(self) -> None:
        """Close the connections and the file."""
        await self._stack.aclose()
        self.store.close()

    async def round(self, now: datetime) -> dict[str, int]:
        """Let every actor act once on what it sees: firms, banks, guarantor, fund; return the acts by kind.

        In a guarantor's name there is nothing to do on the platform: its share is paid from what it paid in.
        """
        async with self.lock:
            living = self.inhabitants
            if living is None:
                return {}
            is_first = self._last_day != day_of(now)
            living.performer.begin_round()
            await living.act(now, is_first=is_first, looks_daily=self.city_file.mode is Mode.LIVE)
            self._last_day = day_of(now)
            return dict(sorted(living.performer.done.items()))

    def authorise(self, credit_code: str) -> str:
        """Let a firm of the city say yes at the tax bureau, as its bot does; return the consent code."""
        tax, scope = self.city_file.tax, " ".join(TAX_SCOPES)
        if tax is None:
            return ""
        return issue_code(self.store, tax.client_id, credit_code, scope, wall=self.ground.wall())

    def _inhabitants(self, platform: Platform) -> Inhabitants:
        known = self.city_file
        performer = Performer(platform, self.store, seed=known.seed)
        who = Parties(
            ids={code: one.party_id for code, one in known.actors.items()},
            codes={one.party_id: code for code, one in known.actors.items()},
        )
        lenders = {one.credit_code: one for one in known.of_kind("lender")}
        desks = [
            BankDesk(performer, lenders[bank.credit_code], bank, dict(self.registry), who)
            for bank in banks()
            if bank.credit_code in lenders and self._lives_here(bank.credit_code)
        ]
        firms = Firms(
            performer,
            known,
            dict(self.registry),
            who,
            began_on=self._began_on(),
            authorise=self.authorise,
            is_failing=lambda code, month: any(desk.has_defaulted(code, month) for desk in desks),
        )
        funds = [FundDesk(performer, one, who) for one in known.of_kind("fund")]
        observer = next(iter(known.of_kind("agency", "lender")), None)
        return Inhabitants(performer, firms, desks, funds, observer)

    def _lives_here(self, code: str) -> bool:
        if self.only_bank:
            return code == self.only_bank
        return code != self.ground.own_process or self.city_file.mode is Mode.LOCKSTEP

    def _began_on(self) -> date:
        kept = self.store.remembered(BEGAN, "city").get("on")
        if kept is not None:
            return date.fromisoformat(str(kept["day"]))
        day = day_of(self.clock.now())
        self.store.remember(BEGAN, "city", "on", {"day": day.isoformat()})
        return day
