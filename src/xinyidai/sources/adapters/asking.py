"""How an office's answer becomes bytes to be read, or one of the names that a no has."""

import httpx2

from xinyidai.foundation.errors import SourceUnavailable
from xinyidai.sources.adapters import ItemDenied, SourceDenied
from xinyidai.sources.adapters.wire import MAX_ANSWER_BYTES, refusal_of, send


class NotThere(SourceUnavailable):
    """The office has no such thing: not yet, or not any more."""

    def __init__(self, source: str) -> None:
        super().__init__(source, "HTTP 404")


async def ask(
    client: httpx2.AsyncClient, request: httpx2.Request, *, source: str, most_bytes: int = MAX_ANSWER_BYTES
) -> bytes:
    """Return the body of a good answer, which is read no further than its bound.

    Raises
    ------
    SourceBusy, SourceSilent, SourceUnavailable
        As `send` does.
    SourceDenied
        Who asks, or for whom, is not let (400, 401, 403); `ItemDenied` where only the item is not.
    NotThere
        There is no such thing (404).
    """
    answer = await send(client, request, source=source, most_bytes=most_bytes)
    if answer.status in (400, 401, 403):
        raise ItemDenied if refusal_of(answer) == "insufficient_scope" else SourceDenied
    if answer.status == 404:
        raise NotThere(source)
    if answer.status >= 300:
        raise SourceUnavailable(source, f"HTTP {answer.status}")
    return answer.content
