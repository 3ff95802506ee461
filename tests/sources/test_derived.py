"""Derived values: signed, under a consent, as of a day; nothing changes when anything about them is wrong."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from builders_consents import a_consent
from builders_derived import A_VALUE, ITEM, Signer, a_signer, a_statement, in_domain
from builders_doors import a_door
from builders_parties import Desk, a_credit_code, a_firm, a_lender, the_operator
from builders_sources import an_agency
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from xinyidai.access.rules import SamePersonTwice, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing, Permission, Purpose
from xinyidai.foundation.canonical import Json
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound, Refusal
from xinyidai.foundation.sealing import seal, verify
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources import routes, service
from xinyidai.sources.models import DERIVED_VALUES, STATEMENTS
from xinyidai.sources.queries.derived import derived_values, signed_statement
from xinyidai.sources.queries.keys import keys
from xinyidai.sources.rules.derived import DerivedValue
from xinyidai.sources.rules.keys import KeyState, ProviderKeyRefused, ProviderKeySettled

COUNT = text("SELECT (SELECT count(*) FROM sources.statement), (SELECT count(*) FROM sources.derived_value)")
Told = dict[str, Json]


@dataclass
class Place:
    """A firm that consented, a provider that signs, and an item that stays in the provider's domain."""

    database: Database
    operator: Desk
    signer: Signer
    other: Signer
    firm: Viewer
    code: str
    consent_id: UUID
    rival_code: str
    noon: datetime

    def told(self, *values: Told, after_hours: int = 0, **fields: Json) -> Told:
        """Return a good statement, with some fields replaced."""
        made_at = self.noon + timedelta(hours=after_hours)
        return a_statement(self.signer, self.code, self.consent_id, *values, made_at=made_at, **fields)

    async def deliver(
        self, told: Told, *, signed_as: Told | None = None, signer: Signer | None = None, after_hours: int = 0
    ) -> UUID:
        """Deliver a statement, signed as it is or as another, some hours after noon."""
        who = signer or self.signer
        now = self.noon + timedelta(hours=after_hours)
        async with in_transaction(self.database.app) as session:
            await act_as(session, who.provider, now=now)
            report = await service.receive_statement(
                session, who.provider, told, key_id=who.key_id, signature=who.sign(signed_as or told), now=now
            )
        return report.id

    async def known(self, *, before_days: int = 0, after_hours: int = 99) -> tuple[DerivedValue, ...]:
        """Return the values of the time before some days ago, as known some hours after noon."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon)
            permission = await self.permission(session)
            return await derived_values(
                session,
                permission,
                [ITEM],
                before=self.noon - timedelta(days=before_days),
                known_at=self.noon + timedelta(hours=after_hours),
            )

    async def permission(self, session: object) -> Permission:
        """Return the platform's permission."""
        return await consents.require(
            session,  # type: ignore[arg-type]
            receiver_id=PLATFORM_ID,
            subject_ids=[self.firm.organisation_id],
            purpose=Purpose.PRE_LOAN,
            item_codes=[ITEM],
            now=self.noon,
        )


@pytest.fixture
async def place(database: Database, admin: asyncpg.Connection, noon: datetime) -> Place:
    await in_domain(admin, ITEM)
    code, rival_code = a_credit_code(), a_credit_code()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        operator = await the_operator(session, now=noon)
        provider, other = await an_agency(session, now=noon), await an_agency(session, now=noon)
        firm = await a_firm(session, credit_code=code, now=noon)
        rival = await a_firm(session, credit_code=rival_code, now=noon)
        consent = await a_consent(session, firm, item_codes=[ITEM], now=noon)
        await a_consent(session, rival, item_codes=[ITEM], now=noon)
        signer = await a_signer(session, provider, operator, now=noon)
        other_signer = await a_signer(session, other, operator, now=noon)
    return Place(database, operator, signer, other_signer, firm, code, consent.id, rival_code, noon)


async def test_a_signed_statement_is_known_with_its_method_and_leads_back_to_the_words(place: Place) -> None:
    told = place.told()

    statement_id = await place.deliver(told)

    (value,) = await place.known()
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        words = await signed_statement(session, await place.permission(session), value.statement_id)
    assert (value.stated.indicator, value.stated.value, value.stated.method_version) == (
        "insured_headcount",
        12,
        "hrss-2025.1",
    )
    assert (value.statement_id, value.provider_id) == (statement_id, place.signer.provider.organisation_id)
    assert words.is_genuine
    assert f'"credit_code":"{place.code}"' in words.words


async def test_a_later_statement_replaces_an_earlier_one_and_both_times_can_be_asked(place: Place) -> None:
    await place.deliver(place.told())
    await place.deliver(place.told({**A_VALUE, "value": 9}, after_hours=2), after_hours=2)

    known_then, known_now, before = (
        await place.known(after_hours=1),
        await place.known(),
        await place.known(before_days=1),
    )

    assert [one.stated.value for one in known_then] == [12]
    assert [one.stated.value for one in known_now] == [9]
    assert before == ()


async def test_the_newest_day_stands_and_no_data_is_not_zero(place: Place) -> None:
    earlier = {**A_VALUE, "as_of": "2025-05-16", "covers_to": "2025-04-30", "value": 15}
    await place.deliver(place.told(earlier, {**A_VALUE, "value": None}))

    (now,), (before,) = await place.known(), await place.known(before_days=20)

    assert now.stated.value is None
    assert before.stated.value == 15


Change = Callable[[Place, Told], Told]
WRONG: dict[str, tuple[Change, str]] = {
    "another provider": (
        lambda place, told: told | {"provider_id": str(place.other.provider.organisation_id)},
        "statement_of_another",
    ),
    "another firm's consent": (lambda place, told: told | {"credit_code": place.rival_code}, "statement_consent_unfit"),
    "no firm": (lambda place, told: told | {"credit_code": a_credit_code()}, "statement_firm_unknown"),
    "no consent": (
        lambda place, told: told | {"consent_id": str(place.firm.organisation_id)},
        "statement_consent_unfit",
    ),
    "another item": (lambda place, told: told | {"item": "electricity"}, "indicator_not_derivable"),
    "an item not listed": (lambda place, told: told | {"item": "weather"}, "indicator_not_derivable"),
    "another unit": (lambda place, told: told | {"values": [{**A_VALUE, "unit": "fen"}]}, "indicator_not_derivable"),
    "an unknown indicator": (
        lambda place, told: told | {"values": [{**A_VALUE, "indicator": "luck"}]},
        "indicator_not_derivable",
    ),
    "days to come": (
        lambda place, told: told | {"values": [{**A_VALUE, "as_of": "2025-06-17", "covers_to": "2025-06-16"}]},
        "statement_time_unfit",
    ),
    "days not over": (
        lambda place, told: told | {"values": [{**A_VALUE, "covers_to": "2025-06-16"}]},
        "statement_time_unfit",
    ),
    "made tomorrow": (lambda place, told: place.told(after_hours=24), "statement_time_unfit"),
    "held back": (lambda place, told: place.told(after_hours=-24 * 8), "provider_key_not_in_force"),
    "twice the same": (lambda place, told: told | {"values": [A_VALUE, A_VALUE]}, "value_refused"),
    "no day": (lambda place, told: told | {"values": [{**A_VALUE, "as_of": "2025-02-30"}]}, "value_refused"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_statement_that_is_wrong_is_refused_and_nothing_else_changes(place: Place, what: str) -> None:
    change, code = WRONG[what]
    await place.deliver(place.told())

    with pytest.raises(Refusal) as refused:
        await place.deliver(change(place, place.told(after_hours=1)), after_hours=1)

    assert refused.value.code == code
    assert [one.stated.value for one in await place.known()] == [12]


async def test_forged_altered_and_borrowed_signatures_are_refused(place: Place, admin: asyncpg.Connection) -> None:
    told = place.told()
    attempts = {
        "forged": lambda: place.deliver(told, signer=place.signer.with_other_key()),
        "altered": lambda: place.deliver(told | {"values": [{**A_VALUE, "value": 99}]}, signed_as=told),
        "for another firm": lambda: place.deliver(told | {"credit_code": place.rival_code}, signed_as=told),
    }

    refused = {}
    for name, attempt in attempts.items():
        with pytest.raises(Refusal) as error:
            await attempt()
        refused[name] = error.value.code
    stolen = Signer(place.other.provider, place.signer.key, place.signer.key_id)
    with pytest.raises(Refusal) as of_another:
        await place.deliver(told, signer=stolen)

    assert set(refused.values()) == {"signature_wrong"}
    assert of_another.value.code == "provider_key_unknown"
    assert tuple(await admin.fetchrow(COUNT.text)) == (0, 0)


async def test_a_signature_of_another_kind_of_words_is_none(place: Place) -> None:
    told = place.told()
    async with in_transaction(place.database.app) as session:
        await act_as(session, place.signer.provider, now=place.noon)
        with pytest.raises(Refusal) as refused:
            await service.receive_statement(
                session,
                place.signer.provider,
                told,
                key_id=place.signer.key_id,
                signature=place.signer.sign(told, headline="xinyidai.receipt.v1"),
                now=place.noon,
            )

    assert refused.value.code == "signature_wrong"


async def test_a_replayed_a_delayed_and_a_rivals_statement_are_refused(place: Place) -> None:
    first = place.told()
    await place.deliver(place.told({**A_VALUE, "value": 9}, after_hours=2), after_hours=2)
    codes = []

    attempts = [
        (first, place.signer, 3),
        (place.told(after_hours=2), place.signer, 3),
        (place.told(after_hours=3, provider_id=str(place.other.provider.organisation_id)), place.other, 3),
    ]
    for told, signer, hours in attempts:
        with pytest.raises(Refusal) as refused:
            await place.deliver(told, signer=signer, after_hours=hours)
        codes.append(refused.value.code)
    newest = place.told({**A_VALUE, "value": 8}, after_hours=4)
    await place.deliver(newest, after_hours=4)
    with pytest.raises(Refusal) as replayed:
        await place.deliver(newest, after_hours=5)

    assert codes == ["statement_outdated", "statement_outdated", "value_of_another_provider"]
    assert replayed.value.code == "statement_replayed"
    assert [one.stated.value for one in await place.known()] == [8]


async def test_an_item_that_is_held_here_or_passes_by_takes_no_derived_value(
    place: Place, admin: asyncpg.Connection
) -> None:
    codes = []
    for topology in ("held_copy", "pass_through"):
        await in_domain(admin, ITEM, topology=topology)
        with pytest.raises(Refusal) as refused:
            await place.deliver(place.told())
        codes.append((refused.value.code, refused.value.facts["topology"]))

    assert codes == [("item_not_in_domain", "held_copy"), ("item_not_in_domain", "pass_through")]


async def test_a_key_serves_from_its_approval_to_its_end_and_not_a_moment_more(place: Place) -> None:
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        short = await a_signer(session, place.signer.provider, place.operator, days=1, now=place.noon)
        proposed = await service.propose_key(
            session,
            place.operator.maker,
            provider_id=place.signer.provider.organisation_id,
            public_key=place.signer.with_other_key().key.public_key().public_bytes_raw(),
            valid_from_at=place.noon,
            valid_until=place.noon + timedelta(days=1),
            now=place.noon,
        )
    unapproved = Signer(place.signer.provider, place.signer.key, proposed.id)
    await place.deliver(place.told(), signer=short)

    why = []
    for signer, hours in ((short, 24), (unapproved, 0)):
        with pytest.raises(Refusal) as refused:
            await place.deliver(place.told(after_hours=hours), signer=signer, after_hours=hours)
        why.append(refused.value.facts["why"])
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        await service.retire_key(session, place.operator.maker, place.signer.key_id, now=place.noon)
    with pytest.raises(Refusal) as retired:
        await place.deliver(place.told(after_hours=1), after_hours=1)

    assert [*why, retired.value.facts["why"]] == ["expired", "proposed", "retired"]
    assert [one.stated.value for one in await place.known()] == [12]


async def test_two_people_register_a_key_and_both_keys_serve_while_one_follows_the_other(place: Place) -> None:
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        proposed = await service.propose_key(
            session,
            place.operator.maker,
            provider_id=place.signer.provider.organisation_id,
            public_key=place.signer.with_other_key().key.public_key().public_bytes_raw(),
            valid_from_at=place.noon,
            valid_until=place.noon + timedelta(days=30),
            now=place.noon,
        )
        with pytest.raises(NotAllowed):
            await service.approve_key(session, place.operator.maker, proposed.id, now=place.noon)
        approved = await service.approve_key(session, place.operator.checker, proposed.id, now=place.noon)
        with pytest.raises(ProviderKeySettled):
            await service.approve_key(session, place.operator.checker, proposed.id, now=place.noon)
        shown = await keys(session, place.operator.maker)

    assert (proposed.state, approved.state) == (KeyState.PROPOSED, KeyState.IN_USE)
    assert len(shown.rows) == 3


async def test_one_person_with_both_roles_does_not_approve_its_own_key(place: Place, admin: asyncpg.Connection) -> None:
    both = replace(place.operator.maker, roles=place.operator.maker.roles | place.operator.checker.roles)
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        proposed = await service.propose_key(
            session,
            both,
            provider_id=place.signer.provider.organisation_id,
            public_key=place.signer.with_other_key().key.public_key().public_bytes_raw(),
            valid_from_at=place.noon,
            valid_until=place.noon + timedelta(days=30),
            now=place.noon,
        )
        with pytest.raises(SamePersonTwice):
            await service.approve_key(session, both, proposed.id, now=place.noon)

    with pytest.raises(asyncpg.CheckViolationError):
        await admin.execute(
            "UPDATE sources.provider_key SET approved_by = proposed_by, approved_at = proposed_at WHERE id = $1",
            proposed.id,
        )


@pytest.mark.parametrize(
    ("key", "days", "is_firm"),
    [(b"\0" * 31, 30, False), (b"\1" * 32, 800, False), (b"\1" * 32, 0, False), (b"\1" * 32, 30, True)],
    ids=["too short", "too long in force", "never in force", "of a firm"],
)
async def test_what_can_be_no_providers_key_is_refused(place: Place, key: bytes, days: int, *, is_firm: bool) -> None:
    owner = {True: place.firm, False: place.signer.provider}[is_firm]
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        with pytest.raises(ProviderKeyRefused):
            await service.propose_key(
                session,
                place.operator.maker,
                provider_id=owner.organisation_id,
                public_key=key,
                valid_from_at=place.noon,
                valid_until=place.noon + timedelta(days=days),
                now=place.noon,
            )


async def test_who_may_read_is_the_firm_its_receivers_and_the_provider_itself(place: Place) -> None:
    await place.deliver(place.told())
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        bank = (await a_lender(session, now=place.noon)).maker
        seen = {"platform alone": tuple((await session.execute(COUNT)).one())}

    viewers = {"firm": place.firm, "provider": place.signer.provider, "bank": bank, "rival": place.other.provider}
    for name, viewer in viewers.items():
        async with in_transaction(place.database.app) as session:
            await act_as(session, viewer, now=place.noon)
            seen[name] = tuple((await session.execute(COUNT)).one())

    assert seen == {"platform alone": (0, 0), "firm": (1, 1), "provider": (1, 1), "bank": (0, 0), "rival": (0, 0)}


async def test_after_a_revocation_the_next_read_of_a_value_is_refused(place: Place) -> None:
    await place.deliver(place.told())
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        permission = await place.permission(session)
        before = await derived_values(session, permission, [ITEM], before=place.noon, known_at=place.noon)
        async with in_transaction(place.database.app) as revoking:
            await act_as(revoking, place.firm, now=place.noon)
            await consents.revoke(revoking, place.firm, place.consent_id, now=place.noon)
        with pytest.raises(ConsentMissing):
            await derived_values(session, permission, [ITEM], before=place.noon, known_at=place.noon)
        with pytest.raises(NotFound):
            await signed_statement(session, permission, before[0].statement_id)

    assert len(before) == 1


FORBIDDEN = [
    "UPDATE sources.derived_value SET value = 99",
    "DELETE FROM sources.statement",
    "UPDATE sources.provider_key SET public_key = '\\x00'",
    "INSERT INTO sources.derived_value SELECT * FROM sources.derived_value",
]


async def test_nobody_rewrites_what_was_said(place: Place, admin: asyncpg.Connection) -> None:
    async def rewrite(change: str) -> None:
        async with in_transaction(place.database.worker) as session:
            await act_as_platform(session, now=place.noon)
            await session.execute(text(change))

    await place.deliver(place.told())

    for change in FORBIDDEN:
        with pytest.raises(DBAPIError, match="permission denied"):
            await rewrite(change)
    for change in FORBIDDEN[:2]:
        with pytest.raises(asyncpg.RestrictViolationError):
            await admin.execute(change)


async def test_verify_names_a_value_and_a_statement_that_were_altered(place: Place, admin: asyncpg.Connection) -> None:
    await place.deliver(place.told())
    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        await seal(session, STATEMENTS, now=place.noon)
        await seal(session, DERIVED_VALUES, now=place.noon)
        sound = [await verify(session, one) for one in (STATEMENTS, DERIVED_VALUES)]
    for table, column in (("derived_value", "value = 99"), ("statement", "words = words || ' '")):
        await admin.execute(f"ALTER TABLE sources.{table} DISABLE TRIGGER ALL")
        await admin.execute(f"UPDATE sources.{table} SET {column}")

    async with in_transaction(place.database.worker) as session:
        await act_as_platform(session, now=place.noon)
        altered = [await verify(session, one) for one in (STATEMENTS, DERIVED_VALUES)]

    assert [(one.sealed, one.found) for one in sound] == [(1, ()), (1, ())]
    assert [len(one.found) for one in altered] == [1, 1]


async def test_the_door_takes_the_bytes_that_were_signed(place: Place) -> None:
    told = place.told()
    async with a_door(place.database, routes.router, place.signer.provider, now=place.noon) as door:
        taken = await door.post("/sources/derived-values", json=place.signer.signed(told))
        again = await door.post("/sources/derived-values", json=place.signer.signed(told))
        loose = await door.post("/sources/derived-values", json=place.signer.signed(told | {"note": "x"}))
        listed = await door.get("/sources/provider-keys")

    assert (taken.status_code, taken.json()["values"]) == (201, 1)
    assert (again.status_code, again.json()["code"]) == (409, "statement_replayed")
    assert loose.status_code in {400, 422}
    assert [key["state"] for key in listed.json()["keys"]] == ["in_use"]


async def test_keys_are_registered_over_the_door_by_two_people(place: Place) -> None:
    public = place.signer.with_other_key().key.public_key().public_bytes_raw()
    body = {
        "provider_id": str(place.signer.provider.organisation_id),
        "public_key": b64encode(public).decode(),
        "valid_from_at": "2025-06-16T04:00:00Z",
        "valid_until": "2026-06-16T04:00:00Z",
    }
    async with a_door(place.database, routes.router, place.operator.maker, now=place.noon) as door:
        proposed = await door.post("/sources/provider-keys", json=body)
    path = f"/sources/provider-keys/{proposed.json()['id']}"
    async with a_door(place.database, routes.router, place.operator.checker, now=place.noon) as door:
        approved = await door.post(f"{path}/approve")
        retired = await door.post(f"{path}/retire")

    assert [one.json()["state"] for one in (proposed, approved, retired)] == ["proposed", "in_use", "retired"]
