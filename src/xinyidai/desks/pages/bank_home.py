"""A lender's home: what is due first, how much lies in each queue, and its products."""

from datetime import datetime

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks.pages.bank import BY_BANK, QUEUES, ROWS, STAGES, Stage, demand_shown, who
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.rendering import page
from xinyidai.loans import queries as loans
from xinyidai.loans.rules.life import LoanState
from xinyidai.matching import queues
from xinyidai.matching.rules.states import WAITS_FOR_LENDER
from xinyidai.products import queries as products
from xinyidai.products.queries import Shown

FIRST = 8


@get("/bank", guards=[BY_BANK])
async def home(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show what is due first, then the queues."""
    today = business_date(now)
    waiting = await queues.due_first(session, viewer, states=WAITS_FOR_LENDER, limit=FIRST)
    lying = await queues.dispatch_counts(session, viewer)
    due = await queues.earliest_due(session, viewer)
    offers = await queues.offer_counts(session, viewer)
    to_check = (await queues.offers_of(session, viewer, states=STAGES[Stage.TO_CHECK], cursor=None, limit=FIRST)).rows
    to_pay = (await queues.offers_of(session, viewer, states=STAGES[Stage.TO_DISBURSE], cursor=None, limit=FIRST)).rows
    lent = await loans.loan_counts(session, viewer)
    return page(
        request,
        "desks/bank_home.html",
        who(viewer),
        waiting=waiting,
        queues={
            queue: (
                sum(lying.get(state, 0) for state in states),
                min((due[state] for state in states if state in due and state in WAITS_FOR_LENDER), default=None),
            )
            for queue, states in QUEUES.items()
        },
        stages={stage: sum(offers.get(state, 0) for state in states) for stage, states in STAGES.items()},
        to_check=to_check,
        to_pay=sorted(to_pay, key=lambda one: one.disburse_by or today),
        overdue=lent.get(LoanState.OVERDUE, 0),
        running=lent.get(LoanState.PERFORMING, 0),
        demands={one.id: await demand_shown(session, viewer, one, now=now) for one in waiting},
        names=await names_of(
            session, [*(one.firm_id for one in waiting), *(one.firm_id for one in (*to_check, *to_pay))]
        ),
        today=today,
    )


@get("/bank/products", guards=[BY_BANK])
async def list_products(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List the lender's products in every state."""
    today = business_date(now)
    found = await products.product_page(session, viewer, shown=Shown.MINE, on=today, cursor=cursor, limit=ROWS)
    return page(request, "desks/bank_products.html", found=found, today=today)


ROUTES = (home, list_products)
