"""What wakes the room: a delivery's event, once however often it comes, and the hours and days."""

from datetime import datetime
from pathlib import Path

from builders_quality import an_office, electricity
from conftest import Database
from sqlalchemy import text

from xinyidai.access.service import act_as_platform
from xinyidai.foundation import outbox
from xinyidai.foundation.clock import StandingClock
from xinyidai.foundation.database import in_transaction
from xinyidai.quality import tasks


async def test_a_delivery_wakes_the_rules_and_hours_and_days_the_rest(
    database: Database, tmp_path: Path, noon: datetime
) -> None:
    office = await an_office(database, tmp_path, noon=noon)
    await office.only_deliver("electricity", [electricity("2023-05", charged_yuan="70000.00")])
    statement = text("SELECT id FROM foundation.outbox_delivery WHERE consumer = 'quality.judge_delivery'")
    async with in_transaction(database.worker) as session:
        (delivery_id,) = (await session.execute(statement)).scalars()

    await outbox.deliver(database.worker, delivery_id, clock=StandingClock(noon))
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await tasks.link_firms(session, noon)
        await tasks.note_silence(session, noon)

    assert await office.found() == [
        (1, 1, "electricity.tariff", "open"),
        (1, None, "electricity.silent", "open"),
    ]
