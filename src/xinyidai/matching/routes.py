"""The doors of matching: what a demand was matched to, a lender's inbox and answers, offers and their acceptance."""

from datetime import datetime
from uuid import UUID

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.foundation.doors import answer_once
from xinyidai.matching import queries, service
from xinyidai.matching.rules.states import DispatchState
from xinyidai.matching.schemas import (
    AcceptedOut,
    AssignIn,
    ChoiceOut,
    ChoicesIn,
    ChoicesOut,
    DeclineIn,
    DispatchOut,
    DispatchPageOut,
    IndicationIn,
    IndicationOut,
    IndicationsOut,
    MatchOut,
    OfferIn,
    OfferOut,
    OffersOut,
)
from xinyidai.matching.service.desk import FIRM_WRITES, LENDER_WRITES
from xinyidai.profiles import model
from xinyidai.profiles.schemas import ProfileOut

FIRMS = (OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
BY_FIRM = requires(*FIRMS, roles=(Role.OWNER, Role.OFFICER), scope=FIRM_WRITES)
BY_FIRM_PROVED = requires(*FIRMS, roles=(Role.OWNER, Role.OFFICER), scope=FIRM_WRITES, fresh=True)
BY_LENDER = requires(OrganisationKind.LENDER, roles=(Role.OFFICER,), scope=LENDER_WRITES)
BY_PARTIES = requires(*FIRMS, OrganisationKind.LENDER, scope="offers:read")


@get(
    "/demands/{demand_id:uuid}/match",
    operation_id="ShowMatch",
    summary="What my demand was matched to",
    description="The eligible products in their order, and every clause that failed on each of the others.",
    guards=[BY_FIRM],
)
async def show_match(
    demand_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> MatchOut:
    """Show the newest matching."""
    return MatchOut.of(await service.show_match(session, viewer, demand_id, now=now))


@post(
    "/demands/{demand_id:uuid}/dispatches",
    operation_id="AssignDemand",
    summary="Send a demand by hand",
    description="An operator sends a demand to a product's lender. Its filter and the firm's consent hold as ever.",
    guards=[requires(OrganisationKind.OPERATOR, roles=(Role.OFFICER, Role.ADMIN))],
)
async def assign_demand(
    demand_id: FromPath[UUID],
    data: JSONBody[AssignIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> DispatchOut:
    """Assign."""
    return DispatchOut.of(await service.assign(session, viewer, demand_id, data.product_id, now=now))


@get(
    "/demands/{demand_id:uuid}/indications",
    operation_id="ListIndications",
    summary="Indications for a demand",
    description="The firm compares the ranges that lenders indicated, the lowest rate first; a lender sees its own.",
    guards=[BY_PARTIES],
)
async def list_indications(
    demand_id: FromPath[UUID], viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> IndicationsOut:
    """List indications."""
    found = await queries.indications_for(session, viewer, demand_id)
    return IndicationsOut(indications=[IndicationOut.of(view) for view in found])


@post(
    "/demands/{demand_id:uuid}/choices",
    operation_id="ChooseLenders",
    summary="Choose lenders",
    description="The firm chooses lenders by their indications and authorises each one's own credit query in writing;"
    " only they may make a binding offer. Revoking the authority (RevokeConsent) stops that. All or none. Needs the"
    " header Idempotency-Key.",
    guards=[BY_FIRM],
)
async def choose_lenders(
    request: Request[object, object, State],
    demand_id: FromPath[UUID],
    data: JSONBody[ChoicesIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[ChoicesOut]:
    """Choose."""

    async def act() -> ChoicesOut:
        chosen = await service.choose_lenders(
            session,
            viewer,
            demand_id,
            indication_ids=data.indication_ids,
            text_digest=bytes.fromhex(data.text_digest),
            now=now,
        )
        return ChoicesOut(choices=[ChoiceOut.of(view) for view in chosen])

    return await answer_once(request, session, viewer.organisation_id, data.model_dump(mode="json"), act)


@get(
    "/demands/{demand_id:uuid}/offers",
    operation_id="ListOffers",
    summary="Offers for a demand",
    description="The firm compares the offers it got, the lowest rate first; a lender sees its own only.",
    guards=[BY_PARTIES],
)
async def list_offers(
    demand_id: FromPath[UUID], viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> OffersOut:
    """List offers."""
    return OffersOut.of(await queries.offers_for(session, viewer, demand_id))


@get(
    "/dispatches",
    operation_id="ListDispatches",
    summary="Demands before my bank",
    description="The lender's inbox, oldest first; `status` keeps to one state.",
    guards=[requires(OrganisationKind.LENDER, scope="offers:read")],
)
async def list_dispatches(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    status: FromQuery[DispatchState | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> DispatchPageOut:
    """List the inbox."""
    states = [] if status is None else [status]
    page = await queries.dispatches_of(session, viewer, states=states, cursor=cursor, limit=limit)
    return DispatchPageOut.of(page)


@get(
    "/dispatches/{dispatch_id:uuid}",
    operation_id="ReadDispatch",
    summary="One dispatch",
    description="A demand before a lender, for that lender and the firm.",
    guards=[BY_PARTIES],
)
async def read_dispatch(
    dispatch_id: FromPath[UUID], viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> DispatchOut:
    """Read a dispatch."""
    return DispatchOut.of(await queries.dispatch(session, viewer, dispatch_id))


@get(
    "/dispatches/{dispatch_id:uuid}/profile",
    operation_id="ShowApplicantProfile",
    summary="The applicant's profile",
    description="The profile of the firm whose demand lies before the lender, while the firm's consent holds.",
    guards=[BY_LENDER],
)
async def show_applicant_profile(
    dispatch_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ProfileOut:
    """Show the applicant's profile."""
    shown = await service.show_applicant(session, viewer, dispatch_id, now=now)
    texts = {text.code: text for text in model.indicator_texts()}
    return ProfileOut.of(shown, texts, {text.code: text for text in model.record_texts()})


@post(
    "/dispatches/{dispatch_id:uuid}/take-up",
    operation_id="TakeUpDispatch",
    summary="Say that it is being looked at",
    description="The lender took the demand up; the answer clock runs on.",
    guards=[BY_LENDER],
    status_code=200,
)
async def take_up_dispatch(
    dispatch_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> DispatchOut:
    """Take up."""
    return DispatchOut.of(await service.take_up(session, viewer, dispatch_id, now=now))


@post(
    "/dispatches/{dispatch_id:uuid}/decline",
    operation_id="DeclineDispatch",
    summary="Decline a demand",
    description="The lender says no, before or after it was chosen, with a reason of the closed list; the next lender"
    " in rank is asked.",
    guards=[BY_LENDER],
    status_code=200,
)
async def decline_dispatch(
    dispatch_id: FromPath[UUID],
    data: JSONBody[DeclineIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> DispatchOut:
    """Decline."""
    return DispatchOut.of(await service.decline(session, viewer, dispatch_id, reason=data.reason, now=now))


@post(
    "/dispatches/{dispatch_id:uuid}/indications",
    operation_id="Indicate",
    summary="Indicate a range",
    description="Answer a demand, from platform data alone and binding nobody, with a range within product and demand."
    " Once for a dispatch; one officer suffices.",
    guards=[BY_LENDER],
)
async def indicate(
    dispatch_id: FromPath[UUID],
    data: JSONBody[IndicationIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> IndicationOut:
    """Indicate."""
    return IndicationOut.of(await service.indicate(session, viewer, dispatch_id, terms=data.terms(), now=now))


@post(
    "/dispatches/{dispatch_id:uuid}/offers",
    operation_id="MakeOffer",
    summary="Make a binding offer",
    description="A lender that the firm chose proposes terms within the product and the demand, while its authority is"
    " in force; a second person of the lender approves them.",
    guards=[BY_LENDER],
)
async def make_offer(
    dispatch_id: FromPath[UUID],
    data: JSONBody[OfferIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> OfferOut:
    """Make an offer."""
    made = await service.make_offer(
        session,
        viewer,
        dispatch_id,
        amount_fen=data.amount_fen,
        rate_bp=data.rate_bp,
        term_months=data.term_months,
        repayment_kind=data.repayment_kind,
        valid_until=data.valid_until,
        now=now,
    )
    return OfferOut.of(made)


@get(
    "/offers/{offer_id:uuid}",
    operation_id="ReadOffer",
    summary="One offer",
    description="For the lender that made it and, once approved, the firm.",
    guards=[BY_PARTIES],
)
async def read_offer(
    offer_id: FromPath[UUID], viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> OfferOut:
    """Read an offer."""
    return OfferOut.of(await queries.offer(session, viewer, offer_id))


@post(
    "/offers/{offer_id:uuid}/approve",
    operation_id="ApproveOffer",
    summary="Approve an offer",
    description="A second person of the lender issues a proposed offer; the firm sees it from now on.",
    guards=[requires(OrganisationKind.LENDER, roles=(Role.APPROVER,), fresh=True)],
    status_code=200,
)
async def approve_offer(
    offer_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> OfferOut:
    """Approve."""
    return OfferOut.of(await service.approve_offer(session, viewer, offer_id, now=now))


@post(
    "/offers/{offer_id:uuid}/withdraw",
    operation_id="WithdrawOffer",
    summary="Withdraw an offer",
    description="The lender takes an offer back before it is accepted.",
    guards=[BY_LENDER],
    status_code=200,
)
async def withdraw_offer(
    offer_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> OfferOut:
    """Withdraw."""
    return OfferOut.of(await service.withdraw_offer(session, viewer, offer_id, now=now))


@post(
    "/offers/{offer_id:uuid}/decline",
    operation_id="DeclineOffer",
    summary="Decline an offer",
    description="The firm says no to an offer; its lender no longer sees the demand.",
    guards=[BY_FIRM],
    status_code=200,
)
async def decline_offer(
    offer_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> OfferOut:
    """Decline an offer."""
    return OfferOut.of(await service.decline_offer(session, viewer, offer_id, now=now))


@post(
    "/offers/{offer_id:uuid}/accept",
    operation_id="AcceptOffer",
    summary="Accept an offer",
    description="The firm accepts one offer of a demand: capacity is reserved and every other offer declined, at once."
    " Needs the header Idempotency-Key.",
    guards=[BY_FIRM_PROVED],
)
async def accept_offer(
    request: Request[object, object, State],
    offer_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[AcceptedOut]:
    """Accept."""

    async def act() -> AcceptedOut:
        return AcceptedOut.of(await service.accept(session, viewer, offer_id, now=now))

    return await answer_once(request, session, viewer.organisation_id, None, act)


router = Router(
    path="/",
    route_handlers=[
        show_match,
        assign_demand,
        list_indications,
        choose_lenders,
        list_offers,
        list_dispatches,
        read_dispatch,
        show_applicant_profile,
        take_up_dispatch,
        decline_dispatch,
        indicate,
        make_offer,
        read_offer,
        approve_offer,
        withdraw_offer,
        decline_offer,
        accept_offer,
    ],
    tags=["matching"],
)
