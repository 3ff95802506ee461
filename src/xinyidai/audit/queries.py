"""Reading the audit trail."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.audit.rules import Look
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, before_id, limit_of, page_of

_LOOKS = text(
    "SELECT id, action, organisation_id, organisation_kind, object_kind, purpose, consent_ids, happened_at"
    " FROM audit.looks_at(:subject_id, :before, :limit)"
)


async def looks_at_subject(
    session: AsyncSession, viewer: Viewer, subject_id: UUID, *, cursor: str | None = None, limit: int = 50
) -> Page[Look]:
    """Return who did what to the viewer's own data, newest first.

    Raises
    ------
    NotFound
        Another's data: whether anyone looked at it is nobody else's to know.
    """
    if viewer.organisation_id != subject_id:
        raise NotFound
    size = limit_of(limit)
    found = await session.execute(_LOOKS, {"subject_id": subject_id, "before": before_id(cursor), "limit": size + 1})
    looks = [
        Look(
            row.id,
            row.action,
            row.organisation_id,
            row.organisation_kind,
            row.object_kind,
            row.purpose,
            tuple(row.consent_ids),
            row.happened_at,
        )
        for row in found
    ]
    return page_of(looks, limit=size, id_of=lambda look: look.id)
