"""Passing a question through: the asker gets the answer, the platform keeps a receipt and nothing else."""

import base64
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import asyncpg
import pytest
from builders_consents import a_consent
from builders_derived import Signer, a_signer, in_domain
from builders_doors import a_door
from builders_parties import a_firm, a_lender, the_operator
from builders_sources import an_agency
from conftest import Database

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, Refusal, SourceUnavailable
from xinyidai.foundation.sealing import seal, verify
from xinyidai.sources import routes, service
from xinyidai.sources.models import RECEIPTS
from xinyidai.sources.queries.receipts import receipts
from xinyidai.sources.rules.passing import HEADLINE, Passed, Question, SignedAnswer, receipt_words

ITEM = "real_estate"
SECRET = "unit-4711-is-mortgaged-to-nobody"
SALT = b"sixteen bytes or more of salt"


async def nothing() -> None:
    """Do nothing in between."""


@dataclass
class Owner:
    """The provider's side: answers under its key, perhaps altered on the way, perhaps after something happened."""

    signer: Signer
    salt: bytes = SALT
    late: timedelta = timedelta(0)
    alter: Callable[[SignedAnswer], SignedAnswer] = lambda answer: answer
    meanwhile: Callable[[], Awaitable[None]] = nothing
    asked: list[Question] = field(default_factory=list)

    async def answer(self, question: Question) -> SignedAnswer:
        """Answer."""
        self.asked.append(question)
        await self.meanwhile()
        unsigned = SignedAnswer(
            body=SECRET.encode(),
            salt=self.salt,
            provider_id=self.signer.provider.organisation_id,
            key_id=self.signer.key_id,
            answered_at=question.asked_at + self.late,
            signature=b"",
        )
        words = receipt_words(
            question,
            provider_id=unsigned.provider_id,
            answer_digest=unsigned.digest,
            answered_at=unsigned.answered_at,
        )
        return self.alter(replace(unsigned, signature=self.signer.sign(words, headline=HEADLINE)))


class Silent:
    """A provider that does not answer."""

    async def answer(self, question: Question) -> SignedAnswer:
        """Fail as an outside system does."""
        raise SourceUnavailable("land register", f"no answer to {question.item_code}")


@dataclass
class Place:
    """A bank that a firm allowed the item, and the item's owner."""

    database: Database
    firm: Viewer
    bank: Viewer
    signer: Signer
    consent_id: object
    noon: datetime

    async def ask(self, provider: service.Provider, *, viewer: Viewer | None = None, item: str = ITEM) -> Passed:
        """Ask of a year."""
        return await service.pass_question(
            self.database.app,
            viewer or self.bank,
            provider,
            firm_id=self.firm.organisation_id,
            item_code=item,
            covers_from=date(2024, 6, 16),
            covers_to=date(2025, 6, 15),
            now=self.noon,
        )

    async def revoke(self) -> None:
        """Take the consent back."""
        async with in_transaction(self.database.app) as session:
            await act_as(session, self.firm, now=self.noon)
            await consents.revoke(session, self.firm, self.consent_id, now=self.noon)  # type: ignore[arg-type]


@pytest.fixture
async def place(database: Database, noon: datetime) -> Place:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        operator, bank = await the_operator(session, now=noon), (await a_lender(session, now=noon)).maker
        firm, provider = await a_firm(session, now=noon), await an_agency(session, now=noon)
        consent = await a_consent(session, firm, item_codes=[ITEM], receiver_ids=[bank.organisation_id], now=noon)
        signer = await a_signer(session, provider, operator, now=noon)
    return Place(database, firm, bank, signer, consent.id, noon)


async def everything_in(admin: asyncpg.Connection) -> str:
    """Return every row of every table as one text, bytes in hexadecimal."""
    tables = await admin.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    rows = [row[0] for table in tables for row in await admin.fetch(f"SELECT t::text FROM {table['name']} AS t")]
    return "\n".join(rows)


async def test_the_asker_gets_the_answer_and_a_receipt_stays(place: Place) -> None:
    owner = Owner(place.signer)

    passed = await place.ask(owner)

    (question,) = owner.asked
    assert passed.body == SECRET.encode()
    assert (question.item_code, question.consent_ids) == (ITEM, (place.consent_id,))
    assert passed.receipt.answer_digest == replace(await owner.answer(question)).digest
    seen = {}
    for name, viewer in {"firm": place.firm, "bank": place.bank, "owner": place.signer.provider}.items():
        async with in_transaction(place.database.app) as session:
            await act_as(session, viewer, now=place.noon)
            seen[name] = [one.id for one in (await receipts(session, viewer)).rows]
    assert seen == {"firm": [question.id], "bank": [question.id], "owner": [question.id]}


async def test_no_table_log_event_or_message_holds_what_was_answered(
    place: Place, admin: asyncpg.Connection, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    before = await admin.fetchval("SELECT count(*) FROM foundation.outbox_delivery")

    passed = await place.ask(Owner(place.signer))

    stored, told = await everything_in(admin), caplog.text + "".join(capfd.readouterr())
    forms = [
        form
        for content in (SECRET.encode(), SALT)
        for form in (content.decode(), content.hex(), base64.b64encode(content).decode().rstrip("="))
    ]
    assert passed.receipt.answer_digest.hex() in stored
    assert [form for form in forms if form in stored or form in told] == []
    # A message of the broker carries the id of a delivery: where none was added, none was sent.
    assert await admin.fetchval("SELECT count(*) FROM foundation.outbox_delivery") == before


UNFIT: dict[str, tuple[Callable[[Owner], Owner], str]] = {
    "another body": (
        lambda owner: replace(owner, alter=lambda answer: replace(answer, body=b"no")),
        "signature_wrong",
    ),
    "another salt": (
        lambda owner: replace(owner, alter=lambda answer: replace(answer, salt=SALT + b"!")),
        "signature_wrong",
    ),
    "a forged key": (lambda owner: replace(owner, signer=owner.signer.with_other_key()), "signature_wrong"),
    "no salt": (lambda owner: replace(owner, salt=b""), "provider_answer_unfit"),
    "yesterday's": (lambda owner: replace(owner, late=-timedelta(days=1)), "provider_answer_unfit"),
    "too long": (
        lambda owner: replace(owner, alter=lambda answer: replace(answer, body=b"x" * (1 << 21))),
        "provider_answer_unfit",
    ),
    "another's key": (
        lambda owner: replace(owner, alter=lambda answer: replace(answer, provider_id=answer.key_id)),
        "provider_key_unknown",
    ),
}


@pytest.mark.parametrize("what", UNFIT)
async def test_an_answer_that_is_unfit_reaches_nobody_and_leaves_no_receipt(
    place: Place, admin: asyncpg.Connection, what: str
) -> None:
    change, code = UNFIT[what]

    with pytest.raises(Refusal) as refused:
        await place.ask(change(Owner(place.signer)))

    assert refused.value.code == code
    assert await admin.fetchval("SELECT count(*) FROM sources.receipt") == 0


async def test_an_old_answer_does_not_serve_a_new_question(place: Place) -> None:
    owner = Owner(place.signer)
    await place.ask(owner)
    kept = await owner.answer(owner.asked[0])

    with pytest.raises(Refusal) as refused:
        await place.ask(Owner(place.signer, alter=lambda _answer: kept))

    assert refused.value.code == "signature_wrong"


async def test_a_consent_taken_back_while_the_owner_answers_stops_the_answer(
    place: Place, admin: asyncpg.Connection
) -> None:
    with pytest.raises(Refusal) as refused:
        await place.ask(Owner(place.signer, meanwhile=place.revoke))

    actions = [row["action"] for row in await admin.fetch("SELECT action FROM audit.record ORDER BY id")]
    assert refused.value.code == "consent_missing"
    assert "sources.question_passed" in actions
    assert "sources.answer_passed" not in actions
    assert await admin.fetchval("SELECT count(*) FROM sources.receipt") == 0


async def test_what_may_not_be_asked_never_reaches_the_owner(place: Place, admin: asyncpg.Connection) -> None:
    owner, codes = Owner(place.signer), []
    with pytest.raises(NotAllowed):
        await place.ask(owner, viewer=place.firm)
    with pytest.raises(Refusal) as held:
        await place.ask(owner, item="electricity")
    codes.append(held.value.code)
    await place.revoke()
    with pytest.raises(Refusal) as revoked:
        await place.ask(owner)
    codes.append(revoked.value.code)
    await in_domain(admin, ITEM)
    with pytest.raises(Refusal) as computed:
        await place.ask(owner)

    assert [*codes, computed.value.code] == ["item_not_passed_through", "consent_missing", "item_not_passed_through"]
    assert owner.asked == []


async def test_an_owner_that_is_silent_leaves_the_question_and_no_receipt(
    place: Place, admin: asyncpg.Connection
) -> None:
    with pytest.raises(SourceUnavailable):
        await place.ask(Silent())

    asked = await admin.fetchval("SELECT count(*) FROM audit.record WHERE action = 'sources.question_passed'")
    assert asked == 1
    assert await admin.fetchval("SELECT count(*) FROM sources.receipt") == 0


async def test_receipts_are_sealed_and_an_altered_one_is_named(place: Place, admin: asyncpg.Connection) -> None:
    passed = await place.ask(Owner(place.signer))
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        await seal(session, RECEIPTS, now=place.noon)
        sound = await verify(session, RECEIPTS)
    await admin.execute("ALTER TABLE sources.receipt DISABLE TRIGGER ALL")
    await admin.execute("UPDATE sources.receipt SET item_code = 'cash_flow'")

    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        altered = await verify(session, RECEIPTS)

    assert (sound.sealed, sound.found) == (1, ())
    assert [one.ref for one in altered.found] == [f"receipt:{passed.receipt.id}"]


async def test_a_firm_reads_its_receipts_over_the_door(place: Place) -> None:
    passed = await place.ask(Owner(place.signer))

    async with a_door(place.database, routes.router, place.firm, now=place.noon) as door:
        listed = await door.get("/sources/receipts")

    (receipt,) = listed.json()["receipts"]
    assert receipt["answer_sha256"] == passed.receipt.answer_digest.hex()
    assert SECRET not in listed.text
