"""Making a binding offer as a chosen lender: typed, looked at with its cost and its distance, then proposed."""

from datetime import datetime, timedelta
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.demands.rules import RepaymentKind
from xinyidai.desks.pages.bank import BY_OFFICER, CONFIRM, EDIT, rate_bp
from xinyidai.desks.pages.bank_indications import Bounds, bounds_of
from xinyidai.desks.pages.names import AnyRequest
from xinyidai.desks.pages.planning import planned_rows
from xinyidai.foundation.pages.forms import Form, act_once, answering
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.matching import queries, service
from xinyidai.matching.queries import IndicationView
from xinyidai.matching.rules.costs import total_interest_fen
from xinyidai.matching.rules.drift import drift_of
from xinyidai.matching.rules.offers import OfferTerms


@get("/bank/applications/{dispatch_id:uuid}/offer", guards=[BY_OFFICER])
async def offer_page(
    request: AnyRequest,
    dispatch_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask for the terms of a binding offer."""
    bounds = await bounds_of(session, viewer, dispatch_id, now=now)
    return _ask(request, Form(), bounds, await _indicated(session, viewer, bounds))


@post("/bank/applications/{dispatch_id:uuid}/offer", guards=[BY_OFFICER], status_code=200)
async def make_offer(
    request: AnyRequest,
    dispatch_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show what the terms cost and how far they lie from the indication; propose them when confirmed."""
    form = await Form.read(request)
    bounds = await bounds_of(session, viewer, dispatch_id, now=now)
    indicated = await _indicated(session, viewer, bounds)
    if form.first("step") == EDIT:
        return _ask(request, form, bounds, indicated)
    with answering(form, lambda refused: _ask(request, refused, bounds, indicated)):
        terms = _terms(form, bounds, now=now)
        form.require_sound()
        if form.first("step") != CONFIRM:
            return _check(request, form, bounds, indicated, terms, now=now)

        async def act() -> str:
            made = await service.make_offer(
                session,
                viewer,
                dispatch_id,
                amount_fen=terms.amount_fen,
                rate_bp=terms.rate_bp,
                term_months=terms.term_months,
                repayment_kind=terms.repayment_kind,
                valid_until=terms.valid_until,
                now=now,
            )
            flash(request, msg("报价已提交复核。另一位有复核权限的同事批准后，企业才会看到。"))
            return f"/bank/offers/{made.id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


def _terms(form: Form, bounds: Bounds, *, now: datetime) -> OfferTerms:
    product = bounds.product
    amount_fen = form.fen(
        "amount", missing=msg("请输入金额"), least_fen=product.min_amount_fen, most_fen=bounds.most_fen
    )
    annual_bp = rate_bp(
        form, "rate", missing=msg("请输入年化利率"), least_bp=product.min_rate_bp, most_bp=product.max_rate_bp
    )
    months = form.whole(
        "months", missing=msg("请输入期限"), least=product.min_term_months, most=product.max_term_months
    )
    kind = form.choice("repayment_kind", RepaymentKind, missing=msg("请选择还款方式"))
    days = form.whole("valid_days", missing=msg("请输入有效天数"), least=1, most=bounds.policy.offer_days)
    return OfferTerms(amount_fen, annual_bp, months, kind, now + timedelta(days=days))


async def _indicated(session: AsyncSession, viewer: Viewer, bounds: Bounds) -> IndicationView | None:
    found = await queries.indications_for(session, viewer, bounds.dispatch.demand_id)
    return next((one for one in found if one.dispatch_id == bounds.dispatch.id), None)


def _ask(request: AnyRequest, form: Form, bounds: Bounds, indicated: IndicationView | None) -> Response[bytes]:
    return page(request, "desks/bank_offer_new.html", form=form, bounds=bounds, indicated=indicated)


def _check(
    request: AnyRequest,
    form: Form,
    bounds: Bounds,
    indicated: IndicationView | None,
    terms: OfferTerms,
    *,
    now: datetime,
) -> Response[bytes]:
    kind, amount_fen = terms.repayment_kind, terms.amount_fen
    return page(
        request,
        "desks/bank_offer_check.html",
        form=form,
        bounds=bounds,
        terms=terms,
        indicated=indicated,
        drift=drift_of(indicated.terms, terms) if indicated else None,
        total_fen=total_interest_fen(amount_fen, terms.rate_bp, terms.term_months, kind),
        planned=planned_rows(kind, amount_fen, terms.rate_bp, terms.term_months, now=now),
    )


ROUTES = (offer_page, make_offer)
