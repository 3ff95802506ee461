"""The firm's data: authorising the tax bureau to hand it on, coming back from there, and watching it arrive."""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.response import ServerSentEvent
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Role, Viewer
from xinyidai.access.service import act_as
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import Purpose
from xinyidai.desks.pages.firm import BY_FIRM, BY_FIRM_STAFF
from xinyidai.desks.pages.names import AnyRequest
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.pages.forms import Form, answering
from xinyidai.foundation.pages.rendering import PAGE_HEADERS, environment, flash, page, see
from xinyidai.foundation.pages.streams import stream
from xinyidai.foundation.pages.words import Message, language_of, msg
from xinyidai.foundation.settings import Settings
from xinyidai.parties import queries as parties
from xinyidai.parties.routes.session_ids import token_of
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.profiles import service as profiles
from xinyidai.sources import queries as sources
from xinyidai.sources.rules import ITEM
from xinyidai.sources.rules.pulls import OPEN_STATES, PullView
from xinyidai.sources.service.pulling import ask_pull

RETURN_PATH: Final = "/firm/data/return"
SCOPE: Final = "vat_invoices"
STATE_LASTS: Final = timedelta(minutes=15)
"""From leaving for the bureau to coming back; its own code is good for ten minutes."""


@get("/firm/data", guards=[BY_FIRM])
async def data(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show which data of the firm has arrived, what is being fetched, and the way to authorise the bureau."""
    return page(request, "desks/data.html", await _context(request, session, viewer, now=now))


@get("/firm/data/authorise", guards=[BY_FIRM_STAFF])
async def leave_for_the_bureau(
    request: AnyRequest, viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> Response[bytes]:
    """Send a person to the bureau's consent page. By a link: after a form the policy would forbid another site."""
    settings: Settings = request.app.state.settings
    if not _is_connected(settings):
        return see("/firm/data")
    firm = await parties.party(session, viewer.organisation_id)
    asked = {
        "client_id": settings.tax_client_id or "",
        "credit_code": firm.credit_code or "",
        "redirect_uri": _own_address(request),
        "state": _state(request, viewer, int((wall_now() + STATE_LASTS).timestamp())),
        "scope": SCOPE,
    }
    address = f"{(settings.city_url or '').rstrip('/')}/tax/authorize?{urlencode(asked)}"
    return Response(b"", status_code=303, headers=PAGE_HEADERS | {"Location": address})


@get(RETURN_PATH, guards=[BY_FIRM_STAFF])
async def come_back(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Take the bureau's answer and let the data be fetched. The same code again asks for nothing more."""
    form, query = Form(), request.query_params
    context = await _context(request, session, viewer, now=now)
    with answering(form, lambda refused: page(request, "desks/data.html", context, form=refused)):
        fault = _fault_of(request, viewer, str(query.get("state", "")), str(query.get("error", "")))
        if fault is not None:
            form.fault(None, fault)
        form.require_sound()
        await ask_pull(session, viewer, str(query.get("code", "")), now=now)
    flash(request, msg("税务部门已同意，正在获取发票数据。"))
    return see("/firm/data")


@get("/firm/data/pull", guards=[BY_FIRM])
async def pull_now(
    request: AnyRequest, viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> Response[bytes]:
    """Return how far the fetching is: for browsers without a stream."""
    return page(request, "desks/pull.html", pull=await sources.latest_pull(session, viewer))


@get("/firm/data/pull/stream", guards=[BY_FIRM])
async def pull_stream(request: AnyRequest, viewer: NamedDependency[Viewer]) -> ServerSentEvent:
    """Send how far the fetching is, until it has ended."""
    state = request.app.state
    template = environment(language_of(request)).get_template("desks/pull.html")
    seen: list[PullView | None] = [None]

    async def look() -> str:
        async with in_transaction(state.sessions) as session:
            await act_as(session, viewer, now=state.clock.now())
            seen[0] = await sources.latest_pull(session, viewer)
        return template.render(pull=seen[0])

    return stream(look, event="pull", every_seconds=1, is_last=lambda: not _is_open(seen[0]))


async def _context(request: AnyRequest, session: AsyncSession, viewer: Viewer, *, now: datetime) -> dict[str, object]:
    profile = await profiles.own_profile(session, viewer, now=now)
    allowed = await consents.receivers_allowed(
        session,
        viewer.organisation_id,
        purpose=Purpose.PRE_LOAN,
        item_codes=[ITEM],
        receiver_ids=[PLATFORM_ID],
        now=now,
    )
    pull = await sources.latest_pull(session, viewer)
    return {
        "lineage": profile.lineage,
        "pull": pull,
        "is_under_way": _is_open(pull),
        "is_connected": _is_connected(request.app.state.settings),
        "has_consent": PLATFORM_ID in allowed,
        "may_authorise": bool(viewer.roles & {Role.OWNER, Role.OFFICER}),
    }


def _is_open(pull: PullView | None) -> bool:
    return pull is not None and pull.state in OPEN_STATES


def _is_connected(settings: Settings) -> bool:
    return settings.city_url is not None and settings.tax_client_id is not None


def _own_address(request: AnyRequest) -> str:
    return str(request.base_url).rstrip("/") + RETURN_PATH


def _state(request: AnyRequest, viewer: Viewer, expires: int) -> str:
    """Return what only this session, acting for this firm, can bring back: nobody else's consent is slipped in."""
    settings: Settings = request.app.state.settings
    bound = f"{token_of(request)}:{viewer.organisation_id}:{expires}"  # type: ignore[arg-type]
    mark = hmac.new(settings.secret("tax consent state"), bound.encode(), hashlib.sha256).hexdigest()
    return f"{expires}.{mark}"


def _fault_of(request: AnyRequest, viewer: Viewer, state: str, error: str) -> Message | None:
    """Return why the way back does not hold, or the bureau's no; None where its code may be used."""
    head = state.partition(".")[0]
    is_number = head.isascii() and head.isdigit() and len(head) <= 12
    if not is_number or not hmac.compare_digest(state.encode(), _state(request, viewer, int(head)).encode()):
        return msg("这次授权不是由您当前的登录发起的，未获取任何数据。请重新前往税务部门授权。")
    if int(head) <= wall_now().timestamp():
        return msg("授权超过 15 分钟未完成，已失效，未获取任何数据。请重新前往税务部门授权。")
    if error == "access_denied":
        return msg("您在税务部门选择了拒绝，未获取任何数据。需要时可以再次授权。")
    if error:
        return msg("税务部门没有完成授权，未获取任何数据。请稍后再试。")
    return None


ROUTES = (data, leave_for_the_bureau, come_back, pull_now, pull_stream)
