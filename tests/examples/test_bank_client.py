"""The bank in one file makes an indication and an offer over real HTTP, with a key and nothing else."""

import importlib.util
from datetime import datetime
from pathlib import Path
from types import ModuleType

import pytest
from anyio.to_thread import run_sync
from builders_demands import a_consent_to, a_demand
from builders_matching import a_bank, authority_text
from builders_pages import a_server
from builders_scoring import a_town
from conftest import Database

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.matching import queries, service
from xinyidai.matching.rules.states import OfferState
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.partners.service import mint_key

BANK = Path(__file__).resolve().parents[2] / "examples" / "bank_client" / "bank.py"
SCOPES = ["demands:read", "offers:read", "offers:write", "products:read", "profiles:read"]


def the_bank(url: str, key: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the example as a bank would start it."""
    monkeypatch.setenv("XYD_URL", url)
    monkeypatch.setenv("XYD_KEY", key)
    spec = importlib.util.spec_from_file_location("bank", BANK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_it_indicates_and_once_chosen_offers(
    database: Database, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm: Viewer = (await a_town(session, firms=1, invoices=60, now=noon)).firms[0]
        bank = await a_bank(session, min_amount_fen=1, now=noon)
        await a_consent_to(session, firm, PLATFORM_ID, bank.id, now=noon)
        demand = await a_demand(session, firm, now=noon)
        await service.match(session, demand.id, now=noon)
        minted = await mint_key(
            session, bank.desk.maker, organisation_id=bank.id, name="bank in one file", scopes=SCOPES, now=noon
        )

    async with a_server(database, now=noon) as served:
        program = the_bank(served.url, minted.secret, monkeypatch)
        first = await run_sync(program.work)
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=noon)
            (indicated,) = await queries.indications_for(session, firm, demand.id)
            await service.choose_lenders(
                session, firm, demand.id, indication_ids=[indicated.id], text_digest=authority_text(noon), now=noon
            )
        second = await run_sync(program.work)
        third = await run_sync(program.work)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        (offer,) = await queries.offers_for(session, bank.desk.maker, demand.id)
    assert (first, second, third) == (1, 1, 0)
    assert (offer.state, offer.amount_fen, offer.rate_bp) == (
        OfferState.PROPOSED,
        indicated.terms.max_amount_fen,
        indicated.terms.min_rate_bp,
    )


def test_it_stays_under_eighty_lines() -> None:
    assert len(BANK.read_text(encoding="utf-8").splitlines()) < 80
