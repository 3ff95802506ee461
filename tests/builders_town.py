"""A city without a platform: its own application, a wall clock that a test moves, and who may ask it."""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx2
from litestar import Litestar

from city.clock import Mode
from city.living.city import City, Ground
from city.providers.app import create_app
from city.providers.quotas import Quotas
from city.wire import Reply
from city.world.population import Firm, make_firms

CONTROL = "control token"
CLIENT, SECRET = "platform", "client secret"
BACK = "http://platform.example/back?from=tax"
QUOTA = 40
START = datetime(2025, 6, 16, 1, 0, tzinfo=UTC)


@dataclass
class Wall:
    """A wall clock that stands until it is moved."""

    moment: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the moment."""
        return self.moment

    def wait(self, **passed: float) -> None:
        """Let wall time pass."""
        self.moment += timedelta(**passed)


OFFICES = """
[utilities]
client_id = "meters"
client_secret = "meter secret"
redirect_uris = ["http://platform.example/meters"]
[benefits]
client_id = "platform"
client_secret = "benefit secret"
[courts]
client_id = "platform"
client_secret = "court secret"
callback_url = "http://platform.example/called?by=court"
[customs]
client_id = "platform"
client_secret = "customs key"
"""
CLIENTS = {"utilities": "meters", "benefits": "platform", "courts": "platform", "customs": "platform"}
METERS, BENEFITS = "meter secret", "benefit secret"


def is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Say whether a call back is signed as Standard Webhooks has it; made here anew, from the document."""
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()
    return headers["webhook-signature"] == f"v1,{wanted}"


def hmac_of(secret: str, *lines: str) -> str:
    """Return the signature of lines."""
    return hmac.new(secret.encode(), "\n".join(lines).encode(), hashlib.sha256).hexdigest()


@dataclass
class Called:
    """A wire that writes down what is sent, and answers with the statuses that it was given, then with 204."""

    sent: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Write it down."""
        self.sent.append((f"{method} {path}", dict(headers), body or b""))
        return Reply(self.statuses.pop(0) if self.statuses else 204, b"")

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Town:
    """A city, a client of its HTTP, its wall clock and a firm with a secret there."""

    city: City
    http: httpx2.AsyncClient
    wall: Wall
    firm: Firm
    other: Firm
    home: Path
    app: Litestar
    called: Called
    nonces: int = 0

    async def control(self, path: str, **body: object) -> httpx2.Response:
        """Tell the city something with the control token."""
        return await self.http.post(path, json=body, headers={"Authorization": f"Bearer {CONTROL}"})

    async def consent(self, scope: str = "vat_invoices") -> str:
        """Let the firm say yes, and return the consent code."""
        body = {"credit_code": self.firm.credit_code, "client_id": CLIENT, "scope": scope}
        answer = await self.http.post("/tax/authorizations", json=body, headers={"Authorization": "Bearer firm secret"})
        return str(answer.json()["code"])

    async def token(self, code: str, *, secret: str = SECRET) -> httpx2.Response:
        """Exchange a consent code as the platform does."""
        form = {"grant_type": "authorization_code", "code": code, "client_id": CLIENT, "client_secret": secret}
        return await self.http.post("/tax/token", data=form)

    async def invoices(self, token: str, **query: str) -> httpx2.Response:
        """Read a page of invoices."""
        asked = {"from": "2025-01", "to": "2025-04"} | query
        return await self.http.get("/tax/invoices", params=asked, headers={"Authorization": f"Bearer {token}"})

    async def tax(self, what: str, token: str, **query: str) -> httpx2.Response:
        """Read what the tax bureau has."""
        return await self.http.get(f"/tax/{what}", params=query, headers={"Authorization": f"Bearer {token}"})

    async def reference(self, provider: str, **fields: str) -> str:
        """Let the firm say yes at an office, and return the number that it gets."""
        body = {"credit_code": self.firm.credit_code, "client_id": CLIENTS[provider]} | fields
        answer = await self.http.post(
            f"/{provider}/authorizations", json=body, headers={"Authorization": "Bearer firm secret"}
        )
        return str(answer.json()["reference"])

    async def withdraw(self, provider: str, reference: str) -> httpx2.Response:
        """Let the firm take its yes back."""
        body = {"credit_code": self.firm.credit_code, "reference": reference}
        return await self.http.post(
            f"/{provider}/withdrawals", json=body, headers={"Authorization": "Bearer firm secret"}
        )

    def signing(self, query: Mapping[str, str], **bent: str) -> dict[str, str]:
        """Return the headers of a signed request for readings; what is bent is signed as it should be."""
        self.nonces += 1
        told = {"timestamp": str(int(self.wall().timestamp())), "nonce": f"nonce-{self.nonces:011d}"} | bent
        encoded = "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query))
        lines = ("GET", "/utilities/readings", encoded, told["timestamp"], told["nonce"], hashlib.sha256().hexdigest())
        signature = bent.get("signature") or hmac_of(METERS, *lines)
        return {
            "X-Api-Key": bent.get("key", "meters"),
            "X-Timestamp": told["timestamp"],
            "X-Nonce": told["nonce"],
            "X-Signature": signature,
        }

    async def readings(self, reference: str, **query: str) -> httpx2.Response:
        """Read a meter, signed as the document says."""
        asked = {"item": "electricity", "reference": reference, "from": "2024-01", "to": "2025-04"} | query
        return await self.http.get("/utilities/readings", params=asked, headers=self.signing(asked))

    async def subscribe(self, *pairs: tuple[str, str], secret: str = BENEFITS) -> httpx2.Response:
        """Upload the list of firms."""
        rows = [{"credit_code": code, "reference": reference} for code, reference in pairs]
        body = json.dumps({"firms": rows}).encode()
        headers = {"X-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}
        return await self.http.put("/benefits/subscription", content=body, headers=headers, auth=("platform", BENEFITS))

    async def file(self, day: str, name: str) -> httpx2.Response:
        """Fetch a file of a day."""
        return await self.http.get(f"/benefits/files/{day}/{name}", auth=("platform", BENEFITS))

    async def ask_courts(self, reference: str) -> httpx2.Response:
        """Ask the courts."""
        return await self.http.post(
            "/courts/queries", json={"reference": reference}, headers={"Authorization": "Bearer court secret"}
        )

    async def job(self, job_id: str) -> httpx2.Response:
        """Ask the courts how far they are."""
        return await self.http.get(f"/courts/queries/{job_id}", headers={"Authorization": "Bearer court secret"})

    async def customs(self, what: str, reference: str, **query: str) -> httpx2.Response:
        """Ask the customs."""
        asked = {"reference": reference, "from": "2024-01", "to": "2025-04"} | query
        return await self.http.get(f"/customs/{what}", params=asked, headers={"X-Api-Key": "customs key"})

    async def fault(self, provider: str, kind: str, **asked: object) -> httpx2.Response:
        """Ask for a fault."""
        body = {"provider": provider, "kind": kind, "probability": 1.0, "seed": 1, "seconds_to_live": 60} | asked
        return await self.control("/faults", **body)


@asynccontextmanager
async def a_town(
    home: Path, *, mode: Mode = Mode.LOCKSTEP, wall: Wall | None = None, quota: int = QUOTA, hang_seconds: float = 0.01
) -> AsyncGenerator[Town]:
    """Open a city of forty firms in which nobody is heard.

    The firm with a secret has something at every office; the other actor wants a loan within the year.
    """
    firms = make_firms(1, 40)
    wall, called = wall or Wall(), Called()
    (home / "city.toml").write_text(
        f'seed = 1\nmode = "{mode.value}"\nplatform_url = "http://127.0.0.1:9"\n'
        f'[tax]\nclient_id = "{CLIENT}"\nclient_secret = "{SECRET}"\nredirect_uris = ["{BACK}"]\n{OFFICES}'
        f'[[actors]]\ncredit_code = "{firms[2].credit_code}"\nkind = "{firms[2].kind}"\nparty_id = "p"\n'
        'maker_key = "k"\ncity_secret = "firm secret"\n'
        f'[[actors]]\ncredit_code = "{firms[0].credit_code}"\nkind = "{firms[0].kind}"\nparty_id = "q"\n'
        'maker_key = "l"\n',
        encoding="utf-8",
    )
    city = City.found(Ground(home, 1, 40, mode, START, wall=wall))
    app = create_app(city, control_token=CONTROL, quotas=Quotas(quota), wire=called, hang_seconds=hang_seconds)
    transport = httpx2.ASGITransport(app)  # type: ignore[arg-type]
    async with app.lifespan(), httpx2.AsyncClient(transport=transport, base_url="http://city") as http:
        yield Town(city, http, wall, firms[2], firms[3], home, app, called)
