"""The processes beside this one: worker, beat, web, city. Each ends with the launcher, however that ends."""

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
import httpx2

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 180
STOP_SECONDS: Final = 20
MOST_RESTARTS: Final = 5
POLL_SECONDS: Final = 0.05
PR_SET_PDEATHSIG: Final = 1


@dataclass
class Neighbours:
    """What was started, in order, and is stopped in the reverse one."""

    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a module of ours as a child; call it from the main thread, whose end is the launcher's.

        The kernel tells a child that the *thread* which started it has ended.
        """
        child = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
            preexec_fn=end_with_parent,
            # Ctrl-C is the launcher's to hear; it ends the others in order.
            process_group=0,
        )
        self.started.append(child)
        return child

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """Stop one child and wait until it is gone."""
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self.started.remove(child)

    def stop_all(self) -> None:
        """Stop everybody."""
        for child in self.started:
            child.terminate()
        for child in list(reversed(self.started)):
            self.stop(child)


@dataclass
class Watched:
    """A child that is started again when it ends by itself, so many times and no more."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    child: subprocess.Popen[bytes]
    restarts: int = 0


def look_after(beside: Neighbours, watched: Sequence[Watched]) -> None:
    """Start again whoever has ended.

    Raises
    ------
    click.ClickException
        It ended more than MOST_RESTARTS times, or did not come up again.
    """
    for one in watched:
        code = one.child.poll()
        if code is None:
            continue
        beside.started.remove(one.child)
        one.restarts += 1
        if one.restarts > MOST_RESTARTS:
            raise click.ClickException(
                f"{one.name} ended {one.restarts} times, last with code {code}, so the demo ends;"
                " what happened is kept, and the same command goes on from there"
            )
        click.echo(
            f"{one.name} ended with code {code}; starting it again ({one.restarts} of {MOST_RESTARTS})", err=True
        )
        one.child = one.start()


@contextmanager
def neighbours() -> Generator[Neighbours]:
    """Yield an empty neighbourhood and stop at the end whoever was started in it."""
    known = Neighbours()
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield known
    finally:
        signal.signal(signal.SIGTERM, before)
        known.stop_all()


def end_with_parent() -> None:
    """Ask Linux to end this child when its parent dies, however it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def wait_for(url: str, child: subprocess.Popen[bytes], what: str) -> None:
    """Wait until a child answers at `url` with success.

    Raises
    ------
    click.ClickException
        It ended, or is still silent after START_SECONDS.
    """
    give_up_at = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up_at:
        if child.poll() is not None:
            raise click.ClickException(f"{what} ended with code {child.returncode} before it answered")
        try:
            if httpx2.get(url, timeout=1, trust_env=False).is_success:
                return
        except httpx2.TransportError:
            pass
        time.sleep(POLL_SECONDS)
    raise click.ClickException(f"{what} did not answer within {START_SECONDS} s")


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class CityPlan:
    """Which city to run: its folder, seed, size, mode and port, and the token that its clock obeys."""

    home: Path
    seed: int
    firms: int
    mode: str
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def url(self) -> str:
        """Return where it answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def toml(self) -> Path:
        """Return the file by which the platform tells it whose keys it holds."""
        return self.home / "city.toml"

    @property
    def store(self) -> Path:
        """Return the city's own file."""
        return self.home / "city" / "city.sqlite3"

    @property
    def clock_stamp(self) -> Path:
        """Return the city's file that grows whenever its clock is changed."""
        return self.home / "city" / "clock.stamp"

    def start(self, beside: Neighbours, *, goes_on: bool = False) -> subprocess.Popen[bytes]:
        """Start it and wait until it answers; with `goes_on` its time goes on from where it last lived.

        Without, a city that ended for a moment is where it would have been: so the platform's clocks, which went on
        meanwhile, do not have to wait for it.
        """
        arguments = ["city", "serve", "--home", str(self.home), "--seed", str(self.seed)]
        arguments += ["--firms", str(self.firms), "--mode", self.mode, "--port", str(self.port)]
        arguments += ["--go-on"] if goes_on else []
        child = beside.start(arguments, {"CITY_CONTROL_TOKEN": self.token})
        wait_for(f"{self.url}/health", child, "the city")
        return child


def _leave(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
