"""The city's way to the platform: patient, bounded, and the same key for the same act."""

import uuid
from collections.abc import Callable, Sequence

import httpx2
import pytest
from builders_city import WireInto

from city.platform import TRIES, Platform, PlatformAway
from city.world.draws import act_key

Reply = Callable[[httpx2.Request], httpx2.Response]


def answering(*answers: tuple[int, dict[str, str]]) -> tuple[Reply, list[httpx2.Request]]:
    """Return a platform that gives these answers in turn, the last one for ever, and what it was asked."""
    asked: list[httpx2.Request] = []
    left = list(answers)

    def reply(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        status, headers = left.pop(0) if len(left) > 1 else left[0]
        code = headers.get("code", "none")
        return httpx2.Response(status, headers=headers, json={"code": code, "rows": [], "next_cursor": None})

    return reply, asked


def a_platform(reply: Reply) -> Platform:
    return Platform("http://platform", seed=1, wire=WireInto(httpx2.MockTransport(reply)))


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Write down how long would be waited, and do not wait."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("city.platform.asyncio.sleep", sleep)
    return waited


async def test_a_short_absence_is_waited_out_with_the_same_key(waits: list[float]) -> None:
    reply, asked = answering((503, {}), (429, {"Retry-After": "2"}), (409, {"code": "twin_in_flight"}), (201, {}))

    async with a_platform(reply) as platform:
        answer = await platform.call("secret", "POST", "/x", {}, idempotency_key="k")

    assert answer.status == 201
    assert {request.headers["Idempotency-Key"] for request in asked} == {"k"}
    assert waits[1] == 2
    assert 0 < waits[0] < waits[2] < 5


@pytest.mark.parametrize(
    ("answers", "tries"), [([(503, {})], TRIES), ([(429, {"Retry-After": "3600"})], 1), ([(502, {})], TRIES)]
)
async def test_a_long_absence_ends_in_giving_up(answers: Sequence[tuple[int, dict[str, str]]], tries: int) -> None:
    reply, asked = answering(*answers)

    async with a_platform(reply) as platform:
        with pytest.raises(PlatformAway):
            await platform.call("secret", "GET", "/x")

    assert len(asked) == tries


async def test_a_platform_that_does_not_listen_is_away() -> None:
    def reply(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    async with a_platform(reply) as platform:
        with pytest.raises(PlatformAway):
            await platform.call("secret", "GET", "/x")


async def test_a_refusal_is_an_answer_and_is_not_repeated() -> None:
    reply, asked = answering((409, {"code": "offer_pending"}))

    async with a_platform(reply) as platform:
        answer = await platform.call("secret", "POST", "/x", {})

    assert (answer.is_ok, answer.code, len(asked)) == (False, "offer_pending", 1)


async def test_a_list_is_read_to_its_end() -> None:
    def reply(request: httpx2.Request) -> httpx2.Response:
        number = int(request.url.params.get("cursor", "0"))
        return httpx2.Response(
            200, json={"rows": [{"id": number}], "next_cursor": str(number + 1) if number < 3 else None}
        )

    async with a_platform(reply) as platform:
        rows = await platform.pages("secret", "/x?status=sent", "rows")

    assert [row["id"] for row in rows] == [0, 1, 2, 3]


def test_an_acts_key_names_seed_actor_act_and_what_it_is_about() -> None:
    key = act_key(1, "actor", "repay", "loan", "2025-02-17")

    others = {
        act_key(2, "actor", "repay", "loan", "2025-02-17"),
        act_key(1, "other", "repay", "loan", "2025-02-17"),
        act_key(1, "actor", "claim", "loan", "2025-02-17"),
        act_key(1, "actor", "repay", "loan", "2025-03-17"),
    }
    assert key == act_key(1, "actor", "repay", "loan", "2025-02-17")
    assert uuid.UUID(key).version == 5
    assert key not in others
    assert len(others) == 4
