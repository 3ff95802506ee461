"""What a firm does itself: ask, look at what is held and at its requests, fetch an archive."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Role, Viewer, requires_a_person, requires_kind, requires_role
from xinyidai.audit import service as audit
from xinyidai.foundation import outbox
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.paging import Page
from xinyidai.rights import queries
from xinyidai.rights.events import RightAsked
from xinyidai.rights.models import RightRequest
from xinyidai.rights.rules import ArchiveGone, AskedAlready, Holding, RequestKind, RequestState, RequestView
from xinyidai.rights.service.sealing import open_archive

FIRMS = (OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)


async def ask(session: AsyncSession, viewer: Viewer, kind: RequestKind, *, now: datetime) -> RequestView:
    """Write down that the viewer's firm asks for an export, or for deletion; a job carries it out.

    Raises
    ------
    NotAllowed
        No owner of a firm, or a machine.
    AskedAlready
        One of the same kind is being carried out.
    """
    _requires_owner(viewer)
    await lock_key(session, f"rights:{viewer.organisation_id}")
    standing = select(col(RightRequest.id)).where(
        col(RightRequest.firm_id) == viewer.organisation_id,
        col(RightRequest.kind) == kind.value,
        col(RightRequest.state) == RequestState.ASKED.value,
    )
    if (await session.execute(standing)).first() is not None:
        raise AskedAlready
    row = RightRequest(firm_id=viewer.organisation_id, kind=kind.value, asked_by=viewer.principal_id, asked_at=now)
    session.add(row)
    await session.flush()
    await outbox.announce(session, RightAsked(row.id, row.firm_id), occurred_at=now)
    await _write_down(session, viewer, f"rights.{kind.value}_asked", "right_request", str(row.id), now=now)
    return queries.view_of(row)


async def show_holdings(session: AsyncSession, viewer: Viewer, *, now: datetime) -> tuple[Holding, ...]:
    """Show a firm what is held of it, and why each would stay if it asked for deletion now; one audit row."""
    requires_kind(viewer, *FIRMS)
    found = await queries.holdings(session, viewer.organisation_id, now=now)
    await _write_down(session, viewer, "rights.holdings_shown", "holdings", "", now=now)
    return found


async def list_requests(
    session: AsyncSession, viewer: Viewer, *, cursor: str | None = None, limit: int = 50
) -> Page[RequestView]:
    """Return what the viewer's firm asked for, newest first."""
    requires_kind(viewer, *FIRMS)
    return await queries.requests(session, viewer, cursor=cursor, limit=limit)


async def fetch(session: AsyncSession, viewer: Viewer, request_id: UUID, *, now: datetime) -> bytes:
    """Return a firm's archive to its owner while the link lasts; one audit row.

    Raises
    ------
    NotAllowed
        No owner of a firm, or a machine.
    NotFound
        Another firm's.
    ArchiveGone
        Not made yet, or over.
    """
    _requires_owner(viewer)
    row = await queries.own_request(session, viewer, request_id)
    if row.archive_sealed is None or row.expires_at is None or row.expires_at <= now:
        raise ArchiveGone
    plain = open_archive(row.id, row.firm_id, row.archive_sealed)
    await _write_down(session, viewer, "rights.archive_fetched", "right_request", str(row.id), now=now)
    return plain


def _requires_owner(viewer: Viewer) -> None:
    requires_kind(viewer, *FIRMS)
    requires_a_person(viewer)
    requires_role(viewer, Role.OWNER)


async def _write_down(
    session: AsyncSession, viewer: Viewer, action: str, object_kind: str, object_id: str, *, now: datetime
) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[viewer.organisation_id],
        object_kind=object_kind,
        object_id=object_id,
        now=now,
    )
