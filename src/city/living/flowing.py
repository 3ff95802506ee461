"""Life while time flows: each bank, the firms and the funds in tasks of their own, and waiting for persons."""

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from city.living.city import City, Inhabitants
from city.living.performing import API
from city.platform import PlatformAway
from city.world.calendar import OPENS, SHANGHAI, is_open, is_working_day
from city.world.draws import uniform
from city.world.institutions import banks

log = structlog.get_logger()

POLL_SECONDS = 2.0
PENDING_SECONDS = 1.0
PENDING_PATH = f"{API}/sandbox/pending"
PERSON, BOTS = "person", "bots"
SKIP_ROUNDS = 3
SKIP_PAUSE_SECONDS = 0.3
"""So long the platform's worker gets between two rounds of a skipped day: its beat ticks each second."""
SKIPPED_DAYS = 30
LIVING_SECONDS = 1.0

LOOKS_AFTER_EVERY = 4
"""Looks into the inbox for each look at what became of one's own offers: those answer by the firm's bell as well."""

Living = Callable[[Inhabitants, datetime, int], Awaitable[None]]
"""What an actor does when it looks: who lives here, the business time, and how often it has looked before."""


def start_flowing(city: City) -> list[asyncio.Task[None]]:
    """Start the tasks of a city in live mode; the caller cancels them. They go on after every failure they know."""
    places = [_live(city, f"bank {number}", _bank(number)) for number in range(len(banks()))]
    lives = [*places, _live(city, "firms", _firms), _live(city, "funds", _funds), _watch(city), _note_living(city)]
    return [asyncio.create_task(life) for life in lives]


async def skip_month(city: City) -> None:
    """Run thirty days as fast as everybody can act, a day after the other, then go on as before."""
    # Time that only waited for a person goes on: by then the person may have left, and nobody would let it run again.
    was_paused = city.clock.line.is_paused and city.clock.line.waits_for is None
    city.is_skipping = True
    try:
        city.clock.pause()
        for _ in range(SKIPPED_DAYS):
            local = city.clock.now().astimezone(SHANGHAI)
            following = datetime.combine(local.date() + timedelta(days=1), OPENS, SHANGHAI)
            city.clock.move_to(following)
            rounds = SKIP_ROUNDS if is_working_day(following.date()) else 1
            for _ in range(rounds):
                await asyncio.sleep(SKIP_PAUSE_SECONDS)
                await _quietly(city.round(city.clock.now()) if rounds > 1 else asyncio.sleep(0))
    finally:
        city.is_skipping = False
        if not was_paused:
            city.clock.run()


async def live_alone(city: City, *, parent: int) -> None:
    """Live as one bank in a process of its own, as long as its parent is the process `parent`.

    The clock is followed from the city's file and never written; city.toml is read again when it changes.
    """
    read_at, number = 0.0, 0
    bank = _bank(0)
    while os.getppid() == parent:
        number += 1
        written_at = city.ground.toml.stat().st_mtime if city.ground.toml.exists() else 0.0
        if written_at != read_at:
            await city.settle()
            read_at = written_at
        await asyncio.sleep(POLL_SECONDS)
        city.clock.reread()
        living = city.inhabitants
        if living is None:
            continue
        await _quietly(_hear_of_persons(city, living))
        if is_awake(city, city.clock.now()):
            await _quietly(bank(living, city.clock.now(), number))


def _bank(number: int) -> Living:
    async def act(living: Inhabitants, now: datetime, looked: int) -> None:
        for desk in living.banks[number : number + 1]:
            is_first = looked % LOOKS_AFTER_EVERY == 0
            await desk.act(await desk.look(now, looks_in=True, is_first=is_first, looks_daily=True), now)

    return act


async def _firms(living: Inhabitants, now: datetime, _looked: int) -> None:
    living.performer.begin_round()
    await living.firms.act(await living.firms.look(now, is_first=True, looks_daily=True), now)


async def _funds(living: Inhabitants, now: datetime, _looked: int) -> None:
    for fund in living.funds:
        await fund.look(now)
        await fund.act(now)


async def _live(city: City, name: str, act: Living) -> None:
    """Let one actor look again and again, at moments of its own, while offices are open."""
    number = 0
    while True:
        number += 1
        await asyncio.sleep(POLL_SECONDS * (0.75 + 0.5 * uniform(city.city_file.seed, "poll", name, str(number))))
        now, living = city.clock.now(), city.inhabitants
        if living is None or city.is_skipping or not is_awake(city, now):
            continue
        await _quietly(act(living, now, number))


def is_awake(city: City, now: datetime) -> bool:
    """Say whether bots act: in office hours while time flows, and at any hour while a person waits for them."""
    return city.is_hurried or (not city.clock.line.is_paused and is_open(now))


async def _watch(city: City) -> None:
    """Let time wait for persons, and let bots hurry where a person waits for them."""
    while True:
        await asyncio.sleep(PENDING_SECONDS)
        living = city.inhabitants
        if living is not None and not city.is_skipping:
            await _quietly(_wait_for_persons(city, living))


async def _note_living(city: City) -> None:
    """Write down every second that the city lives, for a start after nobody could stop the time."""
    while True:
        try:
            city.clock.note_living()
        except sqlite3.OperationalError as error:
            # A full or busy disk: the city lives all the same, and the next second is noted again.
            log.warning("life_not_noted", error=type(error).__name__)
        await asyncio.sleep(LIVING_SECONDS)


async def _wait_for_persons(city: City, living: Inhabitants) -> None:
    if await _hear_of_persons(city, living):
        heed(city)


async def _hear_of_persons(city: City, living: Inhabitants) -> bool:
    if living.observer is None:
        return False
    answer = await living.performer.platform.call(living.observer.maker_key, "GET", PENDING_PATH)
    if answer.is_ok:
        city.waits_for = answer.text("waits_for")
        city.is_hurried = any(one.get("waits_for") == BOTS for one in answer.rows("persons"))
    return answer.is_ok


def heed(city: City) -> None:
    """Stop the time while a person has something to do, and let it go on when none has or the person has left."""
    line = city.clock.line
    if city.waits_for == PERSON and not line.is_paused:
        city.clock.pause(waits_for=PERSON)
    elif city.waits_for != PERSON and line.is_paused and line.waits_for == PERSON:
        city.clock.run()


async def _quietly(act: Awaitable[object]) -> None:
    """Do it; what fails is left to the next look."""
    try:
        await act
    except PlatformAway:
        log.warning("platform_away")
    except Exception as error:
        # One answer that nobody understands must not end a bank for good; its next look begins with what it remembers.
        log.error("look_failed", error=type(error).__name__, exc_info=error)
