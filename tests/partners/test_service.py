"""Keys: shown once, kept as digests, bound to one organisation, revoked for good."""

import asyncio
from datetime import datetime

import asyncpg
import pytest
from builders_parties import Desk, a_credit_code, a_fund, a_lender, a_viewer, the_operator
from conftest import Database
from sqlalchemy import text

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    SamePersonTwice,
    Viewer,
    requires_a_person,
    requires_two_people,
)
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.database import driver, in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound, ValueRefused
from xinyidai.foundation.settings import settings
from xinyidai.parties import service as parties
from xinyidai.partners import queries, service
from xinyidai.partners.rules import (
    LIVE,
    MAX_KEYS,
    SANDBOX,
    KeyRevoked,
    KeyRoleNotAllowed,
    MintedKey,
    PartyNotSimulated,
    Scope,
    TooManyKeys,
    WantedKey,
    looks_like_a_secret,
    new_secret,
)

ALL = tuple(Scope)


@pytest.fixture
async def bank(database: Database, noon: datetime) -> Desk:
    """Return a committed bank."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        return await a_lender(session, now=noon)


async def mint(
    database: Database,
    viewer: Viewer,
    now: datetime,
    *,
    organisation_id: object = None,
    scopes: object = ("offers:write",),
    role: Role = Role.OFFICER,
) -> MintedKey:
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=now)
        return await service.mint_key(
            session,
            viewer,
            organisation_id=organisation_id or viewer.organisation_id,  # type: ignore[arg-type]
            name="核心系统",
            scopes=scopes,  # type: ignore[arg-type]
            role=role,
            now=now,
        )


async def mint_many(database: Database, viewer: Viewer, wanted: list[WantedKey], now: datetime) -> list[str]:
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=now)
        return await service.mint_sandbox_keys(session, viewer, wanted, now=now)


async def present(database: Database, secret: str) -> Viewer | None:
    async with in_transaction(database.app) as session:
        return await service.authenticate(await driver(session), secret)


async def revoke(database: Database, viewer: Viewer, minted: MintedKey, now: datetime) -> None:
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=now)
        await service.revoke_key(session, viewer, minted.client_id, now=now)


async def test_a_key_acts_for_its_organisation_within_its_scopes(
    database: Database, bank: Desk, noon: datetime
) -> None:
    minted = await mint(database, bank.maker, noon, scopes=["offers:write", "demands:read", "offers:write"])

    viewer = await present(database, minted.secret)

    assert viewer is not None
    assert viewer.principal_id == minted.client_id
    assert viewer.principal_kind is PrincipalKind.CLIENT
    assert viewer.organisation_id == bank.id
    assert viewer.organisation_kind is OrganisationKind.LENDER
    assert viewer.scopes == {"offers:write", "demands:read"}
    assert Role.APPROVER not in viewer.roles


async def test_the_secret_is_nowhere_in_the_database(
    database: Database, bank: Desk, noon: datetime, admin: asyncpg.Connection
) -> None:
    minted = await mint(database, bank.maker, noon)
    await present(database, minted.secret)

    tables = await admin.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    rows = [
        row["kept"] for table in tables for row in await admin.fetch(f"SELECT t::text AS kept FROM {table['name']} t")
    ]
    assert any(minted.key.prefix in row for row in rows)
    assert not any(minted.secret[len(LIVE) :] in row or minted.secret[-20:] in row for row in rows)


async def test_no_list_shows_a_secret(database: Database, bank: Desk, noon: datetime) -> None:
    minted = await mint(database, bank.maker, noon)

    async with in_transaction(database.app) as session:
        await act_as(session, bank.maker, now=noon)
        page = await queries.keys(session, bank.maker, organisation_id=bank.id, cursor=None, limit=10)

    assert [view.id for view in page.rows] == [minted.client_id]
    assert minted.secret not in repr(page)
    assert minted.secret.startswith(page.rows[0].prefix)


async def test_a_revoked_key_is_refused_at_once_and_for_good(database: Database, bank: Desk, noon: datetime) -> None:
    minted = await mint(database, bank.maker, noon)
    before = await present(database, minted.secret)

    await revoke(database, bank.checker, minted, noon)

    assert before is not None
    assert await present(database, minted.secret) is None
    with pytest.raises(KeyRevoked):
        await revoke(database, bank.checker, minted, noon)


@pytest.mark.parametrize(
    "presented",
    [
        "",
        "xyd_live_",
        "xyd_live_" + "A" * 43,
        "xyd_live_" + "A" * 1_000_000,
        "Bearer",
        "xyd_live_\x00" + "A" * 42,
        "é" * 52,
    ],
)
async def test_what_is_no_key_opens_nothing(database: Database, presented: str) -> None:
    assert await present(database, presented) is None


async def test_one_changed_character_opens_nothing(database: Database, bank: Desk, noon: datetime) -> None:
    minted = await mint(database, bank.maker, noon)

    changed = [minted.secret[:n] + "~" + minted.secret[n + 1 :] for n in range(len(minted.secret))]

    assert [await present(database, one) for one in changed] == [None] * len(changed)


async def test_an_administrator_mints_for_their_own_organisation_only(
    database: Database, bank: Desk, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        fund = await a_fund(session, now=noon)
        operator = await the_operator(session, now=noon)

    with pytest.raises(NotFound):
        await mint(database, bank.maker, noon, organisation_id=fund.id)
    minted = await mint(database, operator.maker, noon, organisation_id=fund.id)

    viewer = await present(database, minted.secret)
    assert viewer is not None
    assert viewer.organisation_id == fund.id


async def test_a_strangers_key_does_not_exist(database: Database, bank: Desk, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        fund = await a_fund(session, now=noon)
    minted = await mint(database, bank.maker, noon)

    with pytest.raises(NotFound):
        await revoke(database, fund.maker, minted, noon)
    with pytest.raises(NotFound):
        async with in_transaction(database.app) as session:
            await queries.keys(session, fund.maker, organisation_id=bank.id, cursor=None, limit=10)

    assert await present(database, minted.secret) is not None


async def test_row_level_security_hides_keys_of_others(database: Database, bank: Desk, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        fund = await a_fund(session, now=noon)
    await mint(database, bank.maker, noon)

    counts = []
    for viewer in (bank.maker, fund.maker):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            counts.append((await session.execute(text("SELECT count(*) FROM partners.api_client"))).scalar_one())

    assert counts == [1, 0]


async def test_keys_make_no_keys_and_officers_none_either(database: Database, bank: Desk, noon: datetime) -> None:
    minted = await mint(database, bank.maker, noon)
    client = await present(database, minted.secret)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        officer = await a_viewer(session, bank.id, Role.OFFICER, now=noon)
    assert client is not None

    for viewer in (client, officer):
        with pytest.raises(NotAllowed):
            await mint(database, viewer, noon)


@pytest.mark.parametrize("scopes", [[], ["everything"], ["offers:write", "people-only"]])
async def test_unknown_scopes_are_refused(database: Database, bank: Desk, noon: datetime, scopes: list[str]) -> None:
    with pytest.raises(ValueRefused):
        await mint(database, bank.maker, noon, scopes=scopes)


async def test_an_organisation_has_so_many_keys_and_no_more_also_at_once(
    database: Database, bank: Desk, noon: datetime
) -> None:
    for _ in range(MAX_KEYS - 2):
        await mint(database, bank.maker, noon)

    outcomes = await asyncio.gather(*(mint(database, bank.maker, noon) for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(outcome, MintedKey) for outcome in outcomes) == 2
    assert sum(isinstance(outcome, TooManyKeys) for outcome in outcomes) == 3


async def test_the_last_use_is_kept_coarsely(
    database: Database, bank: Desk, noon: datetime, admin: asyncpg.Connection
) -> None:
    minted = await mint(database, bank.maker, noon)
    used = "SELECT last_used_at FROM partners.api_client"
    unused = await admin.fetchval(used)

    await present(database, minted.secret)
    first = await admin.fetchval(used)
    await present(database, minted.secret)
    second = await admin.fetchval(used)

    assert unused is None
    assert first is not None
    assert first == second


async def test_a_test_key_opens_only_a_sandbox(
    database: Database, bank: Desk, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = settings().model_copy(update={"sandbox": True})
    monkeypatch.setattr(service, "settings", lambda: sandbox)
    minted = await mint(database, bank.maker, noon)
    inside = await present(database, minted.secret)

    monkeypatch.undo()
    outside = await present(database, minted.secret)

    assert minted.secret.startswith(SANDBOX)
    assert minted.key.is_sandbox
    assert inside is not None
    assert outside is None


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the platform be a sandbox."""
    known = settings().model_copy(update={"sandbox": True})
    monkeypatch.setattr(service, "settings", lambda: known)


async def a_real_bank(database: Database, now: datetime) -> Viewer:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        party_id = await parties.register_party(
            session,
            kind=OrganisationKind.LENDER,
            name="真实银行",
            credit_code=a_credit_code(OrganisationKind.LENDER),
            now=now,
        )
        return await a_viewer(session, party_id, Role.ADMIN, now=now)


async def test_a_live_key_is_never_an_approvers(database: Database, bank: Desk, noon: datetime) -> None:
    with pytest.raises(KeyRoleNotAllowed):
        await mint(database, bank.maker, noon, role=Role.APPROVER)


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("role", [Role.ADMIN, Role.OWNER, Role.AUDITOR])
async def test_no_key_administers(database: Database, bank: Desk, noon: datetime, role: Role) -> None:
    with pytest.raises(KeyRoleNotAllowed):
        await mint(database, bank.maker, noon, role=role)


@pytest.mark.usefixtures("sandbox")
async def test_a_sandbox_mints_nothing_for_a_real_party(database: Database, noon: datetime) -> None:
    administrator = await a_real_bank(database, noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        operator = (await the_operator(session, now=noon)).maker

    with pytest.raises(PartyNotSimulated):
        await mint(database, administrator, noon)
    with pytest.raises(PartyNotSimulated):
        await mint_many(database, operator, [WantedKey(administrator.organisation_id, "bot", Role.OFFICER, ALL)], noon)


@pytest.mark.usefixtures("sandbox")
async def test_the_database_refuses_a_test_key_of_a_real_party(
    database: Database, bank: Desk, noon: datetime, admin: asyncpg.Connection
) -> None:
    minted = await mint(database, bank.maker, noon)

    await admin.execute("UPDATE parties.party SET is_simulated = false WHERE id = $1", bank.id)

    assert await present(database, minted.secret) is None


async def test_the_database_knows_no_live_key_of_an_approver(
    database: Database, bank: Desk, noon: datetime, admin: asyncpg.Connection
) -> None:
    await mint(database, bank.maker, noon)

    with pytest.raises(asyncpg.CheckViolationError):
        await admin.execute("UPDATE partners.api_client SET role = 'approver'")


@pytest.mark.usefixtures("sandbox")
async def test_two_keys_of_a_simulated_bank_are_two_pairs_of_eyes(
    database: Database, bank: Desk, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        operator = (await the_operator(session, now=noon)).maker
    wanted = [WantedKey(bank.id, f"bot {role.value}", role, ALL) for role in (Role.OFFICER, Role.APPROVER)]

    maker, checker = [await present(database, one) for one in await mint_many(database, operator, wanted, noon)]

    assert maker is not None
    assert checker is not None
    assert (maker.roles, checker.roles) == ({Role.OFFICER}, {Role.APPROVER})
    requires_a_person(maker)
    requires_two_people(maker.principal_id, checker.principal_id)
    with pytest.raises(SamePersonTwice):
        requires_two_people(maker.principal_id, maker.principal_id)


@pytest.mark.usefixtures("sandbox")
async def test_only_the_operator_mints_for_many(database: Database, bank: Desk, noon: datetime) -> None:
    with pytest.raises(NotAllowed):
        await mint_many(database, bank.maker, [WantedKey(bank.id, "bot", Role.OFFICER, ALL)], noon)


@pytest.mark.usefixtures("sandbox")
async def test_a_thousand_keys_are_minted_in_one_call(
    database: Database, bank: Desk, noon: datetime, admin: asyncpg.Connection
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        operator = (await the_operator(session, now=noon)).maker

    secrets = await mint_many(database, operator, [WantedKey(bank.id, "bot", Role.OFFICER, ALL)] * 1_000, noon)

    assert len(set(secrets)) == 1_000
    assert await admin.fetchval("SELECT count(*) FROM partners.api_client") == 1_000
    assert await present(database, secrets[-1]) is not None
    assert await admin.fetchval("SELECT count(*) FROM audit.record WHERE action LIKE 'partners.%'") == 1


async def test_minting_and_revoking_leave_audit_rows(database: Database, bank: Desk, noon: datetime) -> None:
    minted = await mint(database, bank.maker, noon)
    await revoke(database, bank.checker, minted, noon)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        found = await session.execute(
            text("SELECT action, principal_id, subject_ids, object_id FROM audit.record ORDER BY id")
        )

    assert [tuple(row) for row in found] == [
        ("partners.key_minted", bank.maker.principal_id, [bank.id], str(minted.client_id)),
        ("partners.key_revoked", bank.checker.principal_id, [bank.id], str(minted.client_id)),
    ]


def test_secrets_are_long_and_never_alike() -> None:
    secrets = {new_secret(is_sandbox=False) for _ in range(1_000)}

    assert len(secrets) == 1_000
    assert all(looks_like_a_secret(secret) for secret in secrets)


def test_scopes_read_as_room_and_act() -> None:
    assert all(scope.value.partition(":")[2] in {"read", "write"} for scope in Scope)
