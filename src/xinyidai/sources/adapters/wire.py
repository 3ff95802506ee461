"""Calls over HTTP that end: bounded in time and size, failures under one set of names, repeated where that is safe."""

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

import httpx2

from xinyidai.foundation.errors import SourceUnavailable
from xinyidai.sources.adapters import SourceBusy, SourceChanged, SourceSilent

TIMEOUT: Final = httpx2.Timeout(10.0, connect=2.0)
LONGEST_CALL: Final = 20.0
"""Seconds for a whole answer: one that drips byte by byte never trips the time-out between two of them."""
MAX_ANSWER_BYTES: Final = 4 << 20
WAITED_FOR_AT_ONCE: Final = timedelta(seconds=2)
"""A source that asks for no more patience than this is waited for; longer waits are the pull's, without a worker."""
SHORT_WAITS: Final = 3
TRIES: Final = 2
"""How often a call that changes nothing is made before its failure counts."""
FIRST_PAUSE: Final = 0.2
T = TypeVar("T")
_AMOUNT: Final = re.compile(r"-?[0-9]{1,15}\.[0-9]{2}")


@dataclass(frozen=True)
class Answer:
    """What came back, read to its end."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def client_of(url: str, transport: httpx2.AsyncBaseTransport | None) -> httpx2.AsyncClient:
    """Return a client that keeps connections, follows nobody elsewhere and heeds no proxy of the environment."""
    return httpx2.AsyncClient(
        base_url=url, timeout=TIMEOUT, transport=transport, trust_env=False, follow_redirects=False
    )


async def send(
    client: httpx2.AsyncClient, request: httpx2.Request, *, source: str, most_bytes: int = MAX_ANSWER_BYTES
) -> Answer:
    """Send a request and read its answer; what the source could not do is raised, what it refuses is returned.

    Raises
    ------
    SourceBusy
        429 or 503, with the Retry-After that came along.
    SourceSilent
        No answer, or not to its end, or not in time.
    SourceUnavailable
        Any other status from 500 on, or more bytes than `most_bytes`.
    """
    try:
        async with asyncio.timeout(LONGEST_CALL):
            answer = await _read(client, request, source, most_bytes)
    except (httpx2.TransportError, TimeoutError) as error:
        raise SourceSilent(source) from error
    if answer.status in (429, 503):
        raise SourceBusy(source, retry_after=_retry_after(answer))
    if answer.status >= 500:
        raise SourceUnavailable(source, f"HTTP {answer.status}")
    return answer


async def _read(client: httpx2.AsyncClient, request: httpx2.Request, source: str, most_bytes: int) -> Answer:
    answer = await client.send(request, stream=True)
    try:
        content = bytearray()
        async for piece in answer.aiter_bytes():
            content += piece
            if len(content) > most_bytes:
                raise SourceUnavailable(source, "answer too large")
    finally:
        await answer.aclose()
    return Answer(answer.status_code, answer.headers, bytes(content))


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Make a call that changes nothing, again after a failure, and after the short pauses that the source asks for.

    `ask` makes the request anew each time, for what is signed is good once. Pauses between failures are drawn, so that
    workers that failed together do not come back together.
    """
    waits, tries = 0, 1
    while True:
        try:
            return await ask()
        except SourceBusy as busy:
            waits += 1
            if busy.retry_after is None or busy.retry_after > WAITED_FOR_AT_ONCE or waits > SHORT_WAITS:
                raise
            await asyncio.sleep(busy.retry_after.total_seconds() + _jitter())
        except SourceChanged:
            # An office that renamed a field will not have named it back in half a second.
            raise
        except SourceUnavailable:
            if tries >= TRIES:
                raise
            await asyncio.sleep(FIRST_PAUSE * 2 ** (tries - 1) + _jitter())
            tries += 1


def json_object(answer: Answer, *, source: str) -> Mapping[str, object]:
    """Return a JSON answer's object."""
    try:
        body = json.loads(answer.content)
    except ValueError as error:
        raise SourceUnavailable(source, "not JSON") from error
    if not isinstance(body, dict):
        raise SourceChanged(source, "no object")
    return body


def refusal_of(answer: Answer) -> str:
    """Return the stable word of a JSON refusal, empty where there is none."""
    try:
        body = json.loads(answer.content)
    except ValueError:
        return ""
    return str(body.get("error", ""))[:64] if isinstance(body, dict) else ""


def amount_in_yuan(said: object, *, source: str) -> str:
    """Return an amount as it was written: yuan with two decimals; whoever writes it otherwise may mean another unit.

    Raises
    ------
    SourceChanged
    """
    if not isinstance(said, str) or not _AMOUNT.fullmatch(said):
        raise SourceChanged(source, "an amount is not in yuan with two decimals")
    return said


def _jitter() -> float:
    return random.uniform(0, FIRST_PAUSE)  # noqa: S311 - not a secret


def _retry_after(answer: Answer) -> timedelta | None:
    asked = answer.headers.get("Retry-After", "")
    return timedelta(seconds=int(asked)) if asked.isdigit() and len(asked) < 8 else None
