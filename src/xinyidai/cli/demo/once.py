"""`demo --once`: a year and a half in lock-step on the real processes, and figures at the end."""

import json
import os
import secrets
import shutil
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import asyncpg
import click
import redis.asyncio as redis

from xinyidai.cli.demo import history, seeding
from xinyidai.cli.demo.figures import Ending, as_table, end
from xinyidai.cli.demo.lockstep import Driver
from xinyidai.cli.demo.neighbours import HOST, CityPlan, Neighbours, free_port, neighbours, wait_for
from xinyidai.cli.demo.reading import CityReader, Firm, Institution
from xinyidai.cli.demo.seeding import CityGround, actors_of, write_city_file
from xinyidai.cli.people import refusals_told
from xinyidai.cli.story.acting import Stage, stage_at
from xinyidai.cli.story.cast import Desk
from xinyidai.cli.surroundings import Connected, Surroundings, home, require_own_servers, surroundings
from xinyidai.foundation.clock import add_months, business_date
from xinyidai.foundation.settings import Settings, settings
from xinyidai.sources.rules.pulls import PullSource
from xinyidai.sources.service.connecting import OFFICES
from xinyidai.worker import connect_broker, load_rooms

FIRMS: Final = 200
MONTHS: Final = 18
LOCKSTEP: Final = "lockstep"
WEB_PROCESSES: Final = 2
"""All look before anybody acts, so two answer at a time; acts come one after another."""
TOLD_EVERY_DAYS: Final = 91


def run_once(*, seed: int, firms: int, months: int, json_file: Path | None) -> None:
    """Run it, print the table, write the figures; exit 1 when books, seals or replays do not hold."""
    require_own_servers()
    folder = home() / f"once_seed{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    with surroundings(database=f"once_seed{seed}", fresh=True, with_broker=True) as around, neighbours() as beside:
        plan = CityPlan(folder, seed, firms, LOCKSTEP, free_port())
        known = connect_to_city(around, plan)
        plan.start(beside)
        with reading(plan) as city:
            known = pin_key(known, city)
        load_rooms()

        async def act(connected: Connected) -> Ending:
            return await _live(connected, plan, beside, database=around.database, months=months)

        with refusals_told():
            ending = known.run(act)
    click.echo(f"\nsimulated city, seed {seed}: every firm, bank and person is made up")
    click.echo(as_table(ending.figures))
    if json_file is not None:
        json_file.write_text(json.dumps(ending.figures, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        click.echo(f"figures written to {json_file}")
    if not holds(ending):
        raise click.ClickException("the books, the seals or the replay do not hold: see the figures")


def holds(ending: Ending) -> bool:
    """Say whether nothing is altered or unbalanced and every decision replays."""
    figures = ending.figures
    replayed = figures["replay"]
    assert isinstance(replayed, dict), "figures hold the replay's three counts"
    return (
        ending.verified.is_clean
        and figures["ledger_imbalance_fen"] == 0
        and figures["unsealed"] == 0
        and figures["regulator_disbursed_fen"] == figures["disbursed_fen"]
        and replayed["different"] == 0
    )


def connect_to_city(around: Surroundings, plan: CityPlan) -> Surroundings:
    """Point this process and its children at the city, with clients of this run's own at its offices."""
    os.environ["CITY_URL"] = plan.url
    os.environ["CITY_CLOCK_STAMP"] = str(plan.clock_stamp)
    os.environ["CITY_CONTROL_TOKEN"] = plan.token
    for office in map(str.upper, OFFICES):
        os.environ.setdefault(f"{office}_CLIENT_ID", "xinyidai")
        os.environ.setdefault(f"{office}_CLIENT_SECRET", secrets.token_urlsafe(32))
    # Everybody in the city acts from one machine, and a bank's bot does in a minute what its people do in a month.
    os.environ.setdefault("REQUESTS_PER_MINUTE", "1000000")
    settings.cache_clear()
    return replace(around, settings=settings())


def pin_key(around: Surroundings, city: CityReader) -> Surroundings:
    """Pin the key that the office of the daily files signs with, as whoever connects a platform does, once."""
    os.environ["BENEFITS_PUBLIC_KEY"] = city.benefits_key()
    settings.cache_clear()
    return replace(around, settings=settings())


@contextmanager
def reading(plan: CityPlan) -> Generator[CityReader]:
    """Yield a connection to the city."""
    with closing(CityReader(plan.url, plan.token)) as city:
        yield city


async def seed_city(
    stage: Stage, city: CityReader, plan: CityPlan, *, platform_urls: tuple[str, ...]
) -> dict[str, Desk]:
    """Seed platform and city from the registry; return the desks of institutions by their duty."""
    known = stage.connected.settings
    clients = seeding.office_clients(known, platform_urls[0])
    tax = clients[PullSource.TAX.value]
    ground = CityGround(plan.seed, plan.mode, platform_urls, clients)
    firms, institutions = city.firms(), city.institutions()
    write_city_file(plan.toml, ground)
    city.read_keys()
    settled = await seeding.settle(stage, firms, institutions)
    played = seeding.firms_for_persons(firms) if plan.mode != LOCKSTEP else []
    if played:
        await seeding.give_to_persons(stage, settled, played)
    await seeding.open_business(stage, settled, institutions)
    today = business_date(stage.now)
    invoices = history.write_invoices(plan.home / "invoices.csv", firms, seed=plan.seed, count=plan.firms, until=today)
    stage.tell("the bureau's file of invoices is written")
    outcomes = city.outcomes(today, tax.client_id, tax.client_secret)
    await history.deliver(stage, settled, firms, institutions, outcomes=outcomes, invoice_file=invoices)
    await history.train_and_release(stage, settled, seed=plan.seed)
    # Whom a person plays is not in the city's file, so no bot acts for the same firm.
    bots: list[Firm | Institution] = [*(firm for firm in firms if firm not in played), *institutions]
    write_city_file(plan.toml, ground, actors_of(settled, bots))
    city.read_keys()
    stage.tell("the city has its keys")
    return {one.duty: settled.desks[one.credit_code] for one in institutions if one.duty}


async def _hurry(known: Settings, database: str) -> None:
    """Let commits not wait for the disk: a run of half a minute more after a power cut is no loss here."""
    assert known.database_url is not None, "a lock-step demo runs on a database that it may drop"
    admin = await asyncpg.connect(known.database_url.get_secret_value())
    await admin.execute(f'ALTER DATABASE "{database}" SET synchronous_commit = off')
    await admin.close()


async def _live(connected: Connected, plan: CityPlan, beside: Neighbours, *, database: str, months: int) -> Ending:
    ports = [free_port() for _ in range(WEB_PROCESSES)]
    urls = tuple(f"http://{HOST}:{port}" for port in ports)
    known = connected.settings
    assert known.broker_url is not None, "the broker was started or named"
    connect_broker(known.broker_url.get_secret_value())
    await _hurry(known, database)
    stage = stage_at(connected, connected.clock.now())
    # They take as long to start as the seeding takes, and a second core is idle meanwhile.
    # What was committed waits for the driver: it is delivered after everybody has acted, in the same order each time. A
    # firm's own data are fetched at once: nobody looks at them before the next round.
    webs = [beside.start(["xinyidai", "serve", "--port", str(port), "--sends", "outside"]) for port in ports]
    beside.start(["xinyidai", "work", "--solo"])
    with reading(plan) as city:
        duties = await seed_city(stage, city, plan, platform_urls=urls)
        for url, web in zip(urls, webs, strict=True):
            wait_for(f"{url}/health/live", web, "the web server")
        stage.tell("web, worker and city are up; days pass")
        began = stage.now
        async with redis.Redis.from_url(known.broker_url.get_secret_value()) as broker:
            driver = Driver(city, connected.clock, broker, connected.worker)
            day, last = business_date(began), add_months(business_date(began), months)
            while day < last:
                days = min(TOLD_EVERY_DAYS, (last - day).days)
                stage.now = await driver.live(day, days)
                day += timedelta(days=days)
                stage.tell(f"{business_date(stage.now)}: {dict(driver.acts)}")
            await driver.rest()
        return await end(
            stage, fund=duties["compensation_fund"], regulator=duties["regulator"], seed=plan.seed, began_at=began
        )
