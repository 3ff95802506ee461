"""The start page: what this is, and in a sandbox who one may be, how far seeding is, and what happens meanwhile."""

from datetime import datetime
from itertools import groupby
from pathlib import Path

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import ServerSentEvent
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.desks import queries
from xinyidai.desks.navigation import home_of
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.money import MAX_FEN
from xinyidai.foundation.pages.figures import capital_amount, fen_of
from xinyidai.foundation.pages.rendering import environment, own_path, page, see
from xinyidai.foundation.pages.streams import stream
from xinyidai.foundation.pages.words import LANGUAGE_COOKIE, Language, language_of
from xinyidai.foundation.progress import Preparation, read_progress
from xinyidai.foundation.settings import Settings
from xinyidai.parties import service as parties

AnyRequest = Request[object, object, State]
ANYBODY = {"public": True}
COOKIE_SECONDS = 365 * 24 * 3600


@get("/", opt=ANYBODY)
async def start(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    live: FromQuery[str] = "on",
) -> Response[bytes]:
    """Say what this is; a signed-in person goes to the desk by the brand's link."""
    settings: Settings = request.app.state.settings
    people = await parties.simulated_people(session) if settings.sandbox else []
    return page(
        request,
        "start/page.html",
        desks=[(kind, list(members)) for kind, members in groupby(people, key=lambda one: one.party_kind)],
        is_live=live != "off",
        items=await queries.feed(session, now=now) if settings.sandbox else [],
        progress=read_progress(settings.xinyidai_home) if settings.sandbox else None,
    )


@get("/language/{language:str}", opt=ANYBODY)
async def choose_language(request: AnyRequest, language: FromPath[str], back: FromQuery[str] = "/") -> Response[bytes]:
    """Keep the language in a cookie and go back."""
    if language not in set(Language):
        raise NotFound
    response = see(own_path(back))
    settings: Settings = request.app.state.settings
    response.set_cookie(
        LANGUAGE_COOKIE, language, max_age=COOKIE_SECONDS, samesite="lax", secure=not settings.sandbox, httponly=True
    )
    return response


@get("/reading/amount", opt=ANYBODY)
async def read_amount(request: AnyRequest, field: FromQuery[str] = "amount") -> Response[bytes]:
    """Read an amount back as it is typed: in yuan, and as contracts write it."""
    typed, unit = request.query_params.get(field, ""), request.query_params.get(f"{field}_unit", "wan")
    fen = fen_of(typed, unit)
    if fen is None or not 0 < fen < MAX_FEN:
        return page(request, "start/reading.html", fen=None, capital="")
    return page(request, "start/reading.html", fen=fen, capital=capital_amount(fen))


@get("/desk", guards=[requires()])
async def desk(request: AnyRequest, viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Lead to the desk of the organisation acted for, or say that it has no pages yet."""
    home = home_of(viewer.organisation_kind)
    return see(home) if home != request.url.path else page(request, "start/no_desk.html")


@get("/live/feed", opt=ANYBODY)
async def feed(
    request: AnyRequest, session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> Response[bytes]:
    """Return the feed as it stands: for browsers without a stream."""
    return page(request, "start/feed.html", items=await queries.feed(session, now=now))


@get("/live/feed/stream", opt=ANYBODY)
async def feed_stream(request: AnyRequest) -> ServerSentEvent:
    """Send the feed whenever something happened."""
    state, language = request.app.state, language_of(request)
    template = environment(language).get_template("start/feed.html")

    async def look() -> str:
        now = state.clock.now()
        async with in_transaction(state.sessions) as session:
            await act_as_platform(session, now=now)
            return template.render(items=await queries.feed(session, now=now))

    return stream(look, event="feed", every_seconds=3, is_last=lambda: False)


@get("/live/progress", opt=ANYBODY)
async def progress(request: AnyRequest) -> Response[bytes]:
    """Return how far the seeding is."""
    return page(request, "start/progress.html", progress=read_progress(request.app.state.settings.xinyidai_home))


@get("/live/progress/stream", opt=ANYBODY)
async def progress_stream(request: AnyRequest) -> ServerSentEvent:
    """Send how far the seeding is, until it is over."""
    home: Path = request.app.state.settings.xinyidai_home
    template = environment(language_of(request)).get_template("start/progress.html")
    seen: list[Preparation | None] = [None]

    async def look() -> str:
        seen[0] = read_progress(home)
        return template.render(progress=seen[0])

    def is_over() -> bool:
        return seen[0] is None or seen[0].is_over

    return stream(look, event="progress", every_seconds=1, is_last=is_over)


ROUTES = (start, choose_language, read_amount, desk)
SANDBOX_ROUTES = (feed, feed_stream, progress, progress_stream)
"""What a sandbox shows to visitors; elsewhere these addresses do not exist."""
