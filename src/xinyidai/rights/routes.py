"""The doors of a firm's rights over its data: what is held, asking, fetching what was asked for."""

from datetime import datetime
from typing import Final
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import Role, Viewer
from xinyidai.rights import queries, service
from xinyidai.rights.schemas import HoldingOut, HoldingsOut, RightRequestIn, RightRequestOut, RightRequestPageOut
from xinyidai.rights.service.asking import FIRMS

BY_FIRM: Final = requires(*FIRMS)
BY_OWNER: Final = requires(*FIRMS, roles=(Role.OWNER,))
BY_OWNER_PROVED: Final = requires(*FIRMS, roles=(Role.OWNER,), fresh=True)
ZIP: Final = "application/zip"


@get(
    "/holdings",
    operation_id="ShowHoldings",
    summary="What is held of my firm",
    description="How many facts of each item, and why each stays: a consent in force, its being open by law, a running"
    " loan, an open dispute. What has no reason goes when the firm asks for deletion. Counts, no fact.",
    guards=[BY_FIRM],
)
async def show_holdings(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> HoldingsOut:
    """Show."""
    found = await service.show_holdings(session, viewer, now=now)
    return HoldingsOut(holdings=[HoldingOut.of(one) for one in found])


@post(
    "/requests",
    operation_id="AskRight",
    summary="Ask for an export or a deletion",
    description="An export holds everything that is held of the firm, as CSV and JSON in a ZIP, for seven days. A"
    " deletion takes what nothing lawful holds, at once, and lists what stays, why and until when.",
    guards=[BY_OWNER_PROVED],
)
async def ask_right(
    data: JSONBody[RightRequestIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> RightRequestOut:
    """Ask."""
    return RightRequestOut.of(await service.ask(session, viewer, data.kind, now=now))


@get(
    "/requests",
    operation_id="ListRightRequests",
    summary="What my firm asked for",
    description="Exports and deletions, newest first.",
    guards=[BY_FIRM],
)
async def list_right_requests(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> RightRequestPageOut:
    """List."""
    return RightRequestPageOut.of(await service.list_requests(session, viewer, cursor=cursor, limit=limit))


@get(
    "/requests/{request_id:uuid}",
    operation_id="ShowRightRequest",
    summary="One request",
    description="To the firm that asked; to anybody else it is not there.",
    guards=[BY_FIRM],
)
async def show_right_request(
    request_id: FromPath[UUID], viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> RightRequestOut:
    """Show."""
    return RightRequestOut.of(await queries.request(session, viewer, request_id))


@get(
    "/requests/{request_id:uuid}/archive",
    operation_id="FetchArchive",
    summary="The archive of an export",
    description="To an owner of the firm alone, until the link ends; each fetch leaves an audit row.",
    guards=[BY_OWNER],
    media_type=ZIP,
)
async def fetch_archive(
    request_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Fetch."""
    return as_archive(await service.fetch(session, viewer, request_id, now=now), request_id)


def as_archive(packed: bytes, request_id: UUID) -> Response[bytes]:
    """Return an archive as a file to save."""
    return Response(
        packed,
        media_type=ZIP,
        headers={
            "Content-Disposition": f'attachment; filename="export-{request_id}.zip"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
    )


router = Router(
    path="/rights",
    route_handlers=[show_holdings, ask_right, list_right_requests, show_right_request, fetch_archive],
    tags=["rights"],
)
