"""Reads: an organisation's keys, without their secrets."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Role, Viewer, requires_role
from xinyidai.access.service import platform_scope
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of
from xinyidai.partners.models import ApiClient
from xinyidai.partners.rules import KeyView, Scope


async def keys(
    session: AsyncSession, viewer: Viewer, *, organisation_id: UUID, cursor: str | None, limit: int
) -> Page[KeyView]:
    """Return one page of an organisation's keys, revoked ones included, oldest first."""
    requires_administrator(viewer, organisation_id)
    asked = limit_of(limit)
    statement = (
        select(ApiClient)
        .where(col(ApiClient.organisation_id) == organisation_id, col(ApiClient.id) > after_id(cursor))
        .order_by(col(ApiClient.id))
        .limit(asked + 1)
    )
    async with platform_scope(session):
        rows = list((await session.execute(statement)).scalars())
    return page_of([view_of(row) for row in rows], limit=asked, id_of=lambda view: view.id)


def requires_administrator(viewer: Viewer, organisation_id: UUID) -> None:
    """Refuse unless the viewer administers this organisation or is an administrator of the operator's.

    To an administrator of another organisation the keys do not exist.
    """
    requires_role(viewer, Role.ADMIN, Role.OWNER)
    if viewer.organisation_id != organisation_id and not viewer.is_one_of(OrganisationKind.OPERATOR):
        raise NotFound


def view_of(row: ApiClient) -> KeyView:
    """Return a row as its organisation's administrators see it."""
    return KeyView(
        id=row.id,
        organisation_id=row.organisation_id,
        name=row.name,
        prefix=row.prefix,
        scopes=tuple(Scope(scope) for scope in row.scopes),
        is_sandbox=row.is_sandbox,
        role=Role(row.role),
        created_by=row.created_by,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
