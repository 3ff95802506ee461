"""Who a visitor without an account is, and what a flood of made-up keys costs."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from ipaddress import ip_network

import asyncpg
import httpx
import pytest
from builders_applications import an_application
from builders_parties import a_lender
from conftest import Database
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar
from pydantic import ValidationError

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.app import create_app
from xinyidai.app.addresses import client_of
from xinyidai.app.failed_keys import MAX_ADDRESSES, FailedKeys, TooManyFailedKeys
from xinyidai.foundation.clock import AnchoredClock, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.settings import Settings
from xinyidai.partners import service as partners
from xinyidai.partners.rules import LIVE, SECRET_LENGTH

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
PROXY = "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "lines", "client"),
    [
        ("203.0.113.9", ["198.51.100.7"], "203.0.113.9"),
        (PROXY, ["198.51.100.7"], "198.51.100.7"),
        (PROXY, ["1.1.1.1, 2.2.2.2,198.51.100.7"], "198.51.100.7"),
        (PROXY, ["1.1.1.1, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
        (PROXY, ["1.1.1.1", "198.51.100.7"], "198.51.100.7"),
        (PROXY, ["1.1.1.1", "198.51.100.7", "10.2.2.2, 10.3.3.3"], "198.51.100.7"),
        (PROXY, [], PROXY),
        (PROXY, [""], PROXY),
        (PROXY, ["10.2.2.2"], "10.2.2.2"),
        (PROXY, ["198.51.100.7:50123"], "198.51.100.7"),
        (PROXY, ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        (PROXY, ["[2001:db8:1:2::6]:443"], "2001:db8:1:2::/64"),
        ("fd00::1", ["2001:db8:1:2:ffff::1"], "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("2001:db8:1:2::1", ["198.51.100.7"], "2001:db8:1:2::/64"),
        (PROXY, ["198.51.100.7, unknown"], PROXY),
        (PROXY, ["198.51.100.7, 10.2.2.2, <script>"], PROXY),
        (PROXY, ["198.51.100.7, <script>, 10.2.2.2"], "10.2.2.2"),
        (PROXY, ["198.51.100.7, 999.1.1.1"], PROXY),
        (PROXY, ["１９８.51.100.7"], PROXY),
        (PROXY, ["x" * 10_240], PROXY),
        (PROXY, ["1.1.1.1," * 1_280 + "198.51.100.7"], "198.51.100.7"),
        (PROXY, ["10.2.2.2," * 1_100 + "10.3.3.3"], "10.2.2.2"),
        (PROXY, ["10.2.2.2"] * 2_000, "10.2.2.2"),
        (PROXY, ["fe80::1%" + "x" * 10_240], PROXY),
        (None, ["198.51.100.7"], "unknown"),
        ("/run/web.sock", ["198.51.100.7"], "unknown"),
    ],
)
def test_the_client_is_the_last_whom_a_trusted_proxy_saw(peer: str | None, lines: list[str], client: str) -> None:
    assert client_of(peer, lines, TRUSTED) == client


@given(st.lists(st.text(max_size=40), max_size=30), st.ip_addresses(v=4))
def test_what_the_client_writes_itself_changes_nothing(written: list[str], true: object) -> None:
    lines = [*written, f"203.0.113.1, 203.0.113.2, {true}"]

    assert client_of("198.51.100.9", lines, TRUSTED) == "198.51.100.9"
    assert client_of("198.51.100.9", lines, ()) == "198.51.100.9"
    assert client_of(PROXY, [*written, "203.0.113.2"], TRUSTED) == "203.0.113.2"


def test_trusted_proxies_are_told_by_commas_and_a_wrong_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.1, fd00::/8")
    told = Settings(secret_key="any")  # type: ignore[arg-type]
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.1/8")

    assert told.trusted_proxies == (ip_network("10.0.0.1/32"), ip_network("fd00::/8"))
    with pytest.raises(ValidationError, match="not a valid IPv4 network"):
        Settings(secret_key="any")  # type: ignore[arg-type]


def test_failures_are_forgiven_after_a_minute_and_kept_by_address(noon: datetime) -> None:
    counted = FailedKeys(per_minute=2)
    for _attempt in range(2):
        counted.check("a", b"made up", at=noon)
        counted.count_failure("a", b"made up", at=noon)

    counted.check("b", b"made up", at=noon)
    counted.check("a", b"made up", at=noon + timedelta(minutes=1))
    with pytest.raises(TooManyFailedKeys) as refused:
        counted.check("a", b"another", at=noon + timedelta(seconds=15))

    assert refused.value.facts == {"retry_after_s": 45}


def test_a_key_that_was_valid_lately_passes_until_it_is_revoked(noon: datetime) -> None:
    counted = FailedKeys(per_minute=1)
    counted.count_success(b"known")
    counted.count_failure("a", b"made up", at=noon)

    counted.check("a", b"known", at=noon)
    counted.count_failure("a", b"known", at=noon)

    with pytest.raises(TooManyFailedKeys):
        counted.check("a", b"known", at=noon)


def test_many_addresses_do_not_fill_the_memory(noon: datetime) -> None:
    counted = FailedKeys(per_minute=1)

    for number in range(MAX_ADDRESSES + 5):
        counted.count_failure(str(number), b"made up", at=noon)

    counted.check("4", b"made up", at=noon)
    with pytest.raises(TooManyFailedKeys):
        counted.check("5", b"made up", at=noon)


def made_up(number: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {LIVE}{number:0{SECRET_LENGTH}d}"}


@pytest.fixture
def app(database: Database, noon: datetime) -> Litestar:
    settings = database.settings.model_copy(
        update={"sandbox": True, "failed_keys_per_minute": 3, "trusted_proxies": TRUSTED}
    )
    return create_app(settings, database.app, clock=AnchoredClock(wall_now(), noon))


@pytest.fixture
async def visitor(app: Litestar) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, client=(PROXY, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://platform.example") as client:
        yield client


async def test_a_flood_of_made_up_keys_is_refused_without_a_query(
    visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []
    look_up = partners.authenticate

    async def counted(connection: asyncpg.Connection, presented: str) -> Viewer | None:
        looked_up.append(presented)
        return await look_up(connection, presented)

    monkeypatch.setattr(partners, "authenticate", counted)

    answers = [
        await visitor.get("/api/v1/me", headers=made_up(n) | {"X-Forwarded-For": f"9.9.9.{n}, 198.51.100.7"})
        for n in range(20)
    ]
    elsewhere = await visitor.get("/api/v1/me", headers=made_up(99) | {"X-Forwarded-For": "198.51.100.8"})

    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 17
    assert (answers[-1].json()["code"], elsewhere.status_code) == ("too_many_failed_keys", 401)
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert len(looked_up) == 4


async def test_a_known_key_is_not_shut_out_by_its_neighbours_failures(
    visitor: httpx.AsyncClient, database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lender = await a_lender(session, now=noon)
        minted = await partners.mint_key(
            session,
            lender.maker,
            organisation_id=lender.maker.organisation_id,
            name="tests",
            scopes=["parties:read"],
            now=noon,
        )
    key = {"Authorization": f"Bearer {minted.secret}"}

    before = await visitor.get("/api/v1/me", headers=key)
    flood = [await visitor.get("/api/v1/me", headers=made_up(n)) for n in range(5)]
    after = await visitor.get("/api/v1/me", headers=key)

    assert (before.status_code, flood[-1].status_code, after.status_code) == (200, 429, 200)


async def test_visitors_behind_one_proxy_have_an_allowance_each(database: Database) -> None:
    settings = database.settings.model_copy(
        update={"requests_per_minute": 2, "sandbox": True, "trusted_proxies": TRUSTED}
    )
    transport = httpx.ASGITransport(an_application(settings, database.app), client=(PROXY, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://platform.example") as client:
        one = [await client.get("/api/v1/me", headers={"X-Forwarded-For": f"{n}.1.1.1, 198.51.100.7"}) for n in "123"]
        other = await client.get("/api/v1/me", headers={"X-Forwarded-For": "198.51.100.7, 198.51.100.8"})

    assert [answer.status_code for answer in one] == [401, 401, 429]
    assert other.status_code == 401
