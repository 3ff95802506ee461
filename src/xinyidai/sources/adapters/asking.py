"""How every office is asked: one bounded answer, and its ways of not answering told apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx2

from xinyidai.foundation.errors import SourceUnavailable
from xinyidai.sources.adapters import SourceBusy, SourceDenied, SourceSilent
from xinyidai.sources.rules.offices import AnswerFault, AnswerRefused

TIMEOUT: Final = httpx2.Timeout(10.0, connect=2.0)
_MOST_DIGITS: Final = 7


@dataclass(frozen=True)
class Asked:
    """One call: what, with which headers and body, and how much of an answer is read at most."""

    method: str
    path: str
    headers: Mapping[str, str]
    most_bytes: int
    params: Mapping[str, str] | None = None
    content: bytes | None = None


def client_of(url: str, transport: httpx2.AsyncBaseTransport | None = None) -> httpx2.AsyncClient:
    """Return a client of one office: no proxies of the environment, and never sent on elsewhere with our secrets."""
    return httpx2.AsyncClient(
        base_url=url, timeout=TIMEOUT, transport=transport, trust_env=False, follow_redirects=False
    )


async def ask(client: httpx2.AsyncClient, source: str, asked: Asked) -> bytes:
    """Return the body of a good answer, which is read no further than its bound.

    Raises
    ------
    SourceSilent
        No answer in time, or a connection that ended in its middle.
    SourceBusy
        Patience is asked for (429, 503).
    SourceDenied
        Who asks, or for whom, is not let (400, 401, 403).
    SourceUnavailable
        Any other answer that is none; `AnswerRefused` where it is too large.
    """
    try:
        async with client.stream(
            asked.method, asked.path, params=asked.params, headers=asked.headers, content=asked.content
        ) as answer:
            _check_status(source, answer)
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > asked.most_bytes:
                    raise AnswerRefused(source, AnswerFault.TOO_LARGE, f"more than {asked.most_bytes} bytes")
            return bytes(body)
    except httpx2.TransportError as error:
        raise SourceSilent(source) from error
    except httpx2.DecodingError as error:
        raise AnswerRefused(source, AnswerFault.UNREADABLE, "content encoding") from error


def _check_status(source: str, answer: httpx2.Response) -> None:
    status = answer.status_code
    if status in (429, 503):
        raise SourceBusy(source, retry_after=_retry_after(answer))
    if status in (400, 401, 403):
        raise SourceDenied
    if status == 404:
        raise NotThere(source)
    if status >= 300:
        raise SourceUnavailable(source, f"HTTP {status}")


class NotThere(SourceUnavailable):
    """The office has no such thing: not yet, or not any more."""

    def __init__(self, source: str) -> None:
        super().__init__(source, "HTTP 404")


def _retry_after(answer: httpx2.Response) -> timedelta | None:
    asked = answer.headers.get("Retry-After", "")
    return timedelta(seconds=int(asked)) if asked.isdigit() and len(asked) <= _MOST_DIGITS else None
