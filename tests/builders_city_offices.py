"""The city's offices over real HTTP, and the platform's clients of three of them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import httpx2
from builders_town import BACK, BENEFITS, CLIENT, CLIENTS, CONTROL, OFFICES, SECRET, Called, Wall
from litestar import Litestar
from uvicorn import Config, Server

from city.clock import Mode
from city.living.city import City, Ground
from city.providers.app import create_app
from city.providers.benefit_files import key_of
from city.world.population import Firm, make_firms

COURT_SECRET, CUSTOMS_KEY = "court secret", "customs key"
NINE = datetime(2025, 6, 16, 1, 0, tzinfo=UTC)
"""When the offices open: nine in Shanghai."""
TODAY = date(2025, 6, 16)


@dataclass
class Offices:
    """A city that listens on the loopback, its wall clock, and a firm that has something at every office."""

    url: str
    city: City
    app: Litestar
    http: httpx2.AsyncClient
    firm: Firm
    other: Firm
    wall: Wall
    called: Called
    references: dict[str, str] = field(default_factory=dict)

    @property
    def public_key(self) -> bytes:
        """Return the key that files are signed with, as the office tells it to who connects."""
        return key_of(self.city).public_key().public_bytes_raw()

    @property
    def now(self) -> datetime:
        """Return the city's business time."""
        return self.city.clock.now()

    async def reference(self, office: str, fault: str = "", **fields: str) -> str:
        """Let the firm say yes at an office; a fault is played in each call with the number."""
        body = {"credit_code": self.firm.credit_code, "client_id": CLIENTS[office]} | fields
        secret = {"Authorization": "Bearer firm secret"}
        answer = await self.http.post(f"/{office}/authorizations", json=body, headers=secret)
        self.references[office] = str(answer.json()["reference"])
        return self.references[office] + (f"~{fault}" if fault else "")

    async def withdraw(self, office: str) -> None:
        """Let the firm take its yes back."""
        body = {"credit_code": self.firm.credit_code, "reference": self.references[office]}
        await self.http.post(f"/{office}/withdrawals", json=body, headers={"Authorization": "Bearer firm secret"})

    async def day_is(self, day: date) -> None:
        """Let it be nine o'clock of a day."""
        moment = {"act": "set", "business_at": f"{day.isoformat()}T09:00:00+08:00"}
        await self.http.post("/clock", json=moment, headers={"Authorization": f"Bearer {CONTROL}"})

    async def play(self, office: str, kind: str, **asked: object) -> None:
        """Let an office go wrong in every call for a while; with probability 0 no more."""
        body = {"provider": office, "kind": kind, "probability": 1.0, "seed": 1, "seconds_to_live": 600} | asked
        await self.http.post("/faults", json=body, headers={"Authorization": f"Bearer {CONTROL}"})


@asynccontextmanager
async def open_offices(home: Path, *, hang_seconds: float = 0.01) -> AsyncGenerator[Offices]:
    """Open a city of forty firms in which nobody is heard, at its own address."""
    firms = make_firms(1, 40)
    wall, called = Wall(), Called()
    (home / "city.toml").write_text(
        'seed = 1\nmode = "lockstep"\nplatform_url = "http://127.0.0.1:9"\n'
        f'[tax]\nclient_id = "{CLIENT}"\nclient_secret = "{SECRET}"\nredirect_uris = ["{BACK}"]\n{OFFICES}'
        f'[[actors]]\ncredit_code = "{firms[2].credit_code}"\nkind = "{firms[2].kind}"\nparty_id = "p"\n'
        'maker_key = "k"\ncity_secret = "firm secret"\n',
        encoding="utf-8",
    )
    city = City.found(Ground(home, 1, 40, Mode.LOCKSTEP, NINE, wall=wall))
    app = create_app(city, control_token=CONTROL, wire=called, hang_seconds=hang_seconds)
    server = Server(Config(app, port=0, log_level="critical"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    async with httpx2.AsyncClient(base_url=url, trust_env=False) as http:
        yield Offices(url, city, app, http, firms[2], firms[3], wall, called)
    server.should_exit = True
    await serving


__all__ = ["BENEFITS", "COURT_SECRET", "CUSTOMS_KEY", "NINE", "TODAY", "Offices", "open_offices"]
