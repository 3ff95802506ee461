"""Daily files of social insurance and housing fund: the firm puts itself on the office's list, and takes itself off."""

from datetime import datetime
from typing import Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks.pages.firm import BY_FIRM_STAFF
from xinyidai.desks.pages.firm_data import RETURN_PATH, data_context, fault_of, leave_for
from xinyidai.desks.pages.names import AnyRequest
from xinyidai.foundation.pages.forms import Form, act_once, answering, press
from xinyidai.foundation.pages.rendering import flash, page, see
from xinyidai.foundation.pages.words import msg
from xinyidai.sources.rules.offices.day_files import NAME as BENEFITS
from xinyidai.sources.rules.subscriptions import ITEMS, MAX_REFERENCE
from xinyidai.sources.service import subscribing
from xinyidai.sources.service.connecting import benefits_connection

PATH: Final = "/firm/data/subscription"


@get(f"/firm/data/authorise/{BENEFITS}", guards=[BY_FIRM_STAFF])
async def leave_for_the_benefits_office(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
) -> Response[bytes]:
    """Send a person to the office, where the firm is given its number."""
    connection = benefits_connection(request.app.state.settings)
    if connection is None:
        return see("/firm/data")
    return await leave_for(request, session, viewer, connection, BENEFITS, " ".join(ITEMS))


@get(f"{RETURN_PATH}/{BENEFITS}", guards=[BY_FIRM_STAFF])
async def come_back_with_a_number(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Take the office's number and subscribe. The same number again answers with the same place."""
    form, context = Form(), await data_context(request, session, viewer, now=now)
    with answering(form, lambda refused: page(request, "desks/data.html", context, form=refused)):
        fault = fault_of(request, viewer, BENEFITS)
        if fault is not None:
            form.fault(None, fault)
        form.require_sound()
        await subscribing.subscribe(session, viewer, str(request.query_params.get("reference", "")), now=now)
    flash(request, msg("已登记，每日文件将从下一份名单报送后开始接收。"))
    return see("/firm/data")


@post(PATH, guards=[BY_FIRM_STAFF], status_code=200)
async def subscribe(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Subscribe with a number that the office gave the firm elsewhere, at its counter."""
    form, context = await Form.read(request), await data_context(request, session, viewer, now=now)
    with answering(form, lambda refused: page(request, "desks/data.html", context, form=refused)):
        number = form.text("reference", missing=msg("请输入对方给您的授权号"), most=MAX_REFERENCE)
        form.require_sound()

        async def act() -> str:
            await subscribing.subscribe(session, viewer, number, now=now)
            flash(request, msg("已登记，每日文件将从下一份名单报送后开始接收。"))
            return "/firm/data"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@post(f"{PATH}/end", guards=[BY_FIRM_STAFF], status_code=200)
async def unsubscribe(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Take the firm off the list."""
    context = await data_context(request, session, viewer, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/data.html", context, form=form),
        lambda: subscribing.unsubscribe(session, viewer, now=now),
        by=viewer.organisation_id,
        said=msg("已停止订阅，下一份名单不再包含贵企业。"),
        to="/firm/data",
    )


ROUTES = (leave_for_the_benefits_office, come_back_with_a_number, subscribe, unsubscribe)
