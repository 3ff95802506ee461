"""The city's connections, to a real listener: kept, opened again where they were dropped, and let go."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from city.wire import Connections, Reply, WireSilent

HELD = threading.Event()


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/held":
            HELD.wait(10)
        self.send_response(429)
        self.send_header("Retry-After", "7")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        # Without a word, as a server does that is restarted or tired of an idle connection.
        self.close_connection = self.path == "/dropped"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Keep quiet."""


@pytest.fixture
def listener() -> Generator[str]:
    HELD.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        HELD.set()
        server.shutdown()
        thread.join()


async def insist(wire: Connections, path: str) -> Reply:
    """Send until a reply comes: who sends in the very moment of the drop hears silence, and the platform's client asks
    again as well.
    """
    for _ in range(50):
        with suppress(WireSilent):
            return await wire.send("POST", path, {"X": "1"}, b"said")
        await asyncio.sleep(0.02)
    raise AssertionError("the connection is not opened again")


async def test_a_dropped_connection_is_opened_again(listener: str) -> None:
    wire = Connections([listener])

    replies = [await insist(wire, path) for path in ("/dropped", "/dropped", "/kept")]
    await wire.close()

    assert replies == [Reply(429, b"said", "7")] * 3


async def test_nobody_listening_is_silence() -> None:
    wire = Connections(["http://127.0.0.1:9"])

    with pytest.raises(WireSilent):
        await wire.send("POST", "/", {}, b"")
    await wire.close()


async def test_what_is_on_its_way_ends_after_the_wire_was_closed(listener: str) -> None:
    wire = Connections([listener])
    on_its_way = asyncio.create_task(wire.send("POST", "/held", {}, b"said"))
    await asyncio.sleep(0.1)

    await wire.close()
    HELD.set()

    assert (await on_its_way).content == b"said"


async def test_of_two_addresses_the_idle_one_is_called(listener: str) -> None:
    wire = Connections([listener, "http://127.0.0.1:9"])

    first = await wire.send("POST", "/kept", {}, b"said")
    on_its_way = asyncio.create_task(wire.send("POST", "/held", {}, b"held"))
    await asyncio.sleep(0.1)
    with pytest.raises(WireSilent):
        await wire.send("POST", "/kept", {}, b"to the other, where nobody listens")
    HELD.set()
    held, last = await on_its_way, await wire.send("POST", "/kept", {}, b"said")
    await wire.close()

    assert [one.content for one in (first, held, last)] == [b"said", b"held", b"said"]
