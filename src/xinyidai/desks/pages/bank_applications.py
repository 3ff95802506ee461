"""What lies before a lender: the queues, one application with all that its firm lets it see, taking up, declining."""

from datetime import datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Role, Viewer
from xinyidai.catalogue import queries as catalogue
from xinyidai.demands import coverage
from xinyidai.desks.pages.bank import BY_BANK, BY_OFFICER, QUEUES, ROWS, Queue, demand_shown, who
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.desks.pages.record_groups import RecordGroup, record_groups
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.forms import Form, act_once, answering
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.matching import queries, queues, service
from xinyidai.matching.queries import DispatchView
from xinyidai.matching.rules.states import OPEN_TO_LENDER, SAYABLE, DeclineReason, told_to_firm
from xinyidai.matching.service import Applicant
from xinyidai.objections import queries as objections
from xinyidai.parties import queries as parties
from xinyidai.products import queries as products
from xinyidai.products.queries import ProductView
from xinyidai.products.rules import Clause
from xinyidai.profiles import model
from xinyidai.profiles.rules.readings import in_words_en, in_words_zh
from xinyidai.scoring.rules.scales import BANDS, MOST_POINTS

SIGNS = {"eq": "=", "ne": "≠", "gt": ">", "gte": "≥", "lt": "<", "lte": "≤", "in": "∈", "not_in": "∉"}


@get("/bank/applications", guards=[BY_BANK])
async def list_applications(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    queue: FromQuery[Queue | None] = None,
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List what lies before the lender, one queue or all."""
    states = QUEUES[queue] if queue else ()
    found = await queries.dispatches_of(session, viewer, states=states, cursor=cursor, limit=ROWS)
    lying = await queues.dispatch_counts(session, viewer)
    return page(
        request,
        "desks/bank_applications.html",
        found=found,
        queue=queue,
        counts={one: sum(lying.get(state, 0) for state in states) for one, states in QUEUES.items()},
        demands={one.id: await demand_shown(session, viewer, one, now=now) for one in found.rows},
        names=await names_of(session, [one.firm_id for one in found.rows]),
        today=business_date(now),
    )


@get("/bank/applications/{dispatch_id:uuid}", guards=[BY_BANK])
async def show_application(
    request: AnyRequest,
    dispatch_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one application: what is asked, score and reasons, figures by month, why the filter let it through."""
    dispatch = await own_dispatch(session, viewer, dispatch_id)
    demand = await demand_shown(session, viewer, dispatch, now=now)
    product = await products_of(session, dispatch)
    may_look = demand is not None and Role.OFFICER in viewer.roles
    seen = await service.show_application(session, viewer, dispatch_id, now=now) if may_look else None
    disputed = await objections.disputed_refs(session, [dispatch.firm_id], now) if seen else frozenset()
    covered = await coverage.coverage_for_lender(session, viewer, dispatch.demand_id, now=now) if may_look else []
    firms = await parties.parties_by_id(session, [dispatch.firm_id])
    firm = next(iter(firms.values()), None)
    today = business_date(now)
    regions = {one.code: one for one in await parties.regions_on(session, today)}
    sections = await parties.industries_on(session, today)
    indications = await queries.indications_for(session, viewer, dispatch.demand_id)
    offers = await queries.offers_for(session, viewer, dispatch.demand_id)
    return page(
        request,
        "desks/bank_application.html",
        who(viewer) | _told(seen) | {"groups": await _groups(session, seen, now=now)},
        dispatch=dispatch,
        is_open=dispatch.state in OPEN_TO_LENDER,
        demand=demand,
        firm=firm if demand is not None else None,
        region=regions.get(firm.region_code or "") if firm else None,
        section=next((one for one in sections if firm and one.holds(firm.industry_code or "")), None),
        product=product,
        passed=_passed(product) if product else [],
        indicated=next((one for one in indications if one.dispatch_id == dispatch_id), None),
        offers=[one for one in offers if one.dispatch_id == dispatch_id],
        disputed_count=len(disputed),
        covered=covered,
        items={one.code: one for one in await catalogue.items(session, today)},
        name=firm.name if firm else "—",
        heard=told_to_firm(dispatch.decline_reason) if dispatch.decline_reason else None,
        form=Form(),
        today=today,
    )


@post("/bank/applications/{dispatch_id:uuid}/take-up", guards=[BY_OFFICER], status_code=200)
async def take_up(
    request: AnyRequest,
    dispatch_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Say that it is being looked at."""
    form = await Form.read(request)

    async def act() -> str:
        await service.take_up(session, viewer, dispatch_id, now=now)
        flash(request, msg("已受理，请在到期日前给出意向或婉拒。"))
        return f"/bank/applications/{dispatch_id}"

    return await act_once(request, session, form, act, by=viewer.organisation_id)


@get("/bank/applications/{dispatch_id:uuid}/decline", guards=[BY_OFFICER])
async def decline_page(
    request: AnyRequest,
    dispatch_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
) -> Response[bytes]:
    """Ask for the reason, and say what the firm will hear."""
    return _ask_reason(request, Form(), await _named_dispatch(session, viewer, dispatch_id))


@post("/bank/applications/{dispatch_id:uuid}/decline", guards=[BY_OFFICER], status_code=200)
async def decline(
    request: AnyRequest,
    dispatch_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Say no, with a reason of the closed list."""
    form = await Form.read(request)
    context = await _named_dispatch(session, viewer, dispatch_id)
    with answering(form, lambda refused: _ask_reason(request, refused, context)):
        reason = form.choice("reason", DeclineReason, missing=msg("请选择婉拒原因"))
        form.require_sound()

        async def act() -> str:
            await service.decline(session, viewer, dispatch_id, reason=reason, now=now)
            flash(request, msg("已婉拒，企业会看到原因，平台会询问下一家银行。"))
            return "/bank/applications"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


async def own_dispatch(session: AsyncSession, viewer: Viewer, dispatch_id: UUID) -> DispatchView:
    """Return a dispatch to the viewer's lender; another's is not found."""
    found = await queries.dispatch(session, viewer, dispatch_id)
    if found.lender_id != viewer.organisation_id:
        raise NotFound
    return found


async def products_of(session: AsyncSession, dispatch: DispatchView) -> ProductView | None:
    """Return the version of the product that a demand was dispatched under."""
    try:
        return await products.product(session, dispatch.product_id)
    except NotFound:
        return None


async def _groups(session: AsyncSession, seen: Applicant | None, *, now: datetime) -> tuple[RecordGroup, ...]:
    return () if seen is None else await record_groups(session, seen.profile.records, now=now)


def _told(seen: Applicant | None) -> dict[str, object]:
    """Return what a firm lets the lender see, in words; nothing once the demand is closed to it."""
    if seen is None:
        return {"seen": None, "readings": [], "sales": [], "most_points": MOST_POINTS, "bands": BANDS}
    texts = {text.code: text for text in model.indicator_texts()}
    return {
        "seen": seen,
        "readings": [
            (texts[one.code], in_words_zh(one.measure, one.value), in_words_en(one.measure, one.value))
            for one in seen.profile.readings
        ],
        "sales": [(f"{one.month:%y-%m}", one.net_fen) for one in seen.sales],
        "most_points": MOST_POINTS,
        "bands": BANDS,
    }


def _passed(product: ProductView) -> list[tuple[str, str, str, str, str]]:
    """Return the product's conditions: field, its names where it is an indicator, sign, value in words."""
    texts = {text.code: text for text in model.indicator_texts()}
    found = []
    for clause in product.clauses:
        text = texts.get(clause.field)
        found.append(
            (
                clause.field,
                text.name_zh if text else "",
                text.name_en if text else "",
                SIGNS[clause.operator.value],
                _value(clause),
            )
        )
    return found


def _value(clause: Clause) -> str:
    texts = {text.code: text for text in model.indicator_texts()}
    if isinstance(clause.value, int) and clause.field in texts:
        return in_words_en(texts[clause.field].measure, clause.value)
    return "、".join(map(str, clause.value)) if isinstance(clause.value, tuple) else str(clause.value)


async def _named_dispatch(session: AsyncSession, viewer: Viewer, dispatch_id: UUID) -> dict[str, object]:
    dispatch = await own_dispatch(session, viewer, dispatch_id)
    names = await names_of(session, [dispatch.firm_id])
    return {"dispatch": dispatch, "name": names.get(str(dispatch.firm_id), "—")}


def _ask_reason(request: AnyRequest, form: Form, context: dict[str, object]) -> Response[bytes]:
    reasons = [(one.value, told_to_firm(one).value) for one in DeclineReason if one in SAYABLE]
    return page(request, "desks/bank_decline.html", context, form=form, reasons=reasons)


ROUTES = (list_applications, show_application, take_up, decline_page, decline)
