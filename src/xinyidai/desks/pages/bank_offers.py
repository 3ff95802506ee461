"""A lender's own offers: the check by a second person, withdrawing, and paying out what a firm accepted."""

from datetime import date, datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks.pages.bank import (
    BY_APPROVER_PROVED,
    BY_BANK,
    BY_OFFICER,
    BY_STAFF_PROVED,
    ROWS,
    STAGES,
    Stage,
    who,
)
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.desks.pages.planning import planned_rows
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.forms import Form, act_once, answering, press
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.loans import queries as loans
from xinyidai.loans import service as lending
from xinyidai.loans.rules.life import FirstLoan, FirstLoanDefinition, PaymentKind
from xinyidai.matching import queries, queues, service
from xinyidai.matching.rules.states import BEFORE_THE_FIRM, OfferState

MAX_REFERENCE = 100
NOT_ATTESTED = "unknown"
"""What the form sends where the lender attests nothing about a first loan."""


@get("/bank/offers", guards=[BY_BANK])
async def list_offers(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    stage: FromQuery[Stage | None] = None,
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List the lender's offers, one stage or all, and how they lie to its indications."""
    states = STAGES[stage] if stage else ()
    found = await queues.offers_of(session, viewer, states=states, cursor=cursor, limit=ROWS)
    made = await queues.offer_counts(session, viewer)
    return page(
        request,
        "desks/bank_offers.html",
        who(viewer),
        found=found,
        stage=stage,
        counts={one: sum(made.get(state, 0) for state in states) for one, states in STAGES.items()},
        drift=await queues.own_drift(session, viewer),
        names=await names_of(session, [one.firm_id for one in found.rows]),
        today=business_date(now),
    )


@get("/bank/offers/{offer_id:uuid}", guards=[BY_BANK])
async def show_offer(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one offer with its cost, its distance from the indication, and the next act."""
    return page(request, "desks/bank_offer.html", await _context(session, viewer, offer_id, now=now), form=Form())


@post("/bank/offers/{offer_id:uuid}/approve", guards=[BY_APPROVER_PROVED], status_code=200)
async def approve(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Issue a colleague's proposal; the firm sees it from now on."""
    context = await _context(session, viewer, offer_id, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/bank_offer.html", context, form=form),
        lambda: service.approve_offer(session, viewer, offer_id, now=now),
        by=viewer.organisation_id,
        said=msg("报价已发出，企业现在可以接受。"),
        to=f"/bank/offers/{offer_id}",
    )


@post("/bank/offers/{offer_id:uuid}/withdraw", guards=[BY_OFFICER], status_code=200)
async def withdraw(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Take a proposal or an issued offer back."""
    context = await _context(session, viewer, offer_id, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/bank_offer.html", context, form=form),
        lambda: service.withdraw_offer(session, viewer, offer_id, now=now),
        by=viewer.organisation_id,
        said=msg("报价已撤回。企业仍选择了贵行，请在到期日前重新报价或婉拒。"),
        to=f"/bank/offers/{offer_id}",
        must_tick=("sure", msg("请确认要撤回这份报价")),
    )


@get("/bank/offers/{offer_id:uuid}/disburse", guards=[BY_STAFF_PROVED])
async def disburse_page(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask how the money went out and what the central bank's register says."""
    return _ask(request, Form(), await _context(session, viewer, offer_id, now=now))


@post("/bank/offers/{offer_id:uuid}/disburse", guards=[BY_STAFF_PROVED], status_code=200)
async def disburse(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Report that an accepted offer was paid out, in full and once."""
    form = await Form.read(request)
    context = await _context(session, viewer, offer_id, now=now)
    with answering(form, lambda refused: _ask(request, refused, context)):
        paid_on = form.day("disbursed_on", missing=msg("请输入放款日期"), earliest_on=date(2000, 1, 1))
        payment = form.choice("payment_kind", PaymentKind, missing=msg("请选择支付方式"))
        reference = form.text("reference", missing=msg("请输入放款流水号"), most=MAX_REFERENCE)
        first_loan = _attested(form)
        form.ticked("sure", missing=msg("请确认款项已全额支付"))
        form.require_sound()

        async def act() -> str:
            loan = await lending.disburse(
                session,
                viewer,
                offer_id,
                disbursed_on=paid_on,
                payment_kind=payment,
                payment_reference=reference,
                first_loan=first_loan,
                now=now,
            )
            flash(request, msg("放款已登记，还款计划已生成。"))
            return f"/bank/loans/{loan.id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


def _attested(form: Form) -> FirstLoan | None:
    """Return what the lender attests about a first loan; None where it says that it did not look."""
    typed = form.first("first_loan")
    if typed == NOT_ATTESTED:
        return None
    if typed not in ("yes", "no"):
        form.fault("first_loan", msg("请选择是否首次贷款"))
    definition = form.choice("definition", FirstLoanDefinition, missing=msg("请选择首贷户认定口径"))
    return FirstLoan(typed == "yes", definition)


async def _context(session: AsyncSession, viewer: Viewer, offer_id: UUID, *, now: datetime) -> dict[str, object]:
    offer = await queries.offer(session, viewer, offer_id)
    indications = await queries.indications_for(session, viewer, offer.demand_id)
    names = await names_of(session, [offer.firm_id])
    return {
        **who(viewer),
        "offer": offer,
        "is_own": offer.made_by == viewer.principal_id,
        "is_pending": offer.state is OfferState.PROPOSED,
        "may_withdraw": offer.state in BEFORE_THE_FIRM,
        "is_accepted": offer.state is OfferState.ACCEPTED,
        "indicated": next((one for one in indications if one.dispatch_id == offer.dispatch_id), None),
        "loan": await loans.loan_of_offer(session, offer.id) if offer.state is OfferState.DISBURSED else None,
        "planned": planned_rows(offer.repayment_kind, offer.amount_fen, offer.rate_bp, offer.term_months, now=now),
        "name": names.get(str(offer.firm_id), "—"),
        "today": business_date(now),
    }


def _ask(request: AnyRequest, form: Form, context: dict[str, object]) -> Response[bytes]:
    return page(
        request,
        "desks/bank_disburse.html",
        context,
        form=form,
        payments=list(PaymentKind),
        definitions=list(FirstLoanDefinition),
        not_attested=NOT_ATTESTED,
    )


ROUTES = (list_offers, show_offer, approve, withdraw, disburse_page, disburse)
