"""Where facts come from: who delivers and who fell silent, what was kept aside and why, and how pulls stand."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.desks.pages.operator import BY_OPERATOR, ROWS
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.rendering import page
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources import queries
from xinyidai.sources.queries import day_files, pulled
from xinyidai.sources.queries.breakers import breakers
from xinyidai.sources.service.connecting import connected_sources

RECENT: Final = timedelta(days=30)


@get("/operator/sources", guards=[BY_OPERATOR])
async def list_sources(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """List the senders, those behind first, whether each source answers, and daily files and pulls of 30 days."""
    senders = await queries.senders(session, viewer, now=now)
    shown = day_files.shown_since(business_date(now))
    return page(
        request,
        "desks/operator_sources.html",
        senders=senders,
        behind=sum(one.is_behind for one in senders),
        breakers=await breakers(session),
        connected=connected_sources(request.app.state.settings),
        lists=await day_files.sent_lists(session, viewer, since=shown),
        files=await day_files.day_files(session, viewer, since=shown),
        pulls=await pulled.pull_counts(session, viewer, since=now - RECENT),
        names=await names_of(session, [one.sender_id for one in senders]),
        platform_id=PLATFORM_ID,
        now=now,
    )


@get("/operator/sources/{sender_id:uuid}", guards=[BY_OPERATOR])
async def show_sender(
    request: AnyRequest,
    sender_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List what one organisation delivered, newest first, with what was kept aside and why."""
    names = await names_of(session, [sender_id])
    if str(sender_id) not in names:
        raise NotFound
    return page(
        request,
        "desks/operator_sender.html",
        found=await queries.deliveries_of_sender(session, viewer, sender_id, cursor=cursor, limit=ROWS),
        name=names[str(sender_id)],
        is_platform=sender_id == PLATFORM_ID,
    )


ROUTES = (list_sources, show_sender)
