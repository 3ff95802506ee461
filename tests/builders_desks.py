"""A firm's desk with something on it, and a client that fills in its forms."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from uuid import UUID

import httpx
from builders_applications import an_application
from builders_demands import a_consent_to, a_demand
from builders_loans import a_loan
from builders_matching import Bank, a_bank, an_indication, an_offer
from builders_scoring import a_released_model, a_town
from conftest import Database

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.demands.queries import DemandView
from xinyidai.foundation.clock import AnchoredClock, BusinessClock, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.matching import service as matching
from xinyidai.matching.rules.views import IndicationView, OfferView
from xinyidai.parties.rules import PLATFORM_ID

TOKEN = re.compile(r'name="form_token" value="([^"]+)"')


@dataclass(frozen=True)
class FullDesk:
    """A firm with invoices, a loan, and a demand with offers of two banks and an indication of a third."""

    firm: Viewer
    banks: tuple[Bank, Bank]
    demand: DemandView
    offers: tuple[OfferView, OfferView]
    indicated: IndicationView
    loan_id: UUID


async def a_full_desk(database: Database, *, now: datetime) -> FullDesk:
    """Return a firm that was matched and got two offers, with a released model to score it by."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        firm = (await a_town(session, firms=1, invoices=60, now=now)).firms[0]
        await a_released_model(session, now=now)
        banks = (await a_bank(session, now=now), await a_bank(session, now=now))
        third = await a_bank(session, now=now)
        await a_bank(session, min_amount_fen=100_000_000, now=now)
        await a_consent_to(session, firm, PLATFORM_ID, third.id, *[bank.id for bank in banks], now=now)
        lent = await a_loan(session, firm=firm, now=now)
        demand = await a_demand(session, firm, now=now)
        matched = await matching.match(session, demand.id, now=now)
        by_lender = {one.lender_id: one for one in matched.dispatches}
        indicated = await an_indication(session, third, by_lender[third.id], now=now)
        cheap = await an_offer(session, banks[0], by_lender[banks[0].id], rate_bp=380, now=now)
        dear = await an_offer(session, banks[1], by_lender[banks[1].id], rate_bp=450, now=now)
    return FullDesk(firm, banks, demand, (cheap, dear), indicated, lent.id)


@dataclass
class Reader:
    """A signed-in person who reads pages and sends their forms."""

    client: httpx.AsyncClient

    async def read(self, path: str) -> str:
        """Return a page's HTML; it must be there."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
        return unescape(answer.text)

    async def send(
        self, path: str, fields: dict[str, str | list[str]], *, shown_on: str | None = None
    ) -> httpx.Response:
        """Send a form with the token of the page that shows it."""
        token = TOKEN.search(await self.read(shown_on or path))
        assert token is not None
        return await self.client.post(path, data=fields | {"form_token": token.group(1)})


@asynccontextmanager
async def a_reader(
    database: Database,
    viewer: Viewer,
    *,
    now: datetime,
    clock: BusinessClock | None = None,
    started_at: datetime | None = None,
) -> AsyncGenerator[Reader]:
    """Yield the viewer's person, signed in through the sandbox's door, reading Chinese; time stands at `now`.

    The platform started at `started_at` (wall time), or just now.
    """
    settings = database.settings.model_copy(update={"sandbox": True})
    app = an_application(settings, database.app, clock=clock or AnchoredClock(wall_now(), now, rate=0.0))
    app.state.started_at = started_at or wall_now()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://platform.example",
        headers={"Accept": "text/html", "Accept-Language": "zh-CN"},
    ) as client:
        person = {"user_id": str(viewer.principal_id), "party_id": str(viewer.organisation_id)}
        assert (await client.post("/sandbox/sign-in", data=person)).status_code == 303
        yield Reader(client)


def id_in(path: str) -> UUID:
    """Return the id in a path such as ``/firm/demands/<id>/posted``."""
    found = re.search(r"[0-9a-f-]{36}", path)
    assert found is not None
    return UUID(found.group(0))
