"""The driver of a lock-step demo: what it waits for, and what it goes on without."""

from dataclasses import dataclass, field
from datetime import datetime

import asyncpg
import pytest
from builders_consents import a_consent
from builders_parties import a_firm
from conftest import Database

from xinyidai.access.service import act_as, act_as_platform
from xinyidai.cli.demo import lockstep
from xinyidai.cli.demo.lockstep import Driver, StuckError
from xinyidai.foundation.clock import StandingClock
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.settings import settings
from xinyidai.sources import service
from xinyidai.sources.service import pulling
from xinyidai.worker import load_rooms


@dataclass
class EmptyBroker:
    """A broker that has handed everything out."""

    asked: list[str] = field(default_factory=list)

    async def exists(self, *names: str) -> int:
        """Say that no message is left."""
        self.asked += names
        return 0


@pytest.fixture
async def driver(database: Database, noon: datetime, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """Stand before a day whose only fetch was put off for an hour."""
    load_rooms()
    known = settings().model_copy(update={"city_url": "http://127.0.0.1:1", "tax_client_id": "platform"})
    monkeypatch.setattr(pulling, "settings", lambda: known)
    monkeypatch.setattr(lockstep, "PATIENCE_SECONDS", 0.2)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
        await a_consent(session, firm, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        await service.ask_pull(session, firm, "a code", now=noon)
    admin = await asyncpg.connect(database.admin_dsn)
    await admin.execute("UPDATE foundation.outbox_delivery SET due_at = now() + interval '1 hour'")
    await admin.close()
    broker = EmptyBroker()
    return Driver(None, StandingClock(noon), broker, database.worker)  # type: ignore[arg-type]


async def test_what_was_put_off_is_waited_for_but_not_for_ever(driver: Driver) -> None:
    with pytest.raises(StuckError, match="put off for too long"):
        await driver.rest()


async def test_days_go_on_while_a_source_is_away(driver: Driver, admin: asyncpg.Connection) -> None:
    await admin.execute(
        "INSERT INTO sources.source_breaker (source, state, failures, openings, rests_until)"
        " VALUES ('tax', 'open', 5, 1, now() + interval '1 hour')"
    )

    await driver.rest()

    assert await admin.fetchval("SELECT count(*) FROM foundation.outbox_delivery WHERE state = 'waiting'") > 0
