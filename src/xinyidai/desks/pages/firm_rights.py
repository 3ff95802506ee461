"""The firm's rights over its data: what is held and why, taking all of it along, asking that it be deleted."""

from datetime import datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.catalogue import queries as catalogue
from xinyidai.desks.pages.firm import BY_FIRM, BY_OWNER
from xinyidai.desks.pages.names import AnyRequest
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.forms import Form, press
from xinyidai.foundation.pages.rendering import page
from xinyidai.foundation.pages.words import msg
from xinyidai.rights import service
from xinyidai.rights.routes import as_archive
from xinyidai.rights.rules import RequestKind

SHOWN = 20
PATH = "/firm/rights"


@get(PATH, guards=[BY_FIRM])
async def show_rights(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show what is held of the firm, why it would stay, and what the firm asked for."""
    return page(request, "desks/rights.html", await _context(session, viewer, now=now), form=Form())


@post("/firm/rights/export", guards=[BY_OWNER], status_code=200)
async def ask_export(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask for an export."""
    context = await _context(session, viewer, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/rights.html", context, form=form),
        lambda: service.ask(session, viewer, RequestKind.EXPORT, now=now),
        by=viewer.organisation_id,
        said=msg("已开始生成导出文件，完成后可在本页下载。"),
        to=PATH,
    )


@post("/firm/rights/deletion", guards=[BY_OWNER], status_code=200)
async def ask_deletion(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask that what nothing holds be deleted."""
    context = await _context(session, viewer, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/rights.html", context, form=form),
        lambda: service.ask(session, viewer, RequestKind.DELETION, now=now),
        by=viewer.organisation_id,
        said=msg("已受理删除请求，结果会显示在本页。"),
        to=PATH,
        must_tick=("sure", msg("请确认您了解删除不能恢复")),
    )


@get("/firm/rights/{request_id:uuid}/archive", guards=[BY_OWNER])
async def fetch_archive(
    request_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Hand the archive to the firm's owner."""
    return as_archive(await service.fetch(session, viewer, request_id, now=now), request_id)


async def _context(session: AsyncSession, viewer: Viewer, *, now: datetime) -> dict[str, object]:
    return {
        "holdings": await service.show_holdings(session, viewer, now=now),
        "asked": (await service.list_requests(session, viewer, limit=SHOWN)).rows,
        "items": {one.code: one for one in await catalogue.items(session, business_date(now))},
        "now": now,
    }


ROUTES = (show_rights, ask_export, ask_deletion, fetch_archive)
