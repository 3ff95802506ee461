"""`demo`: web in this process, worker, beat and city beside it; seeded while the web server is up already."""

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import click
import httpx2
from sqlalchemy.exc import DBAPIError

from xinyidai.cli.demo.keeping import Keeper
from xinyidai.cli.demo.neighbours import HOST, CityPlan, Neighbours, Watched, look_after, neighbours
from xinyidai.cli.demo.once import connect_to_city, pin_key, reading, seed_city
from xinyidai.cli.servers import serve_http
from xinyidai.cli.story.acting import Stage
from xinyidai.cli.surroundings import (
    Surroundings,
    bring_up_to_date,
    home,
    require_free_port,
    require_own_servers,
    say,
    surroundings,
)
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.progress import PreparationState, Progress
from xinyidai.sources.service.connecting import OFFICES
from xinyidai.worker import connect_broker, load_rooms

FIRMS: Final = 2_000
CITY_PORT: Final = 8010
LIVE: Final = "live"
WATCH_SECONDS: Final = 1.0
POLL_SECONDS: Final = 0.1
LEAST_FREE_BYTES: Final = 20_000_000
DISK_FULL: Final = 14
"""The exit code of a full disk, the same as run.py's."""
_DISK_FULL_STATE: Final = "53100"


class DiskIsFull(click.ClickException):
    """No room for the seeded city."""

    exit_code = DISK_FULL


@dataclass
class Preparing:
    """The preparation beside the web server: seeds, keeps a template, starts worker and beat, lets time flow.

    It runs in a thread that lives as long as the children it started: the kernel ends them with that thread.
    """

    around: Surroundings
    keeper: Keeper
    beside: Neighbours
    platform_url: str
    city: subprocess.Popen[bytes]
    is_over: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None

    def run(self) -> None:
        """Prepare, then look after the children until the demo ends."""
        began = time.monotonic()
        progress = Progress(home())
        try:
            if not self.keeper.is_seeded():
                self.around.run(lambda connected: self._seed(Stage(connected, connected.clock.now(), began, progress)))
                self.keeper.mark_seeded()
                self.keeper.save()
                say(
                    f"[{time.monotonic() - began:6.1f} s] kept as a template: later starts and --reset skip the seeding"
                )
            watched = self._start_the_others()
            self._wait_for_pages()
            self._tell_clock("run")
            progress.end(PreparationState.READY, seconds=round(time.monotonic() - began, 1))
            say(f"The city lives: {self.keeper.plan.firms:,} firms. Pages and API on {self.platform_url}")
            while not self.is_over.wait(WATCH_SECONDS):
                look_after(self.beside, watched)
            with suppress(httpx2.HTTPError):
                self._tell_clock("pause")
        except (Refusal, DBAPIError, OSError, httpx2.HTTPError, asyncpg.PostgresError, click.ClickException) as error:
            self.failure = error
            # On a full disk the progress cannot be written either, and whoever waits for this thread must not wait on.
            with suppress(OSError):
                progress.end(PreparationState.FAILED, seconds=round(time.monotonic() - began, 1))
            os.kill(os.getpid(), signal.SIGINT)

    def _start_the_others(self) -> list[Watched]:
        """Start worker and beat, and return whom to look after."""

        def starting(word: str) -> Callable[[], subprocess.Popen[bytes]]:
            return lambda: self.beside.start(["xinyidai", word])

        starts = {"the worker": starting("work"), "beat": starting("beat")}
        watched = [Watched(name, start, start()) for name, start in starts.items()]
        return [Watched("the city", lambda: self.keeper.plan.start(self.beside), self.city), *watched]

    def _wait_for_pages(self) -> None:
        """Wait until the web server answers: who reads that the city lives opens its page at once."""
        while not self.is_over.is_set():
            with suppress(httpx2.TransportError):
                if httpx2.get(f"{self.platform_url}/health/live", timeout=1, trust_env=False).is_success:
                    return
            self.is_over.wait(POLL_SECONDS)

    async def _seed(self, stage: Stage) -> None:
        known = stage.connected.settings
        assert known.broker_url is not None, "the broker was started with the servers"
        connect_broker(known.broker_url.get_secret_value())
        with reading(self.keeper.plan) as city:
            await seed_city(stage, city, self.keeper.plan, platform_urls=(self.platform_url,))

    def _tell_clock(self, act: str) -> None:
        with reading(self.keeper.plan) as city:
            city.tell_clock(act)


def run_live(*, seed: int, firms: int, port: int, city_port: int, reset: bool) -> None:
    """Run the living demo until told to stop."""
    require_own_servers()
    for wanted in (port, city_port):
        require_free_port(HOST, wanted)
    name = f"demo_{seed}_{firms}"
    plan = CityPlan(home() / name, seed, firms, LIVE, city_port)
    with surroundings(database=name, with_broker=True, migrated=False) as around, neighbours() as beside:
        assert around.embedded is not None, "no database was given"
        keeper = Keeper(around.embedded.dsn("postgres"), name, plan)
        _make_ready(keeper, around, reset=reset)
        known_there = keeper.client_secrets()
        for office in OFFICES if known_there else ():
            # A city founded before an office had us as a client goes on without it.
            os.environ[f"{office.upper()}_CLIENT_SECRET"] = known_there.get(office, "")
            if office not in known_there:
                os.environ[f"{office.upper()}_CLIENT_ID"] = ""
        around = connect_to_city(around, plan)
        living = plan.start(beside, goes_on=True)
        with reading(plan) as city:
            city.tell_clock("pause")
            around = pin_key(around, city)
        load_rooms()
        preparing = Preparing(around, keeper, beside, f"http://{HOST}:{port}", living)
        thread = threading.Thread(target=preparing.run, name="preparing")
        thread.start()
        try:
            serve_http(around, host=HOST, port=port)
        finally:
            preparing.is_over.set()
            thread.join()
            if preparing.failure is not None:
                raise told(preparing.failure, keeper)


def _make_ready(keeper: Keeper, around: Surroundings, *, reset: bool) -> None:
    for half_made in keeper.remove_half_made():
        say(f"removed {half_made}: its making was interrupted")
    if reset or not keeper.is_seeded():
        if keeper.restore():
            say("restored the seeded city from its template")
        else:
            keeper.start_anew()
    asyncio.run(bring_up_to_date(around.settings))


def told(failure: BaseException, keeper: Keeper) -> click.ClickException:
    """Return a failure of the preparation as a sentence, with what was done about it."""
    state = getattr(getattr(failure, "orig", failure), "sqlstate", None)
    # A server that cannot write its log ends without saying why.
    is_full = shutil.disk_usage(keeper.plan.home.parent).free < LEAST_FREE_BYTES
    if is_full or state == _DISK_FULL_STATE or getattr(failure, "errno", None) == errno.ENOSPC:
        removed = ", ".join(keeper.remove_half_made()) or "nothing half-made was left"
        return DiskIsFull(f"the disk of {home()} is full; removed: {removed}. Free some space and start again")
    if isinstance(failure, Refusal):
        return click.ClickException(f"{failure.code}: {failure.sentence('en')} / {failure.sentence('zh')}")
    return click.ClickException(f"the city could not be seeded: {failure}")
