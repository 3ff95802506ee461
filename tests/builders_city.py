"""A small city over the real platform: parties and keys as seeding makes them, both applications in one process."""

import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx2
import pytest
from builders_applications import an_application, take_back
from builders_bureau import CLIENT_ID, CLIENT_SECRET
from builders_parties import Desk, a_viewer, the_operator
from builders_scoring import a_released_model
from conftest import Database
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncSession

from city.clock import Mode
from city.living.city import City, Ground
from city.living.timekeeping import Wall
from city.providers.app import create_app as create_city_app
from city.wall import wall_now
from city.wire import Reply, WireSilent
from city.world.calendar import OPENS, SHANGHAI, is_working_day
from city.world.institutions import Bank, agreement_terms, banks, institutions, product_terms
from city.world.population import Firm, make_firms
from xinyidai.access.rules import OrganisationKind, Role
from xinyidai.access.service import act_as_platform
from xinyidai.agreements import service as agreements
from xinyidai.foundation import outbox, timetable
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.settings import settings
from xinyidai.parties import service as parties
from xinyidai.parties.rules import PartyId
from xinyidai.partners import service as partners
from xinyidai.partners.rules import Scope, WantedKey
from xinyidai.products import service as products
from xinyidai.products.rules import ProductTerms
from xinyidai.products.schemas import ProductIn
from xinyidai.sources import tasks
from xinyidai.sources.adapters.tax import TaxBureau
from xinyidai.sources.service import pulling
from xinyidai.worker import load_rooms

CONTROL = "a control token of the tests"
SEED = 1
CITY_FIRMS = 300
STARTS_ON = date(2025, 1, 6)
MANY_FEN = 10**11
METERS_ID, METERS_SECRET = "meters", "a secret between the platform and the utilities"
SECRETS = "city secret of "


@dataclass
class Staged:
    """A city and the platform that it plays on."""

    database: Database
    ground: Ground
    city: City
    driver: httpx2.AsyncClient
    firms: tuple[Firm, ...]
    disorder: random.Random | None = None
    """What shuffles deliveries and brings each twice, as brokers may; None brings them in order."""

    async def deliver(self) -> None:
        """Deliver every event that waits."""
        while due := await outbox.waiting(self.database.worker):
            if self.disorder is not None:
                due += due
                self.disorder.shuffle(due)
            for delivery_id in due:
                await outbox.deliver(self.database.worker, delivery_id, clock=self.city.clock)

    async def play(self, day: date) -> int:
        """Play one day in lock-step as a driver does; return how many acts there were."""
        nine = datetime.combine(day, OPENS, SHANGHAI)
        await self.tell("/clock", {"act": "set", "business_at": nine.isoformat()})
        await timetable.tick(self.database.worker, now=nine, act_as=act_as_platform)
        await self.deliver()
        acts = 0
        while is_working_day(day):
            done = await self.tell("/act", {"business_at": nine.isoformat()})
            acts += int(str(done["acts"]))
            await self.deliver()
            if not done["acts"]:
                break
        return acts

    async def play_until(self, last: date, *, every_days: int = 1) -> int:
        """Play from today on, each day or with leaps, the last day included; return how many acts there were."""
        day, acts = self.city.clock.now().astimezone(SHANGHAI).date(), 0
        while day < last:
            acts += await self.play(day)
            day = min(last, day + timedelta(days=every_days))
        return acts + await self.play(last)

    async def tell(self, path: str, body: dict[str, str]) -> dict[str, object]:
        """Tell the city something over HTTP."""
        answer = await self.driver.post(path, json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found


@asynccontextmanager
async def a_staged_city(
    database: Database,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    firms: tuple[Firm, ...],
    *,
    mode: Mode = Mode.LOCKSTEP,
    wall: Wall = wall_now,
) -> AsyncGenerator[Staged]:
    """Seed the platform with these firms and every institution, and open the city."""
    load_rooms()
    clients = {"tax_client_id": CLIENT_ID, "utilities_client_id": METERS_ID}
    known = settings().model_copy(update={"sandbox": True, "city_url": "http://city"} | clients)
    monkeypatch.setattr(partners, "settings", lambda: known)
    monkeypatch.setattr(pulling, "settings", lambda: known)
    starts_at = datetime.combine(STARTS_ON, OPENS, SHANGHAI)
    written = await _seed(database, firms, now=starts_at)
    home.mkdir(parents=True, exist_ok=True)
    (home / "city.toml").write_text(written.replace("lockstep", mode.value), encoding="utf-8")
    ground = Ground(home, SEED, CITY_FIRMS, mode, starts_at, wall=wall)
    async with a_city_over(database, ground, monkeypatch) as staged:
        yield Staged(database, staged.ground, staged.city, staged.driver, firms)


@asynccontextmanager
async def a_city_over(database: Database, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Staged]:
    """Open a city, new or as it was left, over a seeded platform."""
    sandbox = database.settings.model_copy(update={"sandbox": True, "requests_per_minute": 1_000_000})
    clock = _Following()
    platform = an_application(sandbox, database.app, clock=clock)
    ground = Ground(
        ground.home,
        ground.seed,
        ground.firms,
        ground.mode,
        ground.starts_at,
        wire=WireInto(_into(platform)),
        wall=ground.wall,
    )
    city = City.found(ground)
    clock.city = city
    app = create_city_app(city, control_token=CONTROL)
    bureau = TaxBureau("http://city", CLIENT_ID, CLIENT_SECRET, transport=_into(app))
    monkeypatch.setattr(tasks, "source_named", lambda _source: bureau)
    headers = {"Authorization": f"Bearer {CONTROL}"}
    async with (
        app.lifespan(),
        httpx2.AsyncClient(transport=_into(app), base_url="http://city", headers=headers) as driver,
    ):
        yield Staged(database, ground, city, driver, ())
    await bureau.aclose()
    take_back(platform)


class _Following:
    """The platform's clock: the city's."""

    city: City

    def now(self) -> datetime:
        """Return the city's business time."""
        return self.city.clock.now()


class WireInto:
    """A wire of the city that ends in an application, or in what a test answers."""

    def __init__(self, transport: httpx2.AsyncBaseTransport) -> None:
        self._client = httpx2.AsyncClient(transport=transport, base_url="http://platform")

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send it once."""
        try:
            answer = await self._client.request(method, path, content=body, headers=dict(headers))
        except httpx2.TransportError as error:
            raise WireSilent from error
        return Reply(answer.status_code, answer.content, answer.headers.get("Retry-After"))

    async def close(self) -> None:
        """Close the client."""
        await self._client.aclose()


def _into(app: Litestar) -> httpx2.ASGITransport:
    return httpx2.ASGITransport(app)  # type: ignore[arg-type]


async def _seed(database: Database, firms: tuple[Firm, ...], *, now: datetime) -> str:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        operator = await the_operator(session, now=now)
        await a_released_model(session, now=now)
        desks = await _institutions(session, now=now)
        for bank in banks():
            await _bank(session, bank, desks, now=now)
        ids = {code: desk.id for code, desk in desks.items()}
        for firm in firms:
            ids[firm.credit_code] = await _firm(session, firm, now=now)
        return await _toml(session, operator, ids, desks, firms, now=now)


async def _institutions(session: AsyncSession, *, now: datetime) -> dict[str, Desk]:
    listed = [(bank.credit_code, bank.name, "lender", bank.region_code) for bank in banks()]
    listed += [(one.credit_code, one.name, one.kind, one.region_code) for one in institutions()]
    desks = {}
    for code, name, kind, region in listed:
        party_id = await parties.register_party(
            session,
            kind=OrganisationKind(kind),
            name=name,
            credit_code=code,
            region_code=region,
            is_simulated=True,
            now=now,
        )
        maker = await a_viewer(session, party_id, Role.OFFICER, Role.ADMIN, now=now)
        desks[code] = Desk(party_id, maker, await a_viewer(session, party_id, Role.APPROVER, Role.ADMIN, now=now))
    return desks


async def _bank(session: AsyncSession, bank: Bank, desks: dict[str, Desk], *, now: datetime) -> None:
    desk = desks[bank.credit_code]
    terms: ProductTerms = ProductIn.model_validate(product_terms(bank)).terms()
    proposed = await products.propose(session, desk.maker, terms, valid_from=None, now=now)
    await products.publish_proposed(session, desk.checker, proposed.id, now=now)
    agreed = agreement_terms(bank)
    if agreed is None:
        return
    by_duty = {one.duty: desks[one.credit_code] for one in institutions()}
    fund, guarantor = by_duty["compensation_fund"], by_duty["guarantor"]
    await agreements.open_agreement(
        session,
        fund.maker,
        fund.checker,
        fund_id=fund.id,
        lender_id=desk.id,
        guarantor_id=guarantor.id,
        stop_loss_ppm=1_000_000,
        valid_from=business_date(now),
        valid_to=business_date(now) + timedelta(days=700),
        now=now,
        **agreed,  # type: ignore[arg-type]
    )
    for payer in (fund, guarantor):
        await agreements.pay_in(
            session,
            payer.maker,
            payer.checker,
            payer_id=payer.id,
            amount_fen=MANY_FEN,
            reference=f"拨款-{bank.product_code}",
            paid_on=business_date(now),
            now=now,
        )


async def _firm(session: AsyncSession, firm: Firm, *, now: datetime) -> PartyId:
    return await parties.register_party(
        session,
        kind=OrganisationKind(firm.kind),
        name=firm.name,
        credit_code=firm.credit_code,
        region_code=firm.region_code,
        industry_code=firm.industry_code,
        established_on=firm.established_on,
        staff=firm.staff,
        is_simulated=True,
        now=now,
    )


async def _toml(
    session: AsyncSession,
    operator: Desk,
    ids: dict[str, PartyId],
    desks: dict[str, Desk],
    firms: tuple[Firm, ...],
    *,
    now: datetime,
) -> str:
    kinds = {firm.credit_code: firm.kind for firm in firms}
    kinds |= {bank.credit_code: "lender" for bank in banks()} | {one.credit_code: one.kind for one in institutions()}
    roles = {code: (Role.OFFICER, Role.APPROVER) if code in desks else (Role.OFFICER,) for code in ids}
    wanted = [WantedKey(ids[code], f"city {role}", role, tuple(Scope)) for code in ids for role in roles[code]]
    keys = iter(await partners.mint_sandbox_keys(session, operator.maker, wanted, now=now))
    head = [f"seed = {SEED}", 'mode = "lockstep"', 'platform_url = "http://platform"', "[tax]"]
    head += [
        f'client_id = "{CLIENT_ID}"',
        f'client_secret = "{CLIENT_SECRET}"',
        'redirect_uris = ["http://platform/back"]',
        "[utilities]",
        f'client_id = "{METERS_ID}"',
        f'client_secret = "{METERS_SECRET}"',
    ]
    for code in ids:
        head += ["[[actors]]", f'credit_code = "{code}"', f'kind = "{kinds[code]}"', f'party_id = "{ids[code]}"']
        head += [
            f'{name} = "{next(keys)}"' for name, _role in zip(("maker_key", "checker_key"), roles[code], strict=False)
        ]
        head += [f'city_secret = "{SECRETS}{code}"']
    return "\n".join(head) + "\n"


def hollow_firms() -> tuple[Firm, ...]:
    """Return the firms of the test city that take a loan and stop paying."""
    return tuple(firm for firm in make_firms(SEED, CITY_FIRMS) if firm.is_hollow)


async def count(admin: asyncpg.Connection, table: str, where: str = "true") -> int:
    """Count the rows of a table."""
    found: int = await admin.fetchval(f"SELECT count(*) FROM {table} WHERE {where}")
    return found
