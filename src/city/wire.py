"""The wire to the platform: plain HTTP over kept connections.

In threads, since a round of the city is thousands of short calls one after another, and an asynchronous client spends
more on each than the call itself takes.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from urllib3 import Timeout, connection_from_url
from urllib3.exceptions import HTTPError

MOST_CONNECTIONS = 16
TIMEOUT = Timeout(connect=5.0, read=30.0)


class WireSilent(Exception):
    """No answer came: nobody listens, the connection broke, or it took too long."""


@dataclass(frozen=True)
class Reply:
    """What came back; `retry_after` is what the header says, where it is there."""

    status: int
    content: bytes
    retry_after: str | None = None


class Wire(Protocol):
    """Sends one request and returns its reply."""

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send it once.

        Raises
        ------
        WireSilent
            It may have arrived all the same.
        """
        ...

    async def close(self) -> None:
        """Let the connections go."""
        ...


class Connections:
    """Connections to the addresses of one platform, as many as are needed; each call goes where fewest are."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._pools = [
            connection_from_url(url, maxsize=MOST_CONNECTIONS, timeout=TIMEOUT, retries=False) for url in urls
        ]
        self._on_their_way = [0] * len(self._pools)
        self._threads = ThreadPoolExecutor(MOST_CONNECTIONS, thread_name_prefix="wire")

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send it once; see `Wire`."""
        place = self._on_their_way.index(min(self._on_their_way))
        ask = partial(self._pools[place].request, method, path, body=body, headers=headers)
        self._on_their_way[place] += 1
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except HTTPError as error:
            raise WireSilent from error
        finally:
            self._on_their_way[place] -= 1
        return Reply(answer.status, answer.data, answer.headers.get("Retry-After"))

    async def close(self) -> None:
        """Let the connections go; what is on its way still ends, in its thread, so that nobody's life is cut off."""
        self._threads.shutdown(wait=False)
        for pool in self._pools:
            pool.close()
