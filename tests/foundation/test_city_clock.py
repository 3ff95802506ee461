"""The clock that follows a city, against a real HTTP server that is slow, wrong or gone when a test says so."""

import json
import threading
import time
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from xinyidai.foundation.city_clock import CityClock, CityControl, ClockAct, ClockDoesNotObey, ClockUnknown, read_line
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.errors import ValueRefused
from xinyidai.foundation.settings import Settings

START = datetime(2025, 1, 6, 1, 0, tzinfo=UTC)


@dataclass
class FakeCity:
    """What the server answers and what it was told."""

    url: str = ""
    line: dict[str, object] = field(default_factory=dict)
    status: int = 200
    waits_seconds: float = 0.0
    reads: int = 0
    connections: int = 0
    told: list[dict[str, object]] = field(default_factory=list)

    def say(self, business_at: datetime, *, rate: float = 0.0, max_age_ms: int = 0) -> None:
        """Let the clock stand at a time, or run from it."""
        self.line = {
            "wall_anchor": wall_now().isoformat(),
            "business_anchor": business_at.isoformat(),
            "rate": rate,
            "max_age_ms": max_age_ms,
            "mode": "live" if max_age_ms else "lockstep",
            "is_paused": rate == 0.0,
            "waits_for": None,
        }


@pytest.fixture
def city() -> Generator[FakeCity]:
    fake = FakeCity()
    fake.say(START)

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            fake.connections += 1
            super().setup()

        def do_GET(self) -> None:
            fake.reads += 1
            time.sleep(fake.waits_seconds)
            self._answer(json.dumps(fake.line).encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.told.append(body | {"token": self.headers["Authorization"]})
            self._answer(b"{}")

        def _answer(self, body: bytes) -> None:
            with suppress(BrokenPipeError):  # whoever asked did not wait
                self.send_response(fake.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    serving.start()
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture
def clock(city: FakeCity) -> Generator[CityClock]:
    following = CityClock(city.url)
    yield following
    following.close()


def test_in_lock_step_every_asking_reads_the_line_over_one_connection(city: FakeCity, clock: CityClock) -> None:
    first = clock.now()
    city.say(START + timedelta(days=1))
    second = clock.now()

    assert (first, second) == (START, START + timedelta(days=1))
    assert (city.reads, city.connections) == (2, 1)


def test_with_a_stamp_the_line_is_read_only_when_it_has_grown(city: FakeCity, tmp_path: Path) -> None:
    stamp = tmp_path / "clock.stamp"
    stamp.write_bytes(b".")
    with closing(CityClock(city.url, stamp=stamp)) as clock:
        first = [clock.now() for _ in range(3)]
        city.say(START + timedelta(days=1))
        stamp.write_bytes(b"..")
        second = [clock.now() for _ in range(3)]
        stamp.unlink()
        city.say(START + timedelta(days=2))

        assert (set(first), set(second)) == ({START}, {START + timedelta(days=1)})
        assert city.reads == 2
        assert clock.now() == START + timedelta(days=2), "without its stamp every asking reads again"


def test_a_running_clock_is_reckoned_from_the_kept_line(city: FakeCity, clock: CityClock) -> None:
    city.say(START, rate=1440.0, max_age_ms=60_000)

    told = [clock.now() for _ in range(50)]

    assert city.reads == 1
    assert told == sorted(told)
    assert START <= told[-1] < START + timedelta(days=1)


def test_an_old_line_is_read_anew_beside_the_caller(city: FakeCity, clock: CityClock) -> None:
    city.say(START, max_age_ms=1)
    clock.now()
    city.say(START + timedelta(days=30), max_age_ms=1)

    give_up_at = time.monotonic() + 5
    while clock.now() == START and time.monotonic() < give_up_at:
        time.sleep(0.005)

    assert clock.now() == START + timedelta(days=30)


@pytest.mark.parametrize("status", [404, 500])
def test_a_city_that_is_away_leaves_the_last_line(city: FakeCity, clock: CityClock, status: int) -> None:
    clock.now()
    city.status = status

    assert clock.now() == START


def test_a_city_that_hangs_is_not_waited_for(city: FakeCity, clock: CityClock) -> None:
    clock.now()
    city.waits_seconds = 0.6

    assert clock.now() == START


def test_it_never_goes_backwards(city: FakeCity, clock: CityClock) -> None:
    clock.now()
    city.say(START - timedelta(days=1))

    assert clock.now() == START


def test_before_the_city_ever_answered_the_time_is_unknown() -> None:
    with pytest.raises(ClockUnknown):
        CityClock("http://127.0.0.1:1").now()


@pytest.mark.parametrize(
    "wrong", [{"rate": "1"}, {"rate": -1}, {"max_age_ms": 0.5}, {"wall_anchor": "2025-01-06T01:00:00"}]
)
def test_a_line_that_is_none_is_refused(city: FakeCity, wrong: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        read_line(city.line | wrong)


async def test_the_buttons_reach_the_city_with_the_token(city: FakeCity) -> None:
    control = CityControl(city.url, "a control token")

    await control.tell(ClockAct.PAUSE)
    line = await control.tell(ClockAct.SPEED, rate=14400.0)

    assert line.business_anchor == START
    assert city.told == [
        {"act": "pause", "token": "Bearer a control token"},
        {"act": "speed", "rate": 14400.0, "token": "Bearer a control token"},
    ]


async def test_a_clock_that_refuses_or_is_away_is_said(city: FakeCity) -> None:
    city.status = 403

    with pytest.raises(ClockDoesNotObey, match="403"):
        await CityControl(city.url, "another token").tell(ClockAct.RUN)
    with pytest.raises(ClockDoesNotObey):
        await CityControl("http://127.0.0.1:1", "a control token").state()
    with pytest.raises(ValueRefused):
        await CityControl(city.url, "a control token").tell(ClockAct.SPEED)


def test_a_city_needs_a_sandbox() -> None:
    with pytest.raises(ValidationError, match="SANDBOX"):
        Settings(city_url="http://127.0.0.1:8010", sandbox=False)
    with pytest.raises(ValidationError, match="CITY_URL must"):
        Settings(city_url="https://city.example", sandbox=True)

    known = Settings(city_url="http://127.0.0.1:8010", sandbox=True, city_control_token="t")

    assert isinstance(known.clock(), CityClock)
    assert known.city_control() == CityControl("http://127.0.0.1:8010", "t")
    assert Settings(sandbox=True).city_control() is None
