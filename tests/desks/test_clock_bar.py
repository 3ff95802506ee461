"""The clock bar: its buttons reach the city, and say so when the city does not obey."""

import json
import threading
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from builders_applications import an_application
from conftest import Database
from pydantic import SecretStr

from xinyidai.foundation.city_clock import CityClock
from xinyidai.foundation.clock import wall_now

START = datetime(2025, 1, 6, 1, 0, tzinfo=UTC)


@dataclass
class Town:
    """A clock that obeys: what it was told, and the speed that it runs at."""

    url: str = ""
    status: int = 200
    rate: float = 0.0
    business_at: datetime = START
    waits_for: str | None = None
    told: list[dict[str, object]] = field(default_factory=list)

    def line(self) -> bytes:
        """Return what `GET /clock` answers."""
        said = {
            "wall_anchor": wall_now().isoformat(),
            "business_anchor": self.business_at.isoformat(),
            "rate": self.rate,
            "max_age_ms": 60_000,
            "mode": "live",
            "is_paused": self.rate == 0,
            "waits_for": self.waits_for,
        }
        return json.dumps(said).encode()

    def obey(self, body: dict[str, object]) -> None:
        """Do what a button says."""
        self.told.append(body)
        if body["act"] == "run":
            self.rate = 1440.0
        elif body["act"] == "pause":
            self.rate = 0.0
        elif body["act"] == "speed":
            self.rate = float(str(body["rate"]))
        else:
            self.business_at += timedelta(days=31)


@pytest.fixture
def town() -> Generator[Town]:
    made = Town()

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(made.line())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if made.status < 300:
                made.obey(body | {"token": self.headers["Authorization"]})
            self._answer(b"{}")

        def _answer(self, body: bytes) -> None:
            self.send_response(made.status if self.command == "POST" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
async def visitor(database: Database, town: Town) -> AsyncGenerator[httpx.AsyncClient]:
    update = {"sandbox": True, "city_url": town.url, "city_control_token": SecretStr("the token")}
    clock = CityClock(town.url)
    app = an_application(database.settings.model_copy(update=update), database.app, clock=clock)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://platform.example",
        headers={"Accept": "text/html", "Accept-Language": "zh-CN"},
    ) as client:
        yield client
    clock.close()


async def press(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await client.post("/sandbox/clock", data={"back": "/sign-in", **fields})


async def test_every_button_reaches_the_city_with_the_token_and_the_bar_shows_the_answer(
    visitor: httpx.AsyncClient, town: Town
) -> None:
    before = (await visitor.get("/sign-in")).text
    shown = []
    for fields in ({"word": "run"}, {"word": "speed", "rate": "10"}, {"word": "pause"}, {"word": "skip_month"}):
        answer = await press(visitor, **fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        shown.append((await visitor.get("/live/clock")).text)

    assert 'hx-get="/live/clock"' in before
    # Beside the time, and for a phone behind a word; styles show one of the two.
    assert before.count('value="skip_month"') == 2
    assert all(f'value="{word}"' in before for word in ("run", "pause", "speed", "skip_month"))
    assert [told["act"] for told in town.told] == ["run", "speed", "pause", "skip_month"]
    assert {told["token"] for told in town.told} == {"Bearer the token"}
    assert town.told[1]["rate"] == 14_400.0
    assert ["运行中 ×1<" in shown[0], "运行中 ×10<" in shown[1], "已暂停" in shown[2]] == [True, True, True]
    assert "2025年2月" in shown[3]


async def test_the_bar_says_whom_the_time_waits_for(visitor: httpx.AsyncClient, town: Town) -> None:
    town.waits_for = "person"

    assert "已暂停，等您处理" in (await visitor.get("/live/clock")).text


async def test_a_city_that_refuses_is_said_on_a_page_and_unknown_words_never_reach_it(
    visitor: httpx.AsyncClient, town: Town
) -> None:
    unknown = [await press(visitor, word="set"), await press(visitor, word="speed", rate="1000")]
    town.status = 503
    refused = await press(visitor, word="run")

    assert [answer.status_code for answer in unknown] == [422, 422]
    assert town.told == []
    assert refused.status_code == 503
    assert "模拟城市的时钟没有响应该操作" in refused.text


async def test_a_platform_without_a_city_shows_no_buttons(database: Database, noon: datetime) -> None:
    app = an_application(database.settings.model_copy(update={"sandbox": True}), database.app)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://platform.example", headers={"Accept": "text/html"}
    ) as client:
        page, answer = await client.get("/sign-in"), await press(client, word="run")

    assert "/sandbox/clock" not in page.text
    assert answer.status_code == 503


async def test_another_site_cannot_move_the_clock(visitor: httpx.AsyncClient, town: Town) -> None:
    answer = await visitor.post("/sandbox/clock", data={"word": "run"}, headers={"Origin": "https://elsewhere.example"})

    assert answer.status_code == 403
    assert town.told == []
