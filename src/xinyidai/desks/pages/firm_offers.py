"""Comparing offers, accepting one, declining one."""

from datetime import datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.demands import queries as demands
from xinyidai.desks.pages.firm import BY_FIRM, BY_FIRM_STAFF, BY_FIRM_STAFF_PROVED
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.desks.pages.planning import PlannedRow, planned_rows
from xinyidai.foundation.pages.forms import Form, act_once, answering
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.matching import queries, service
from xinyidai.matching.queries import OfferView
from xinyidai.matching.rules.states import OfferState


@get("/firm/demands/{demand_id:uuid}/offers", guards=[BY_FIRM])
async def compare(
    request: AnyRequest,
    demand_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show the offers side by side, the cheapest first."""
    demand = await demands.demand(session, viewer, demand_id, now=now)
    offers = await queries.offers_for(session, viewer, demand_id)
    issued = [one for one in offers if one.state is OfferState.ISSUED]
    amounts = {one.amount_fen for one in issued}
    return page(
        request,
        "desks/offers.html",
        demand=demand,
        issued=issued,
        others=[one for one in offers if one.state is not OfferState.ISSUED],
        monthly={one.id: _first_payment(one, now=now) for one in offers},
        cheapest=min((one.total_interest_fen for one in issued), default=None),
        largest=max(amounts) if len(amounts) > 1 else None,
        names=await names_of(session, [one.lender_id for one in offers]),
    )


@get("/firm/offers/{offer_id:uuid}", guards=[BY_FIRM])
async def show_offer(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one offer with what it costs in all and when what is due."""
    return page(request, "desks/offer.html", await _offer_context(session, viewer, offer_id, now=now), form=Form())


@post("/firm/offers/{offer_id:uuid}/accept", guards=[BY_FIRM_STAFF_PROVED], status_code=200)
async def accept(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Accept: capacity is reserved and every other offer declined, at once."""
    form = await Form.read(request)
    context = await _offer_context(session, viewer, offer_id, now=now)
    with answering(form, lambda refused: page(request, "desks/offer.html", context, form=refused)):
        form.ticked("agrees", missing=msg("请确认您已阅读报价并同意接受"))
        form.require_sound()

        async def act() -> str:
            accepted = await service.accept(session, viewer, offer_id, now=now)
            flash(request, msg("您已接受报价，银行将在 %(day)s 前放款。", day=accepted.disburse_by.isoformat()))
            return f"/firm/demands/{accepted.demand_id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@post("/firm/offers/{offer_id:uuid}/decline", guards=[BY_FIRM_STAFF], status_code=200)
async def decline(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Say no to an offer; its lender stops seeing the demand."""
    form = await Form.read(request)
    context = await _offer_context(session, viewer, offer_id, now=now)
    with answering(form, lambda refused: page(request, "desks/offer.html", context, form=refused)):

        async def act() -> str:
            declined = await service.decline_offer(session, viewer, offer_id, now=now)
            flash(request, msg("已婉拒该报价，该银行不再查看您的资料。"))
            return f"/firm/demands/{declined.demand_id}/offers"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


async def _offer_context(session: AsyncSession, viewer: Viewer, offer_id: UUID, *, now: datetime) -> dict[str, object]:
    offer = await queries.offer(session, viewer, offer_id)
    return {
        "offer": offer,
        "is_open": offer.state is OfferState.ISSUED and now < offer.valid_until,
        "planned": _planned(offer, now=now),
        "names": await names_of(session, [offer.lender_id]),
    }


def _planned(offer: OfferView, *, now: datetime) -> list[PlannedRow]:
    return planned_rows(offer.repayment_kind, offer.amount_fen, offer.rate_bp, offer.term_months, now=now)


def _first_payment(offer: OfferView, *, now: datetime) -> int:
    _, _, principal_fen, interest_fen = _planned(offer, now=now)[0]
    return principal_fen + interest_fen


ROUTES = (compare, show_offer, accept, decline)
