"""Providers' signing keys: one person of the operator proposes, another approves, anybody of them retires at once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    Viewer,
    requires_kind,
    requires_role,
    requires_two_people,
)
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.foundation.signatures import is_public_key
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PartyId
from xinyidai.sources.models.derived import ProviderKey
from xinyidai.sources.queries.keys import key_view
from xinyidai.sources.rules.keys import (
    KeyState,
    KeyView,
    ProviderKeyRefused,
    ProviderKeySettled,
    requires_validity,
)

_LOCK = "sources:provider_keys"
PROVIDERS = (OrganisationKind.AGENCY, OrganisationKind.OPERATOR)
"""Who may be a provider: the same that may deliver records."""


async def propose_key(
    session: AsyncSession,
    viewer: Viewer,
    *,
    provider_id: UUID,
    public_key: bytes,
    valid_from_at: datetime,
    valid_until: datetime,
    now: datetime,
) -> KeyView:
    """Propose a provider's Ed25519 key, 32 bytes; what ensures whose it is happens outside, face to face.

    Raises
    ------
    NotAllowed, ProviderKeyRefused
        No officer of the operator, in person; no key, no provider, known already, or valid for no fit time.
    """
    _requires_person_of_operator(viewer, Role.OFFICER)
    requires_validity(valid_from_at, valid_until, now=now)
    if not is_public_key(public_key):
        raise ProviderKeyRefused(why="not 32 bytes of Ed25519")
    async with platform_scope(session):
        provider = (await parties.parties_by_id(session, [provider_id])).get(PartyId(provider_id))
        if provider is None or provider.kind not in PROVIDERS:
            raise ProviderKeyRefused(why="of no provider")
        await lock_key(session, _LOCK)
        known = select(col(ProviderKey.id)).where(col(ProviderKey.public_key) == public_key)
        if (await session.execute(known)).scalar_one_or_none() is not None:
            raise ProviderKeyRefused(why="known already")
        row = ProviderKey(
            provider_id=provider_id,
            public_key=public_key,
            valid_from_at=valid_from_at,
            valid_until=valid_until,
            proposed_by=viewer.principal_id,
            proposed_at=now,
        )
        session.add(row)
        await session.flush()
        await _write_down(session, viewer, "sources.key_proposed", row, now=now)
        return key_view(row)


async def approve_key(session: AsyncSession, viewer: Viewer, key_id: UUID, *, now: datetime) -> KeyView:
    """Approve a proposed key: another person of the operator, with the role approver. Earlier keys stay in force.

    Raises
    ------
    NotFound, SamePersonTwice, ProviderKeySettled
    """
    _requires_person_of_operator(viewer, Role.APPROVER)
    async with platform_scope(session):
        row = await _locked(session, key_id)
        if key_view(row).state is not KeyState.PROPOSED:
            raise ProviderKeySettled
        requires_two_people(row.proposed_by, viewer.principal_id)
        row.approved_by, row.approved_at = viewer.principal_id, now
        await session.flush()
        await _write_down(session, viewer, "sources.key_approved", row, now=now)
        return key_view(row)


async def retire_key(session: AsyncSession, viewer: Viewer, key_id: UUID, *, now: datetime) -> KeyView:
    """Retire a key at once and for good, so that one person suffices; what it signed before stays as it was.

    Raises
    ------
    NotFound, ProviderKeySettled
    """
    _requires_person_of_operator(viewer, Role.OFFICER, Role.APPROVER)
    async with platform_scope(session):
        row = await _locked(session, key_id)
        if key_view(row).state is KeyState.RETIRED:
            raise ProviderKeySettled
        row.retired_by, row.retired_at = viewer.principal_id, now
        await session.flush()
        await _write_down(session, viewer, "sources.key_retired", row, now=now)
        return key_view(row)


async def _locked(session: AsyncSession, key_id: UUID) -> ProviderKey:
    statement = select(ProviderKey).where(col(ProviderKey.id) == key_id).with_for_update()
    row = (await session.execute(statement.execution_options(populate_existing=True))).scalar_one_or_none()
    if row is None:
        raise NotFound
    return row


def _requires_person_of_operator(viewer: Viewer, *roles: Role) -> None:
    requires_kind(viewer, OrganisationKind.OPERATOR)
    requires_role(viewer, *roles)
    if viewer.principal_kind is not PrincipalKind.USER:
        raise NotAllowed


async def _write_down(session: AsyncSession, viewer: Viewer, action: str, row: ProviderKey, *, now: datetime) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[row.provider_id],
        object_kind="provider_key",
        object_id=str(row.id),
        now=now,
    )
