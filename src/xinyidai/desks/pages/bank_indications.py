"""Indicating a range, within the product and what the firm asked for."""

from datetime import datetime, timedelta
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.demands.queries import DemandView
from xinyidai.demands.rules import RepaymentKind
from xinyidai.desks.pages.bank import BY_OFFICER, demand_shown, most_amount_fen, rate_bp
from xinyidai.desks.pages.bank_applications import own_dispatch, products_of
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.forms import Form, act_once, answering
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.matching import queries, service
from xinyidai.matching.queries import DispatchView
from xinyidai.matching.rules.offers import Indicated, MatchingPolicy
from xinyidai.products.queries import ProductView


class Bounds:
    """A dispatch with what bounds the lender's answer to it."""

    def __init__(
        self, dispatch: DispatchView, demand: DemandView, product: ProductView, policy: MatchingPolicy, name: str
    ) -> None:
        self.dispatch, self.demand, self.product, self.policy, self.name = dispatch, demand, product, policy, name
        self.most_fen = most_amount_fen(product, demand)
        self.kinds = [RepaymentKind(kind) for kind in product.repayment_kinds]


async def bounds_of(session: AsyncSession, viewer: Viewer, dispatch_id: UUID, *, now: datetime) -> Bounds:
    """Return the bounds of an answer.

    Raises
    ------
    NotFound
        Another lender's dispatch, or one that is over.
    """
    dispatch = await own_dispatch(session, viewer, dispatch_id)
    demand, product = await demand_shown(session, viewer, dispatch, now=now), await products_of(session, dispatch)
    if demand is None or product is None:
        raise NotFound
    policy = await queries.limits_on(session, business_date(now))
    names = await names_of(session, [dispatch.firm_id])
    return Bounds(dispatch, demand, product, policy, names.get(str(dispatch.firm_id), "—"))


@get("/bank/applications/{dispatch_id:uuid}/indicate", guards=[BY_OFFICER])
async def indicate_page(
    request: AnyRequest,
    dispatch_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask for a range."""
    return _ask(request, Form(), await bounds_of(session, viewer, dispatch_id, now=now))


@post("/bank/applications/{dispatch_id:uuid}/indicate", guards=[BY_OFFICER], status_code=200)
async def indicate(
    request: AnyRequest,
    dispatch_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Answer with a range that binds nobody."""
    form = await Form.read(request)
    bounds = await bounds_of(session, viewer, dispatch_id, now=now)
    with answering(form, lambda refused: _ask(request, refused, bounds)):
        terms = _terms(form, bounds, now=now)
        form.require_sound()

        async def act() -> str:
            await service.indicate(session, viewer, dispatch_id, terms=terms, now=now)
            flash(request, msg("意向已发给企业。企业选择您之前，对双方都没有约束力。"))
            return f"/bank/applications/{dispatch_id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


def _terms(form: Form, bounds: Bounds, *, now: datetime) -> Indicated:
    product = bounds.product
    amounts, rates, months = [], [], []
    for end in ("min", "max"):
        amounts.append(
            form.fen(
                f"{end}_amount",
                missing=msg("请输入金额"),
                least_fen=product.min_amount_fen,
                most_fen=bounds.most_fen,
            )
        )
        rates.append(
            rate_bp(
                form,
                f"{end}_rate",
                missing=msg("请输入年化利率"),
                least_bp=product.min_rate_bp,
                most_bp=product.max_rate_bp,
            )
        )
        months.append(
            form.whole(
                f"{end}_months",
                missing=msg("请输入期限"),
                least=product.min_term_months,
                most=product.max_term_months,
            )
        )
    days = form.whole("valid_days", missing=msg("请输入有效天数"), least=1, most=bounds.policy.indication_days)
    kinds = tuple(kind for kind in bounds.kinds if form.has("repayment_kind", kind.value))
    if not kinds:
        form.fault("repayment_kind", msg("请至少选择一种还款方式"))
    for name, (least, most) in (("min_amount", amounts), ("min_rate", rates), ("min_months", months)):
        if least > most and not form.faults_of(name):
            form.fault(name, msg("下限不能高于上限"))
    return Indicated(
        min_amount_fen=amounts[0],
        max_amount_fen=amounts[1],
        min_rate_bp=rates[0],
        max_rate_bp=rates[1],
        min_term_months=months[0],
        max_term_months=months[1],
        repayment_kinds=kinds,
        valid_until=now + timedelta(days=days),
    )


def _ask(request: AnyRequest, form: Form, bounds: Bounds) -> Response[bytes]:
    return page(request, "desks/bank_indicate.html", form=form, bounds=bounds)


ROUTES = (indicate_page, indicate)
