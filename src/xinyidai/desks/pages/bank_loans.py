"""A lender's book: loans, their schedules, reporting a repayment, filing a claim."""

from datetime import date, datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import platform_scope
from xinyidai.agreements import queries as agreements
from xinyidai.catalogue import queries as catalogue
from xinyidai.desks.pages.bank import BY_BANK, BY_STAFF, BY_STAFF_PROVED, ROWS, who
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.forms import Form, act_once, answering
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.loans import queries, service
from xinyidai.loans.rules.life import TAKES_PAYMENTS, LoanState
from xinyidai.loans.service.repaying import MAX_REPAYMENT_FEN
from xinyidai.risk_sharing import queries as claims
from xinyidai.risk_sharing import service as claiming
from xinyidai.risk_sharing.rules import ClaimState

MAX_REFERENCE = 100
DROPPED = (ClaimState.DENIED, ClaimState.LAPSED)


@get("/bank/loans", guards=[BY_BANK])
async def list_loans(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    status: FromQuery[LoanState | None] = None,
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List the lender's book, one state or all."""
    found = await queries.loans(session, viewer, state=status, cursor=cursor, limit=ROWS)
    counts = await queries.loan_counts(session, viewer)
    return page(
        request,
        "desks/bank_loans.html",
        found=found,
        shown=status,
        counts={one: counts.get(one, 0) for one in LoanState},
        names=await names_of(session, [one.firm_id for one in found.rows]),
    )


@get("/bank/loans/{loan_id:uuid}", guards=[BY_BANK])
async def show_loan(
    request: AnyRequest,
    loan_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one loan, what it asks today, and whether a claim may be filed."""
    return page(request, "desks/bank_loan.html", await _context(session, viewer, loan_id, now=now), form=Form())


@get("/bank/loans/{loan_id:uuid}/repay", guards=[BY_STAFF_PROVED])
async def repay_page(
    request: AnyRequest,
    loan_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask what was paid."""
    return page(request, "desks/bank_repay.html", await _context(session, viewer, loan_id, now=now), form=Form())


@post("/bank/loans/{loan_id:uuid}/repay", guards=[BY_STAFF_PROVED], status_code=200)
async def repay(
    request: AnyRequest,
    loan_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Report a repayment."""
    form = await Form.read(request)
    context = await _context(session, viewer, loan_id, now=now)
    with answering(form, lambda refused: page(request, "desks/bank_repay.html", context, form=refused)):
        amount_fen = form.fen("amount", missing=msg("请输入还款金额"), least_fen=1, most_fen=MAX_REPAYMENT_FEN)
        paid_on = form.day("paid_on", missing=msg("请输入还款日期"), earliest_on=date(2000, 1, 1))
        reference = form.text("reference", missing=msg("请输入还款流水号"), most=MAX_REFERENCE)
        form.require_sound()

        async def act() -> str:
            await service.repay(
                session, viewer, loan_id, amount_fen=amount_fen, paid_on=paid_on, reference=reference, now=now
            )
            flash(request, msg("还款已登记。"))
            return f"/bank/loans/{loan_id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@post("/bank/loans/{loan_id:uuid}/claim", guards=[BY_STAFF], status_code=200)
async def file_claim(
    request: AnyRequest,
    loan_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Claim the unpaid principal of a covered loan that is overdue for long enough."""
    form = await Form.read(request)
    context = await _context(session, viewer, loan_id, now=now)
    with answering(form, lambda refused: page(request, "desks/bank_loan.html", context, form=refused)):
        form.ticked("sure", missing=msg("请确认要提交代偿申请"))
        form.require_sound()

        async def act() -> str:
            filed = await claiming.file_claim(session, viewer, loan_id, now=now)
            flash(request, msg("代偿申请已提交，由风险补偿资金的两位人员先后审核。"))
            return f"/bank/claims/{filed.id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


async def _context(session: AsyncSession, viewer: Viewer, loan_id: UUID, *, now: datetime) -> dict[str, object]:
    loan, planned = await service.read(session, viewer, loan_id, now=now)
    today = business_date(now)
    is_open = loan.state in TAKES_PAYMENTS
    filed = await claims.claims_of_loan(session, viewer, loan_id)
    standing = next((one for one in filed if one.state not in DROPPED), None)
    after_days = await _claim_after_days(session, loan.reservation_id)
    days_late = await queries.days_late(session, loan_id, on=today) if is_open else loan.days_past_due
    names = await names_of(session, [loan.firm_id])
    return {
        **who(viewer),
        "loan": loan,
        "planned": planned,
        "is_open": is_open,
        "dues": queries.dues_of(loan, planned, on=today) if is_open else None,
        "days_late": days_late,
        "after_days": after_days,
        "may_claim": is_open and standing is None and after_days is not None and days_late >= after_days,
        "claims": filed,
        "ended": await queries.ended_consents(session, viewer, loan_id=loan_id),
        "items": {one.code: one for one in await catalogue.items(session, today)},
        "standing": standing,
        "name": names.get(str(loan.firm_id), "—"),
        "today": today,
    }


async def _claim_after_days(session: AsyncSession, reservation_id: UUID | None) -> int | None:
    """Return after how many days past due the line of a loan takes a claim; None for a loan under no line."""
    if reservation_id is None:
        return None
    async with platform_scope(session):
        held = await agreements.reservation(session, reservation_id)
        return (await agreements.agreement(session, held.agreement_id)).claim_after_days


ROUTES = (list_loans, show_loan, repay_page, repay, file_claim)
