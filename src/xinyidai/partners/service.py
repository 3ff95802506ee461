"""The verbs of the room: minting, presenting and revoking keys."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, PrincipalKind, Role, Viewer, requires_kind, requires_role
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.audit.rules import MAX_SUBJECTS
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.errors import NotAllowed, NotFound, ValueRefused
from xinyidai.foundation.settings import settings
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PartyId, PartyView, checked_name
from xinyidai.partners.models import ApiClient
from xinyidai.partners.queries import requires_administrator, view_of
from xinyidai.partners.rules import (
    CLIENT_ROLES,
    COARSE,
    MAX_BATCH,
    MAX_KEYS,
    SANDBOX,
    KeyRevoked,
    KeyRoleNotAllowed,
    MintedKey,
    PartyNotSimulated,
    TooManyKeys,
    WantedKey,
    checked_scopes,
    digest_of,
    looks_like_a_secret,
    new_secret,
    shown_prefix,
)

_PRESENT = (
    "SELECT client_id, organisation_id, organisation_kind, scopes, role, is_sandbox"
    " FROM partners.present_key($1, $2, $3, $4)"
)


async def mint_key(
    session: AsyncSession,
    viewer: Viewer,
    *,
    organisation_id: UUID,
    name: str,
    scopes: Sequence[str],
    role: Role = Role.OFFICER,
    now: datetime,
) -> MintedKey:
    """Make a key for an organisation: its own administrator does, or the operator's.

    The secret leaves this function once and is not stored. With SANDBOX=1 it begins ``xyd_test_``, else ``xyd_live_``.

    Raises
    ------
    NotAllowed
        A machine client asked: keys do not make keys.
    TooManyKeys
        MAX_KEYS are active.
    PartyNotSimulated
        The platform is a sandbox and the organisation is real.
    KeyRoleNotAllowed
        Another role than officer, or approver in a sandbox.
    """
    _requires_a_person(viewer)
    requires_administrator(viewer, organisation_id)
    organisation = await parties.party(session, organisation_id)
    wanted = WantedKey(organisation_id, name, role, checked_scopes(scopes))
    row, secret = _new_key(wanted, organisation, created_by=viewer.principal_id, now=now)
    async with platform_scope(session):
        await lock_key(session, f"partners.keys:{organisation_id}")
        active = select(func.count()).where(
            col(ApiClient.organisation_id) == organisation_id, col(ApiClient.revoked_at).is_(None)
        )
        if (await session.execute(active)).scalar_one() >= MAX_KEYS:
            raise TooManyKeys(most=MAX_KEYS)
        session.add(row)
    await _write_down(session, viewer, "partners.key_minted", row, now=now)
    return MintedKey(view_of(row), secret)


async def mint_sandbox_keys(
    session: AsyncSession, viewer: Viewer, wanted: Sequence[WantedKey], *, now: datetime
) -> list[str]:
    """Make keys for many simulated parties at once, and return their secrets in the same order.

    For seeding a sandbox: one insert and an audit row a thousand parties. An administrator of the operator's does.

    Raises
    ------
    NotAllowed
        Nobody of the operator's, or the platform is no sandbox.
    PartyNotSimulated, KeyRoleNotAllowed
    """
    _requires_a_person(viewer)
    requires_kind(viewer, OrganisationKind.OPERATOR)
    requires_role(viewer, Role.ADMIN)
    if not settings().sandbox:
        raise NotAllowed
    if len(wanted) > MAX_BATCH:
        raise ValueRefused(field="wanted", why=f"at most {MAX_BATCH}")
    found = await parties.parties_by_id(session, {one.organisation_id for one in wanted})
    made = []
    for one in wanted:
        organisation = found.get(PartyId(one.organisation_id))
        if organisation is None:
            raise NotFound
        made.append(_new_key(one, organisation, created_by=viewer.principal_id, now=now))
    subjects = sorted({one.organisation_id for one in wanted})
    async with platform_scope(session):
        if made:
            await session.execute(insert(ApiClient), [row.model_dump() for row, _secret in made])
        for start in range(0, len(subjects), MAX_SUBJECTS):
            await audit.write_down(
                session,
                viewer,
                action="partners.sandbox_keys_minted",
                subject_ids=subjects[start : start + MAX_SUBJECTS],
                object_kind="api_client",
                object_id="sandbox",
                now=now,
            )
    return [secret for _row, secret in made]


def _new_key(wanted: WantedKey, organisation: PartyView, *, created_by: UUID, now: datetime) -> tuple[ApiClient, str]:
    """Return the row of a new key and its secret."""
    is_sandbox = settings().sandbox
    if is_sandbox and not organisation.is_simulated:
        raise PartyNotSimulated
    if wanted.role not in CLIENT_ROLES or (wanted.role is Role.APPROVER and not is_sandbox):
        raise KeyRoleNotAllowed
    secret = new_secret(is_sandbox=is_sandbox)
    row = ApiClient(
        organisation_id=wanted.organisation_id,
        organisation_kind=organisation.kind,
        name=checked_name(wanted.name),
        secret_digest=digest_of(secret),
        prefix=shown_prefix(secret),
        scopes=[scope.value for scope in wanted.scopes],
        is_sandbox=is_sandbox,
        role=wanted.role.value,
        created_by=created_by,
        created_at=now,
    )
    return row, secret


async def authenticate(connection: asyncpg.Connection, presented: str) -> Viewer | None:
    """Return the client whose secret this is, as a viewer; None when there is none or it is revoked.

    Asked for every request of a machine, so by the driver alone. Needs no scope. A test key counts only with SANDBOX=1
    and for a simulated party, which the database checks. The look-up is by digest in an index, so its time tells
    nothing of the secret: who could choose digests could choose secrets.
    """
    if not looks_like_a_secret(presented) or (presented.startswith(SANDBOX) and not settings().sandbox):
        return None
    row = await connection.fetchrow(_PRESENT, digest_of(presented), wall_now(), COARSE, settings().sandbox)
    if row is None:
        return None
    return Viewer(
        principal_id=row["client_id"],
        principal_kind=PrincipalKind.CLIENT,
        organisation_id=row["organisation_id"],
        organisation_kind=OrganisationKind(row["organisation_kind"]),
        roles=frozenset({Role(row["role"])}),
        scopes=frozenset(row["scopes"]),
        is_simulated=row["is_sandbox"],
    )


async def revoke_key(session: AsyncSession, viewer: Viewer, client_id: UUID, *, now: datetime) -> None:
    """Revoke a key for good; the next request that presents it is refused.

    Raises
    ------
    NotFound
        No such key in an organisation that the viewer administers.
    KeyRevoked
        It was revoked before.
    """
    _requires_a_person(viewer)
    async with platform_scope(session):
        row = await session.get(ApiClient, client_id, with_for_update=True)
        if row is None:
            raise NotFound
        requires_administrator(viewer, row.organisation_id)
        if row.revoked_at is not None:
            raise KeyRevoked
        row.revoked_at = now
        session.add(row)
    await _write_down(session, viewer, "partners.key_revoked", row, now=now)


def _requires_a_person(viewer: Viewer) -> None:
    if viewer.principal_kind is PrincipalKind.CLIENT:
        raise NotAllowed


async def _write_down(session: AsyncSession, viewer: Viewer, action: str, row: ApiClient, *, now: datetime) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[row.organisation_id],
        object_kind="api_client",
        object_id=str(row.id),
        now=now,
    )
