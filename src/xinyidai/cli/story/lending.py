"""The applicants ask, the platform matches, banks indicate, firms choose, banks offer, firms accept, loans are paid."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ml.allocation import PlannedLoan
from xinyidai.cli.story.acting import Stage
from xinyidai.cli.story.cast import Cast, Desk
from xinyidai.cli.story.modelling import Planned
from xinyidai.cli.story.population import Population
from xinyidai.cli.story.script import Script
from xinyidai.cli.story.shelf import MAX_RATE_BP, MIN_RATE_BP
from xinyidai.consents.rules import Purpose
from xinyidai.consents.texts import text_on
from xinyidai.demands import queries as demand_queries
from xinyidai.demands import service as demands
from xinyidai.demands.rules import LoanUse, RepaymentKind
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.paging import MAX_PAGE
from xinyidai.loans import service as loans
from xinyidai.loans.queries import LoanView
from xinyidai.matching import queries as matching_queries
from xinyidai.matching import service as matching
from xinyidai.matching.queries import DispatchView
from xinyidai.matching.rules.offers import Indicated
from xinyidai.matching.rules.states import DeclineReason, DispatchState

TERM_MONTHS = 12
OFFER_LASTS = timedelta(days=14)
INDICATION_LASTS = timedelta(days=14)
DEARER_BY_BP = 50
MAX_PAGES = 1_000
TOLD_EVERY = 50


@dataclass(frozen=True)
class Lent:
    """The loans by the label of their firm, and how often each thing happened on the way."""

    loans: Mapping[str, LoanView]
    demands: int
    dispatches: int
    indications: int
    choices: int
    offers: int


async def ask(stage: Stage, script: Script, population: Population, planned: Planned) -> int:
    """Every applicant posts a demand: the planned amount, or what the script says where nothing is planned."""
    amounts = {loan.enterprise_id: loan.amount_fen for loan in planned.plan.loans}
    for firm in script.applicants:
        viewer = population.viewers[firm.label]
        async with stage.acting(viewer) as session:
            await demands.submit(
                session,
                viewer,
                amount_fen=amounts.get(firm.label) or script.demanded_fen,
                term_months=TERM_MONTHS,
                use=LoanUse.WORKING_CAPITAL,
                repayment_kind=RepaymentKind.INTEREST_FIRST,
                wanted_by=business_date(stage.now) + timedelta(days=30),
                now=stage.now,
            )
    stage.tell(f"{len(script.applicants)} demands posted")
    events = await stage.settle()
    stage.tell(f"matched and dispatched ({events} events delivered)")
    return len(script.applicants)


async def lend(stage: Stage, script: Script, cast: Cast, population: Population, planned: Planned) -> Lent:
    """Let the banks indicate, the firms choose, the chosen offer, the firms accept and the main lender pay out."""
    asked = await ask(stage, script, population, planned)
    plan = {population.viewers[loan.enterprise_id].organisation_id: loan for loan in planned.plan.loans}
    sent, indications = 0, 0
    for lender in cast.lenders:
        dispatches = await _waiting_before(stage, lender, DispatchState.SENT)
        sent += len(dispatches)
        indications += await _indicate(stage, cast, lender, dispatches, plan)
        await stage.settle()
        stage.tell(f"{len(dispatches)} demands answered by one lender")
    choices = await _choose(stage, population, planned)
    await stage.settle()
    stage.tell(f"{choices} lenders chosen, each with a written authority")
    offers = 0
    for lender in cast.lenders:
        for dispatch in await _waiting_before(stage, lender, DispatchState.CHOSEN):
            loan = plan[dispatch.firm_id]
            await _offer(stage, lender, dispatch, loan.amount_fen, _rate_of(cast, lender, loan))
            offers += 1
    await stage.settle()
    stage.tell(f"{offers} binding offers issued")
    made: dict[str, LoanView] = {}
    for loan in planned.plan.loans:
        if loan.amount_fen:
            made[loan.enterprise_id] = await _accept_and_disburse(stage, cast, population, loan)
            if len(made) % TOLD_EVERY == 0:
                stage.tell(f"{len(made)} loans paid out")
    await stage.settle()
    stage.tell(f"{len(made)} loans paid out, each with its cover")
    return Lent(made, asked, sent, indications, choices, offers)


async def _waiting_before(stage: Stage, lender: Desk, state: DispatchState) -> list[DispatchView]:
    found: list[DispatchView] = []
    cursor = None
    for _page in range(MAX_PAGES):
        async with stage.acting(lender.maker) as session:
            page = await matching_queries.dispatches_of(
                session, lender.maker, states=[state], cursor=cursor, limit=MAX_PAGE
            )
        found.extend(page.rows)
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


async def _indicate(
    stage: Stage, cast: Cast, lender: Desk, dispatches: list[DispatchView], plan: Mapping[UUID, PlannedLoan]
) -> int:
    """Answer each dispatch: the main lender as planned, the second a little dearer, the third not at all."""
    if lender == cast.lenders[-1]:
        return 0
    indications = 0
    for dispatch in dispatches:
        loan = plan.get(dispatch.firm_id)
        if loan is None or loan.rate_bp is None or not loan.amount_fen:
            await _decline(stage, lender, dispatch)
            continue
        async with stage.acting(lender.maker) as session:
            await matching.indicate(
                session,
                lender.maker,
                dispatch.id,
                terms=_range_around(loan.amount_fen, _rate_of(cast, lender, loan), until=stage.now + INDICATION_LASTS),
                now=stage.now,
            )
        indications += 1
    return indications


def _rate_of(cast: Cast, lender: Desk, loan: PlannedLoan) -> int:
    assert loan.rate_bp is not None, "only a loan with a rate is indicated"
    return min(loan.rate_bp + (0 if lender == cast.main_lender else DEARER_BY_BP), MAX_RATE_BP)


def _range_around(amount_fen: int, rate_bp: int, *, until: datetime) -> Indicated:
    """Return the range that the planned terms lie at the far end of: all that was asked, at the highest rate."""
    return Indicated(
        min_amount_fen=amount_fen,
        max_amount_fen=amount_fen,
        min_rate_bp=max(rate_bp - DEARER_BY_BP, MIN_RATE_BP),
        max_rate_bp=rate_bp,
        min_term_months=TERM_MONTHS,
        max_term_months=TERM_MONTHS,
        repayment_kinds=(RepaymentKind.INTEREST_FIRST,),
        valid_until=until,
    )


async def _choose(stage: Stage, population: Population, planned: Planned) -> int:
    """Every firm chooses all that indicated to it, and authorises each one's credit query."""
    text_digest = text_on(business_date(stage.now)).digest(Purpose.CREDIT_QUERY)
    choices = 0
    for loan in planned.plan.loans:
        if not loan.amount_fen:
            continue
        firm = population.viewers[loan.enterprise_id]
        async with stage.acting(firm) as session:
            demand = (await demand_queries.demands_of(session, firm)).rows[0]
            indicated = await matching_queries.indications_for(session, firm, demand.id)
            chosen = await matching.choose_lenders(
                session,
                firm,
                demand.id,
                indication_ids=[one.id for one in indicated],
                text_digest=text_digest,
                now=stage.now,
            )
        choices += len(chosen)
    return choices


async def _decline(stage: Stage, lender: Desk, dispatch: DispatchView) -> None:
    async with stage.acting(lender.maker) as session:
        await matching.decline(session, lender.maker, dispatch.id, reason=DeclineReason.PRODUCT_CLOSED, now=stage.now)


async def _offer(stage: Stage, lender: Desk, dispatch: DispatchView, amount_fen: int, rate_bp: int) -> None:
    async with stage.acting(lender.maker) as session:
        offer = await matching.make_offer(
            session,
            lender.maker,
            dispatch.id,
            amount_fen=amount_fen,
            rate_bp=rate_bp,
            term_months=TERM_MONTHS,
            repayment_kind=RepaymentKind.INTEREST_FIRST,
            valid_until=stage.now + OFFER_LASTS,
            now=stage.now,
        )
    async with stage.acting(lender.checker) as session:
        await matching.approve_offer(session, lender.checker, offer.id, now=stage.now)


async def _accept_and_disburse(stage: Stage, cast: Cast, population: Population, loan: PlannedLoan) -> LoanView:
    """The firm compares its offers and accepts the cheapest; the main lender pays out."""
    firm = population.viewers[loan.enterprise_id]
    async with stage.acting(firm) as session:
        demand = (await demand_queries.demands_of(session, firm)).rows[0]
        cheapest = (await matching_queries.offers_for(session, firm, demand.id))[0]
    async with stage.acting(firm) as session:
        await matching.accept(session, firm, cheapest.id, now=stage.now)
    async with stage.acting(cast.main_lender.maker) as session:
        return await loans.disburse(session, cast.main_lender.maker, cheapest.id, now=stage.now)
