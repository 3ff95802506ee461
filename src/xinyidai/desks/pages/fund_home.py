"""The home of fund and guarantor: what waits, and the money by how far it is."""

from datetime import datetime

from litestar import Response, get
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.agreements import queries as agreements
from xinyidai.agreements.rules import LineState, PayInState
from xinyidai.catalogue import queries as catalogue
from xinyidai.desks.pages.firm import ALL
from xinyidai.desks.pages.fund import BY_PAYER, who
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.foundation.clock import business_date, start_of_day
from xinyidai.foundation.pages.rendering import page
from xinyidai.loans import queries as loans
from xinyidai.risk_sharing import queries as claims
from xinyidai.risk_sharing.rules import UNPAID, ClaimState

FIRST = 8


@get("/fund", guards=[BY_PAYER])
async def home(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Say what waits for this person, then cash, what is held, what was paid."""
    today = business_date(now)
    counts = await claims.claim_counts(session, viewer)
    waiting = [
        one
        for state in UNPAID
        for one in (await claims.claims(session, viewer, state=state, cursor=None, limit=FIRST)).rows
    ]
    lines = (await agreements.agreements(session, viewer, cursor=None, limit=ALL)).rows
    declared = (await agreements.pay_ins(session, viewer, cursor=None, limit=ALL)).rows
    ended = await loans.ended_consents(session, viewer, limit=FIRST)
    parties = [*(one.lender_id for one in waiting), *(one.lender_id for one in lines)]
    parties += [party for one in ended for party in (one.lender_id, one.firm_id)]
    return page(
        request,
        "desks/fund_home.html",
        who(viewer),
        cash_fen=await agreements.seen_cash_fen(session, viewer, viewer.organisation_id),
        held=await agreements.held_by(session, viewer),
        paid_fen=await claims.paid_since_fen(session, viewer, start_of_day(today.replace(day=1))),
        counts={one: counts.get(one, 0) for one in ClaimState},
        waiting=waiting,
        ages={one.id: (today - business_date(one.filed_at)).days for one in waiting},
        unwatched=[one for one in lines if one.state in (LineState.PROPOSED, LineState.WATCH, LineState.PAUSED)],
        unconfirmed=[one for one in declared if one.state is PayInState.DECLARED],
        ended=ended,
        items={one.code: one for one in await catalogue.items(session, today)},
        names=await names_of(session, parties),
    )


ROUTES = (home,)
