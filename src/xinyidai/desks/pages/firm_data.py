"""The firm's data: authorising each office to hand it on, coming back from there, and watching it arrive."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import ServerSentEvent
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Role, Viewer
from xinyidai.access.service import act_as
from xinyidai.desks.pages.firm import BY_FIRM, BY_FIRM_STAFF
from xinyidai.desks.pages.names import AnyRequest
from xinyidai.foundation.clock import business_date, wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.pages.forms import Form, answering
from xinyidai.foundation.pages.rendering import PAGE_HEADERS, environment, flash, page, see
from xinyidai.foundation.pages.streams import stream
from xinyidai.foundation.pages.words import Message, language_of, msg
from xinyidai.foundation.settings import Settings
from xinyidai.parties import queries as parties
from xinyidai.parties.routes.session_ids import token_of
from xinyidai.profiles import service as profiles
from xinyidai.sources.queries import day_files, pulled
from xinyidai.sources.rules.pulls import ITEMS_OF, OPEN_STATES, PullSource, PullState, PullView, scope_of
from xinyidai.sources.rules.subscriptions import SubscriptionView
from xinyidai.sources.service import subscribing
from xinyidai.sources.service.connecting import Connection, benefits_connection, connected_sources, connection_to
from xinyidai.sources.service.pull_life import askable
from xinyidai.sources.service.pulling import ask_pull

RETURN_PATH: Final = "/firm/data/return"
PERMISSIONS: Final = {PullSource.TAX: "code"}
"""What an office calls the permission that it sends a person back with, where that is no reference."""
STATE_LASTS: Final = timedelta(minutes=15)
"""From leaving for the bureau to coming back; its own code is good for ten minutes."""


@get("/firm/data", guards=[BY_FIRM])
async def data(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show which data of the firm has arrived, what is being fetched, and the way to authorise each office."""
    return page(request, "desks/data.html", await data_context(request, session, viewer, now=now), form=Form())


@get(["/firm/data/authorise", "/firm/data/authorise/{source:str}"], guards=[BY_FIRM_STAFF])
async def leave_for_the_office(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    source: FromPath[PullSource] = PullSource.TAX,
) -> Response[bytes]:
    """Send a person to an office's consent page. By a link: after a form the policy would forbid another site."""
    settings: Settings = request.app.state.settings
    connection = connection_to(settings, source)
    if connection is None:
        return see("/firm/data")
    return await leave_for(request, session, viewer, connection, source.value, scope_of(source))


@get([RETURN_PATH, RETURN_PATH + "/{source:str}"], guards=[BY_FIRM_STAFF])
async def come_back(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    source: FromPath[PullSource] = PullSource.TAX,
) -> Response[bytes]:
    """Take an office's answer and let the data be fetched. The same permission again asks for nothing more."""
    form, query = Form(), request.query_params
    context = await data_context(request, session, viewer, now=now)
    with answering(form, lambda refused: page(request, "desks/data.html", context, form=refused)):
        fault = fault_of(request, viewer, source)
        if fault is not None:
            form.fault(None, fault)
        form.require_sound()
        permission = str(query.get(PERMISSIONS.get(source, "reference"), ""))
        await ask_pull(session, viewer, permission, source=source, now=now)
    flash(request, msg("对方已同意，正在获取数据。"))
    return see("/firm/data")


@get("/firm/data/pull", guards=[BY_FIRM])
async def pull_now(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Return how far the fetching is: for browsers without a stream."""
    pulls = await pulled.latest_pulls(session, viewer)
    return page(request, "desks/pull.html", pulls=pulls, today=business_date(now))


@get("/firm/data/pull/stream", guards=[BY_FIRM])
async def pull_stream(request: AnyRequest, viewer: NamedDependency[Viewer]) -> ServerSentEvent:
    """Send how far the fetching is, until all of it has ended."""
    state = request.app.state
    template = environment(language_of(request)).get_template("desks/pull.html")
    seen: list[PullView] = []

    async def look() -> str:
        async with in_transaction(state.sessions) as session:
            await act_as(session, viewer, now=state.clock.now())
            seen[:] = await pulled.latest_pulls(session, viewer)
            today = business_date(state.clock.now())
        return template.render(pulls=seen, today=today)

    return stream(look, event="pull", every_seconds=1, is_last=lambda: not any(map(_is_open, seen)))


@dataclass(frozen=True)
class Office:
    """A source as its firm sees it: whether it is being read, was ever, and which items lack the firm's consent."""

    source: PullSource
    items: tuple[str, ...]
    is_under_way: bool
    was_read: bool
    has_consent: bool


@dataclass(frozen=True)
class Daily:
    """The office of the daily files: the items that the firm lets the platform use, its newest place on the list."""

    items: tuple[str, ...]
    place: SubscriptionView | None


async def data_context(
    request: AnyRequest, session: AsyncSession, viewer: Viewer, *, now: datetime
) -> dict[str, object]:
    """Return what the page of the firm's data shows."""
    profile = await profiles.own_profile(session, viewer, now=now)
    pulls = {one.source: one for one in await pulled.latest_pulls(session, viewer)}
    offices = []
    for source in connected_sources(request.app.state.settings):
        allowed = await askable(session, viewer.organisation_id, source, now=now)
        latest = pulls.get(source)
        offices.append(
            Office(
                source,
                tuple(item for item in ITEMS_OF[source] if item not in allowed.refused),
                is_under_way=latest is not None and _is_open(latest),
                was_read=latest is not None and latest.state in (PullState.READY, PullState.PARTLY),
                has_consent=not allowed.missing,
            )
        )
    return {
        "lineage": profile.lineage,
        "pulls": list(pulls.values()),
        "is_under_way": any(map(_is_open, pulls.values())),
        "offices": offices,
        "daily": await _daily(request, session, viewer, now=now),
        "may_authorise": bool(viewer.roles & {Role.OWNER, Role.OFFICER}),
        "today": business_date(now),
    }


async def _daily(request: AnyRequest, session: AsyncSession, viewer: Viewer, *, now: datetime) -> Daily | None:
    if benefits_connection(request.app.state.settings) is None:
        return None
    places = await day_files.subscriptions(session, viewer)
    return Daily(await subscribing.consented_items(session, viewer, now=now), places[0] if places else None)


def _is_open(pull: PullView) -> bool:
    return pull.state in OPEN_STATES


def return_path(office: str) -> str:
    """Return where an office sends a person back to on this platform."""
    return RETURN_PATH if office == PullSource.TAX else f"{RETURN_PATH}/{office}"


async def leave_for(
    request: AnyRequest, session: AsyncSession, viewer: Viewer, connection: Connection, office: str, scope: str
) -> Response[bytes]:
    """Send a person to an office's consent page, with a state that only this session can bring back."""
    firm = await parties.party(session, viewer.organisation_id)
    asked = {
        "client_id": connection.client_id,
        "credit_code": firm.credit_code or "",
        "redirect_uri": str(request.base_url).rstrip("/") + return_path(office),
        "state": _state(request, viewer, office, int((wall_now() + STATE_LASTS).timestamp())),
        "scope": scope,
    }
    address = f"{connection.url.rstrip('/')}/{office}/authorize?{urlencode(asked)}"
    return Response(b"", status_code=303, headers=PAGE_HEADERS | {"Location": address})


def _state(request: AnyRequest, viewer: Viewer, office: str, expires: int) -> str:
    """Return what only this session, acting for this firm, can bring back: nobody else's consent is slipped in."""
    settings: Settings = request.app.state.settings
    bound = f"{token_of(request)}:{viewer.organisation_id}:{office}:{expires}"  # type: ignore[arg-type]
    mark = hmac.new(settings.secret("tax consent state"), bound.encode(), hashlib.sha256).hexdigest()
    return f"{expires}.{mark}"


def fault_of(request: AnyRequest, viewer: Viewer, office: str) -> Message | None:
    """Return why the way back does not hold, or the office's no; None where its permission may be used."""
    state, error = (str(request.query_params.get(name, "")) for name in ("state", "error"))
    head = state.partition(".")[0]
    is_number = head.isascii() and head.isdigit() and len(head) <= 12
    if not is_number or not hmac.compare_digest(state.encode(), _state(request, viewer, office, int(head)).encode()):
        return msg("这次授权不是由您当前的登录发起的，未获取任何数据。请重新前往授权。")
    if int(head) <= wall_now().timestamp():
        return msg("授权超过 15 分钟未完成，已失效，未获取任何数据。请重新前往授权。")
    if error == "access_denied":
        return msg("您选择了拒绝，未获取任何数据。需要时可以再次授权。")
    if error:
        return msg("对方没有完成授权，未获取任何数据。请稍后再试。")
    return None


ROUTES = (data, leave_for_the_office, come_back, pull_now, pull_stream)
