"""A city without a platform: its own application, a wall clock that a test moves, and who may ask it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2

from city.living.city import City
from city.world.population import Firm

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


@dataclass
class Town:
    """A city, a client of its HTTP, its wall clock and a firm with a secret there."""

    city: City
    http: httpx2.AsyncClient
    wall: Wall
    firm: Firm
    other: Firm
    home: Path

    async def control(self, path: str, **body: object) -> httpx2.Response:
        """Tell the city something with the control token."""
        return await self.http.post(path, json=body, headers={"Authorization": f"Bearer {CONTROL}"})

    async def consent(self) -> str:
        """Let the firm say yes, and return the consent code."""
        body = {"credit_code": self.firm.credit_code, "client_id": CLIENT, "scope": "vat_invoices"}
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
