"""Asking for finance in four questions, and what came of it."""

from datetime import datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.demands import queries, service
from xinyidai.demands.queries import DemandView
from xinyidai.demands.rules import ASKING, MAX_TERM_MONTHS, UNFINISHED, DemandPolicy, LoanUse, RepaymentKind
from xinyidai.desks.pages.firm import BY_FIRM, BY_FIRM_STAFF
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.desks.tracking import chosen_and_gone, tracker_of
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.forms import Form, act_once, answering, press
from xinyidai.foundation.pages.rendering import page
from xinyidai.foundation.pages.words import msg
from xinyidai.loans import queries as loans
from xinyidai.matching import queries as matching
from xinyidai.matching import service as matchings
from xinyidai.matching.rules.states import TAKEN, WAITS_FOR_LENDER, DispatchState, OfferState, told_to_firm
from xinyidai.matching.service import MatchShown

EDIT, CONFIRM = "edit", "confirm"


@get("/firm/demands", guards=[BY_FIRM])
async def list_demands(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List the firm's demands."""
    return page(request, "desks/demands.html", found=await queries.demands_of(session, viewer, cursor=cursor, limit=20))


@get("/firm/demands/new", guards=[BY_FIRM_STAFF])
async def new_demand_page(
    request: AnyRequest, session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> Response[bytes]:
    """Ask the four questions."""
    limits = await queries.limits_on(session, business_date(now))
    return _ask(request, Form(), limits)


@post("/firm/demands/new", guards=[BY_FIRM_STAFF], status_code=200)
async def new_demand(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Check the answers, show them, and on confirmation put the demand before the lenders."""
    form = await Form.read(request)
    limits = await queries.limits_on(session, business_date(now))
    if form.first("step") == EDIT:
        return _ask(request, form, limits)
    with answering(form, lambda refused: _ask(request, refused, limits)):
        use = form.choice("use", LoanUse, missing=msg("请选择资金用途"))
        amount_fen = form.fen("amount", missing=msg("请输入融资金额"), least_fen=1, most_fen=limits.max_amount_fen)
        months = form.whole("term_months", missing=msg("请输入期限"), least=1, most=MAX_TERM_MONTHS)
        kind = form.choice("repayment_kind", RepaymentKind, missing=msg("请选择还款方式"))
        wanted_by = form.day("wanted_by", missing=msg("请选择最迟用款日期"), earliest_on=business_date(now))
        form.ticked("is_lawful", missing=msg("请声明用途合法合规"))
        form.require_sound()
        if form.first("step") != CONFIRM:
            return page(
                request,
                "desks/demand_check.html",
                form=form,
                use=use,
                amount_fen=amount_fen,
                months=months,
                kind=kind,
                wanted_by=wanted_by,
            )

        async def act() -> str:
            posted = await service.submit(
                session,
                viewer,
                amount_fen=amount_fen,
                term_months=months,
                use=use,
                repayment_kind=kind,
                wanted_by=wanted_by,
                is_lawful_use_declared=True,
                now=now,
            )
            return f"/firm/demands/{posted.id}/posted"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@get("/firm/demands/{demand_id:uuid}/posted", guards=[BY_FIRM])
async def posted(
    request: AnyRequest,
    demand_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Confirm with a reference, and say what happens next."""
    return page(request, "desks/demand_posted.html", demand=await _own(session, viewer, demand_id, now=now))


@get("/firm/demands/{demand_id:uuid}", guards=[BY_FIRM])
async def show_demand(
    request: AnyRequest,
    demand_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one demand: where it is, who has it, what fits and what does not, and the offers."""
    return page(request, "desks/demand.html", await _demand_context(session, viewer, demand_id, now=now), form=Form())


@post("/firm/demands/{demand_id:uuid}/withdraw", guards=[BY_FIRM_STAFF], status_code=200)
async def withdraw_demand(
    request: AnyRequest,
    demand_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Take a demand back."""
    context = await _demand_context(session, viewer, demand_id, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/demand.html", context, form=form),
        lambda: service.withdraw(session, viewer, demand_id, now=now),
        by=viewer.organisation_id,
        said=msg("需求已撤回，所有银行已停止查看。"),
        to=f"/firm/demands/{demand_id}",
        must_tick=("sure", msg("请确认要撤回这笔需求")),
    )


def _ask(request: AnyRequest, form: Form, limits: DemandPolicy) -> Response[bytes]:
    return page(
        request,
        "desks/demand_new.html",
        form=form,
        limits=limits,
        uses=list(LoanUse),
        kinds=list(RepaymentKind),
        most_months=MAX_TERM_MONTHS,
    )


async def _own(session: AsyncSession, viewer: Viewer, demand_id: UUID, *, now: datetime) -> DemandView:
    found = await queries.demand(session, viewer, demand_id, now=now)
    if found.firm_id != viewer.organisation_id:
        raise NotFound
    return found


async def _match(session: AsyncSession, viewer: Viewer, demand_id: UUID, *, now: datetime) -> MatchShown | None:
    try:
        return await matchings.show_match(session, viewer, demand_id, now=now)
    except NotFound:
        return None


async def _demand_context(
    session: AsyncSession, viewer: Viewer, demand_id: UUID, *, now: datetime
) -> dict[str, object]:
    demand = await _own(session, viewer, demand_id, now=now)
    dispatches = await matching.dispatches_for(session, demand_id)
    offers = await matching.offers_for(session, viewer, demand_id)
    indications = await matching.indications_for(session, viewer, demand_id)
    match = await _match(session, viewer, demand_id, now=now)
    taken = next((one for one in offers if one.state in TAKEN), None)
    loan = await loans.loan_of_offer(session, taken.id) if taken else None
    ranked_by = [_id_in(one) for one in (*match.ranked, *match.refused)] if match else []
    return {
        "demand": demand,
        "issued": [one for one in offers if one.state is OfferState.ISSUED],
        "to_choose": [one for one in indications if one.state is DispatchState.INDICATED],
        "dispatches": [one for one in dispatches if one.state is not DispatchState.QUEUED],
        "gone": chosen_and_gone(demand, dispatches),
        "is_waiting": any(one.state in WAITS_FOR_LENDER for one in dispatches),
        "told": {one.id: told_to_firm(one.decline_reason) for one in dispatches if one.decline_reason},
        "match": match,
        "loan": loan,
        "tracker": tracker_of(demand, dispatches, indications, offers, loan),
        "is_asking": demand.state in ASKING,
        "may_withdraw": demand.state in UNFINISHED,
        "names": await names_of(session, [*(one.lender_id for one in dispatches), *ranked_by]),
    }


def _id_in(told: object) -> UUID:
    assert isinstance(told, dict), "an outcome of matching lists objects"
    return UUID(str(told["lender_id"]))


ROUTES = (list_demands, new_demand_page, new_demand, posted, show_demand, withdraw_demand)
