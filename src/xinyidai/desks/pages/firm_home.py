"""The firm's home: the next step first, then how far the newest demand is, then what is due."""

from datetime import datetime, timedelta

from litestar import Response, get
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import ConsentState
from xinyidai.demands import queries as demands
from xinyidai.demands.rules import ASKING, DemandState
from xinyidai.desks.pages.firm import ALL, BY_FIRM
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.desks.tracking import chosen_and_gone, tracker_of
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.rendering import page
from xinyidai.loans import queries as loans
from xinyidai.loans.rules.life import TAKES_PAYMENTS
from xinyidai.matching import queries as matching
from xinyidai.matching.rules.states import WAITS_FOR_LENDER, DispatchState, OfferState, told_to_firm
from xinyidai.scoring import queries as scoring
from xinyidai.scoring.rules.scores import ScoreView

SCORE_LASTS = timedelta(days=92)


async def scores_shown(
    session: AsyncSession, viewer: Viewer, *, now: datetime
) -> tuple[ScoreView | None, ScoreView | None]:
    """Return the firm's score and, where that is too old to be shown as today's, nothing and the former one."""
    newest = await scoring.latest_score(session, viewer.organisation_id, max_age=None, now=now)
    is_former = newest is not None and newest.scored_at <= now - SCORE_LASTS
    return (None, newest) if is_former else (newest, None)


@get("/firm", guards=[BY_FIRM])
async def home(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show the next step first."""
    given = await consents.consents_of(session, viewer, now=now, limit=ALL)
    asked = (await demands.demands_of(session, viewer, limit=ALL)).rows
    newest = next((one for one in reversed(asked) if one.state is not DemandState.DRAFT), None)
    offers = await matching.offers_for(session, viewer, newest.id) if newest else []
    indications = await matching.indications_for(session, viewer, newest.id) if newest else []
    dispatches = await matching.dispatches_for(session, newest.id) if newest else []
    owed = list((await loans.loans(session, viewer, state=None, cursor=None, limit=ALL)).rows)
    open_loans = [one for one in owed if one.state in TAKES_PAYMENTS]
    newest_loan = next((one for one in owed if offers and one.offer_id in {offer.id for offer in offers}), None)
    gone = chosen_and_gone(newest, dispatches) if newest else []
    score, former = await scores_shown(session, viewer, now=now)
    planned = await loans.instalments(session, open_loans[0].id) if open_loans else []
    return page(
        request,
        "desks/firm_home.html",
        has_consent=any(one.state is ConsentState.ACTIVE for one in given.rows),
        score=score,
        former_score=former,
        newest=newest,
        is_asking=newest is not None and newest.state in ASKING,
        to_choose=[one for one in indications if one.state is DispatchState.INDICATED],
        issued=[one for one in offers if one.state is OfferState.ISSUED],
        tracker=tracker_of(newest, dispatches, indications, offers, newest_loan) if newest else [],
        gone=gone,
        told={one.id: told_to_firm(one.decline_reason) for one in gone if one.decline_reason},
        is_waiting=any(one.state in WAITS_FOR_LENDER for one in dispatches),
        open_loans=open_loans,
        next_due=next((one for one in planned if one.owed.principal_fen + one.owed.interest_fen > 0), None),
        names=await names_of(
            session,
            [
                *(one.lender_id for one in open_loans),
                *(one.lender_id for one in offers),
                *(one.lender_id for one in gone),
            ],
        ),
        today=business_date(now),
    )


ROUTES = (home,)
