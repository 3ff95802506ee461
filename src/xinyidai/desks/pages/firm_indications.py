"""Comparing what banks indicated, and choosing those that may query the credit register and make a binding offer."""

from datetime import datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.consents.rules import Purpose
from xinyidai.consents.texts import text_on
from xinyidai.demands import queries as demands
from xinyidai.desks.pages.firm import BY_FIRM, BY_OWNER, digest_in
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.forms import Form, act_once, answering
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.matching import queries, service
from xinyidai.matching.rules.states import UNDER_AUTHORITY, DispatchState, OfferState


@get("/firm/demands/{demand_id:uuid}/indications", guards=[BY_FIRM])
async def compare_indications(
    request: AnyRequest,
    demand_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show the ranges side by side, the lowest rate first."""
    return page(request, "desks/indications.html", await _context(session, viewer, demand_id, now=now), form=Form())


@post("/firm/demands/{demand_id:uuid}/indications", guards=[BY_OWNER], status_code=200)
async def choose(
    request: AnyRequest,
    demand_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Choose banks and authorise each one's credit query in writing, all or none."""
    form = await Form.read(request)
    found = await queries.indications_for(session, viewer, demand_id)
    context = await _context(session, viewer, demand_id, now=now)
    limits = await queries.limits_on(session, business_date(now))
    with answering(form, lambda refused: page(request, "desks/indications.html", context, form=refused)):
        chosen = form.ids(
            "chosen", missing=msg("请选择至少一家银行"), among=[one.id for one in found], most=limits.lenders_chosen
        )
        form.ticked("agrees", missing=msg("请阅读征信查询授权书并勾选同意"))
        form.require_sound()

        async def act() -> str:
            await service.choose_lenders(
                session, viewer, demand_id, indication_ids=chosen, text_digest=digest_in(form.first("digest")), now=now
            )
            flash(request, msg("已选择 %(count)s 家银行。它们查询征信后会给出正式报价。", count=len(chosen)))
            return f"/firm/demands/{demand_id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


async def _context(session: AsyncSession, viewer: Viewer, demand_id: UUID, *, now: datetime) -> dict[str, object]:
    demand = await demands.demand(session, viewer, demand_id, now=now)
    found = await queries.indications_for(session, viewer, demand_id)
    text = text_on(business_date(now))
    limits = await queries.limits_on(session, business_date(now))
    under_way = [one for one in found if one.state in UNDER_AUTHORITY]
    owed = [one.due_on for one in await queries.dispatches_for(session, demand.id) if one.state is DispatchState.CHOSEN]
    offers = await queries.offers_for(session, viewer, demand_id)
    return {
        "demand": demand,
        "to_choose": [one for one in found if one.state is DispatchState.INDICATED and now < one.terms.valid_until],
        "under_way": under_way,
        "answer_by": max(owed, default=None),
        "has_offers": any(one.state is OfferState.ISSUED for one in offers),
        "text": text,
        "digest": text.digest(Purpose.CREDIT_QUERY).hex(),
        "may_choose": max(0, limits.lenders_chosen - len(under_way)),
        "names": await names_of(session, [one.lender_id for one in found]),
    }


ROUTES = (compare_indications, choose)
