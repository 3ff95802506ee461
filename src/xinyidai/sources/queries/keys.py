"""Reading providers' keys."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.access.service import platform_scope
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, before_id, limit_of, page_of
from xinyidai.sources.models.derived import ProviderKey
from xinyidai.sources.rules.keys import KeyView, ProviderKeyUnknown


async def keys(session: AsyncSession, viewer: Viewer, *, cursor: str | None = None, limit: int = 50) -> Page[KeyView]:
    """Return the keys of the viewer's organisation, newest first; to the operator those of every provider."""
    size = limit_of(limit)
    statement = (
        select(ProviderKey)
        .where(col(ProviderKey.id) < before_id(cursor))
        .order_by(col(ProviderKey.id).desc())
        .limit(size + 1)
    )
    if viewer.is_one_of(OrganisationKind.OPERATOR):
        async with platform_scope(session):
            rows = (await session.execute(statement)).scalars().all()
    else:
        statement = statement.where(col(ProviderKey.provider_id) == viewer.organisation_id)
        rows = (await session.execute(statement)).scalars().all()
    return page_of([key_view(row) for row in rows], limit=size, id_of=lambda one: one.id)


async def key(session: AsyncSession, viewer: Viewer, key_id: UUID) -> KeyView:
    """Return one key to the operator.

    Raises
    ------
    NotAllowed, NotFound
    """
    requires_kind(viewer, OrganisationKind.OPERATOR)
    async with platform_scope(session):
        row = await session.get(ProviderKey, key_id)
    if row is None:
        raise NotFound
    return key_view(row)


async def key_of(session: AsyncSession, provider_id: UUID, key_id: UUID) -> KeyView:
    """Return a provider's key, whatever its state; needs a scope that may see it.

    Raises
    ------
    ProviderKeyUnknown
        There is none, or it is another provider's.
    """
    statement = select(ProviderKey).where(col(ProviderKey.id) == key_id, col(ProviderKey.provider_id) == provider_id)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        raise ProviderKeyUnknown
    return key_view(row)


def key_view(row: ProviderKey) -> KeyView:
    """Return a key's row as a value."""
    return KeyView(
        id=row.id,
        provider_id=row.provider_id,
        public_key=row.public_key,
        valid_from_at=row.valid_from_at,
        valid_until=row.valid_until,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        retired_by=row.retired_by,
        retired_at=row.retired_at,
    )
