"""Providers' signing keys on the operator's desk: proposed by one, approved by another, retired by either."""

from base64 import b64encode
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import pytest
from builders_desks import Reader, a_reader, id_in
from builders_operations import a_colleague
from builders_pages import both_languages, faults_of, needs_chromium
from builders_parties import Desk, a_desk
from conftest import Database
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.async_api import Browser

from xinyidai.access.rules import OrganisationKind, Role
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.foundation.pages.rendering import environment
from xinyidai.foundation.pages.words import Language
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources.queries import keys
from xinyidai.sources.rules.keys import KeyState, KeyView

PATH = "/operator/provider-keys"


@dataclass
class Place:
    """The operator's two people, a provider, a bank, and a key of the provider's."""

    database: Database
    operator: Desk
    provider: Desk
    bank: Desk
    noon: datetime
    public_key: bytes

    def fields(self, **changed: str) -> dict[str, str | list[str]]:
        """Return the form that proposes the key."""
        today = business_date(self.noon)
        return {
            "provider_id": str(self.provider.id),
            "public_key": b64encode(self.public_key).decode(),
            "begins_on": today.isoformat(),
            "ends_on": (today + timedelta(days=365)).isoformat(),
            "checked": "yes",
        } | changed

    async def key(self, key_id: UUID) -> KeyView:
        """Return a key as the operator sees it."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.operator.maker, now=self.noon)
            return await keys.key(session, self.operator.maker, key_id)


@pytest.fixture
async def place(database: Database, noon: datetime) -> Place:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        operator = Desk(
            PLATFORM_ID,
            await a_colleague(session, "maker", Role.OFFICER, now=noon),
            await a_colleague(session, "checker", Role.APPROVER, now=noon),
        )
        provider = await a_desk(session, OrganisationKind.AGENCY, now=noon)
        bank = await a_desk(session, OrganisationKind.LENDER, now=noon)
    public_key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    return Place(database, operator, provider, bank, noon, public_key)


@pytest.fixture
async def maker(place: Place) -> AsyncGenerator[Reader]:
    async with a_reader(place.database, place.operator.maker, now=place.noon) as reader:
        yield reader


@pytest.fixture
async def checker(place: Place) -> AsyncGenerator[Reader]:
    async with a_reader(place.database, place.operator.checker, now=place.noon) as reader:
        yield reader


async def propose(maker: Reader, place: Place) -> str:
    answer = await maker.send(f"{PATH}/new", place.fields())
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def test_one_person_proposes_a_key_another_approves_it_and_either_retires_it(
    place: Place, maker: Reader, checker: Reader
) -> None:
    empty = await maker.read(PATH)
    path = await propose(maker, place)
    own = await maker.read(path)
    own_try = await maker.client.post(f"{path}/approve", data={"compared": "yes", "form_token": str(uuid4())})
    waits = await checker.read(PATH)
    unticked = await checker.send(f"{path}/approve", {}, shown_on=path)
    approved = await checker.send(f"{path}/approve", {"compared": "yes"}, shown_on=path)
    twice = await checker.client.post(f"{path}/approve", data={"compared": "yes", "form_token": str(uuid4())})
    in_use = await place.key(id_in(path))
    unsure = await maker.send(f"{path}/retire", {}, shown_on=path)
    retired = await maker.send(f"{path}/retire", {"sure": "yes"}, shown_on=path)
    after = await checker.read(path)

    fingerprint = sha256(place.public_key).hexdigest()
    assert "还没有签名密钥" in empty
    assert "须由另一位有复核权限的同事批准" in own
    assert "/approve" not in own
    assert fingerprint in own.replace('</span> <span class="nowrap">', "")
    assert own_try.status_code == 403
    assert "1 个签名密钥等待第二人批准" in waits
    assert fingerprint[:16] in waits
    assert [one.status_code for one in (unticked, twice, unsure)] == [422] * 3
    assert "该密钥已审批或已停用" in twice.text
    assert approved.headers["location"] == retired.headers["location"] == path
    assert (in_use.state, in_use.public_key) == (KeyState.IN_USE, place.public_key)
    assert (await place.key(id_in(path))).state is KeyState.RETIRED
    assert "/retire" not in after


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"provider_id": ""}, "请选择机构"),
        ({"provider_id": str(uuid4())}, "请选择机构"),
        ({"public_key": ""}, "请输入公钥"),
        ({"public_key": "不是公钥"}, "不是 Ed25519 公钥"),
        ({"public_key": b64encode(b"31 bytes of something else.....").decode()}, "不是 Ed25519 公钥"),
        ({"ends_on": "2099-01-01"}, "且不超过 731 天"),
        ({"begins_on": "2027-01-01"}, "失效日期须晚于生效日期"),
        ({"checked": ""}, "请确认您已当面核实"),
    ],
)
async def test_what_can_be_no_key_is_said_beside_its_field(
    place: Place, maker: Reader, changed: dict[str, str], said: str
) -> None:
    sent = {name: value for name, value in place.fields(**changed).items() if value}

    answer = await maker.send(f"{PATH}/new", sent)

    assert (answer.status_code, said in answer.text) == (422, True)
    assert "还没有签名密钥" in await maker.read(PATH)


async def test_a_key_that_is_known_is_refused_and_pressed_twice_is_one(place: Place, maker: Reader) -> None:
    fields = place.fields() | {"form_token": str(uuid4())}
    first, again = [await maker.client.post(f"{PATH}/new", data=fields) for _ in range(2)]
    other = await maker.send(f"{PATH}/new", place.fields())

    assert first.headers["location"] == again.headers["location"]
    assert (other.status_code, "签名密钥不被接受" in other.text) == (422, True)


async def test_the_keys_are_the_operators_to_see_and_only_its_officer_proposes(
    place: Place, maker: Reader, checker: Reader
) -> None:
    path = await propose(maker, place)
    by_checker = await checker.client.get(f"{PATH}/new")
    async with a_reader(place.database, place.bank.maker, now=place.noon) as outside:
        refused = [(await outside.client.get(one)).status_code for one in (PATH, path)]
    async with in_transaction(place.database.app) as session:
        await act_as(session, place.bank.maker, now=place.noon)
        with pytest.raises(NotAllowed):
            await keys.key(session, place.bank.maker, id_in(path))
        await act_as(session, place.operator.maker, now=place.noon)
        with pytest.raises(NotFound):
            await keys.key(session, place.operator.maker, uuid4())

    assert by_checker.status_code == 403
    assert refused == [403, 403]


@pytest.mark.parametrize("language", Language)
def test_every_standing_of_a_key_has_its_words(noon: datetime, language: Language) -> None:
    day = timedelta(days=1)
    person = uuid4()
    proposed = KeyView(uuid4(), uuid4(), bytes(32), noon - day, noon + day, person, noon, *(None, None), *(None, None))
    approved = {"approved_by": person, "approved_at": noon}
    told = [
        proposed,
        KeyView(**(vars(proposed) | approved)),
        KeyView(**(vars(proposed) | approved | {"valid_from_at": noon + day / 2})),
        KeyView(**(vars(proposed) | approved | {"valid_until": noon})),
        KeyView(**(vars(proposed) | {"retired_by": person, "retired_at": noon})),
    ]
    macros = environment(language).get_template("desks/operator_labels.html").module

    said = [str(macros.key_standing(one, noon)) for one in told]  # type: ignore[attr-defined]
    tones = [str(macros.key_tone(one, noon)) for one in told]  # type: ignore[attr-defined]

    assert len(set(said)) == len(told)
    assert tones == ["wait", "good", "plain", "plain", "plain"]


@needs_chromium
@both_languages
async def test_the_pages_of_keys_are_whole_and_accessible(
    browser: Browser, place: Place, maker: Reader, checker: Reader, language: str
) -> None:
    path = await propose(maker, place)
    found = [
        await faults_of(browser, place.database, viewer, paths, now=place.noon, language=language)
        for viewer, paths in (
            (place.operator.maker, [PATH, f"{PATH}/new", path]),
            (place.operator.checker, [path]),
        )
    ]

    assert found == [{}, {}]
