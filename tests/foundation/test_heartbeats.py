"""Heartbeats: told to the broker and to a file, late after a minute, gone after an hour or an orderly end."""

import asyncio
import os
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.embedded import ValkeyServer, start_valkey
from xinyidai.foundation.heartbeats import KEPT, KEY, LATE_AFTER, Heart, Heartbeat, beating_in_loop, heartbeats

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Generator[ValkeyServer]:
    with start_valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def broker(valkey: ValkeyServer) -> Generator[ValkeyServer]:
    yield valkey
    with Redis.from_url(valkey.url()) as client:
        client.delete(KEY)


async def heard(broker: ValkeyServer) -> list[Heartbeat]:
    client = AsyncRedis.from_url(broker.url())
    found = await heartbeats(client)
    await client.aclose()
    return found


async def test_a_heartbeat_is_told_to_the_broker_and_to_the_file(broker: ValkeyServer, tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    before = wall_now()

    Heart(broker.url(), "worker@here", file=file).beat()

    (one,) = await heard(broker)
    assert one.name == "worker@here"
    assert before - timedelta(milliseconds=1) <= one.heard_at <= wall_now()
    assert not one.is_late(wall_at=one.heard_at + LATE_AFTER)
    assert one.is_late(wall_at=one.heard_at + LATE_AFTER + timedelta(seconds=1))
    assert file.exists()


def test_where_the_broker_is_away_the_file_grows_old_and_the_process_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    file.touch()
    os.utime(file, (1, 1))

    heart = Heart(NOWHERE, "beat@here", file=file)
    heart.beat()
    heart.end()

    assert file.stat().st_mtime == 1


async def test_a_process_that_ended_in_order_is_not_missed(broker: ValkeyServer) -> None:
    staying, going = Heart(broker.url(), "beat@here", file=None), Heart(broker.url(), "worker@here", file=None)
    staying.beat()
    going.beat()

    going.end()

    assert [one.name for one in await heard(broker)] == ["beat@here"]


async def test_a_process_that_vanished_is_forgotten_after_an_hour(broker: ValkeyServer) -> None:
    with Redis.from_url(broker.url()) as client:
        client.zadd(KEY, {"worker@gone": (wall_now() - KEPT - timedelta(seconds=1)).timestamp()})
        client.zadd(KEY, {"worker@silent": (wall_now() - KEPT + timedelta(seconds=30)).timestamp()})

    Heart(broker.url(), "worker@here", file=None).beat()

    assert [one.name for one in await heard(broker)] == ["worker@here", "worker@silent"]


async def test_an_event_loop_beats_while_it_runs_and_takes_its_name_back(broker: ValkeyServer) -> None:
    async with beating_in_loop(Heart(broker.url(), "web@here", file=None), every_seconds=0.01):
        first = await until_heard(broker, since=datetime.fromtimestamp(0, UTC))
        later = await until_heard(broker, since=first)
    after = await heard(broker)

    assert later > first
    assert after == []


async def until_heard(broker: ValkeyServer, *, since: datetime) -> datetime:
    """Return when the only process was last heard, once that is later than `since`."""
    while not any(one.heard_at > since for one in await heard(broker)):
        await asyncio.sleep(0.01)
    return (await heard(broker))[0].heard_at
