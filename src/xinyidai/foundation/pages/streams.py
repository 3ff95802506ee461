"""Server-sent events with a heartbeat, a bound on how many are open, and a short transaction per look."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from litestar import Request
from litestar.datastructures import State
from litestar.response import ServerSentEvent, ServerSentEventMessage

from xinyidai.foundation.errors import Refusal

AnyRequest = Request[object, object, State]

MAX_OPEN: Final = 100
LASTS_SECONDS: Final = 300
"""Then the stream ends and the browser opens another: a forgotten tab does not hold a place for ever."""

_open: list[object] = []


class TooManyStreams(Refusal):
    """The process streams to as many readers as it may; pages ask at intervals instead."""

    code = "too_many_streams"
    status = 503
    title_zh = "实时连接已满，页面将改为定时刷新"
    title_en = "Too many live connections; the page asks at intervals instead"


def stream(
    look: Callable[[], Awaitable[str | None]], *, event: str, every_seconds: float = 2.0, is_last: Callable[[], bool]
) -> ServerSentEvent:
    """Return a stream that looks at intervals and sends what `look` returns when that is something new.

    `look` opens a transaction of its own (the request's is over before the first event) and returns HTML for
    HTMX to swap in, or None. `is_last` is asked after each look and ends the stream with the event ``done``.

    Raises
    ------
    TooManyStreams
    """
    if len(_open) >= MAX_OPEN:
        raise TooManyStreams
    return ServerSentEvent(_events(look, event=event, every_seconds=every_seconds, is_last=is_last))


async def _events(
    look: Callable[[], Awaitable[str | None]], *, event: str, every_seconds: float, is_last: Callable[[], bool]
) -> AsyncGenerator[ServerSentEventMessage]:
    place = object()
    _open.append(place)
    shown: str | None = None
    try:
        for _look in range(max(1, int(LASTS_SECONDS / every_seconds))):
            found = await look()
            if found is not None and found != shown:
                shown = found
                yield ServerSentEventMessage(data=found, event=event)
            else:
                yield ServerSentEventMessage(comment="still here")
            if is_last():
                break
            await asyncio.sleep(every_seconds)
        yield ServerSentEventMessage(data="", event="done")
    finally:
        _open.remove(place)
