"""Streams of pages: only what changed is sent, the end is said, and there are only so many at a time."""

from itertools import chain, repeat

import httpx
import pytest
from litestar import Litestar, get
from litestar.response import ServerSentEvent

from xinyidai.app.answering import error_map
from xinyidai.foundation.pages import streams
from xinyidai.foundation.pages.streams import stream


def an_app(shown: list[str]) -> Litestar:
    following = chain(shown, repeat(shown[-1]))
    looks: list[str] = []

    async def look() -> str:
        looks.append(next(following))
        return looks[-1]

    @get("/stream", sync_to_thread=False)
    def answer() -> ServerSentEvent:
        return stream(look, event="feed", every_seconds=0.01, is_last=lambda: len(looks) == len(shown))

    return Litestar([answer], exception_handlers=error_map())


async def read(app: Litestar) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://platform.example") as client:
        return await client.get("/stream")


async def test_only_what_changed_is_sent_and_the_end_is_said() -> None:
    answer = await read(an_app(["<p>one</p>", "<p>one</p>", "<p>two</p>"]))

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (answer.text.count("<p>one</p>"), answer.text.count("<p>two</p>")) == (1, 1)
    assert answer.text.index("event: done") > answer.text.index("<p>two</p>")


async def test_there_are_only_so_many_streams_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_OPEN", 0)

    answer = await read(an_app(["<p>one</p>"]))

    assert (answer.status_code, answer.json()["code"]) == (503, "too_many_streams")
