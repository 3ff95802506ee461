"""The claims inbox of fund and guarantor: two reviews, denial, payment."""

from datetime import datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import platform_scope
from xinyidai.agreements import queries as agreements
from xinyidai.agreements.rules import parts_of
from xinyidai.desks.pages.fund import BY_FUND, BY_FUND_PROVED, BY_PAYER, ROWS, who
from xinyidai.desks.pages.names import AnyRequest, colleagues, names_of
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.forms import Form, act_once, answering, press
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.loans import queries as loans
from xinyidai.risk_sharing import queries, service
from xinyidai.risk_sharing.rules import UNPAID, ClaimState, DenialCode

PASSED_FIRST = msg("初审已通过，请另一位有复核权限的同事复审。")
PASSED_SECOND = msg("复审已通过，可以付款。")
REVIEWED = (ClaimState.LODGED, ClaimState.SECOND_REVIEW)


@get("/fund/claims", guards=[BY_PAYER])
async def list_claims(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    status: FromQuery[ClaimState | None] = None,
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List the claims, one state or all, with their age."""
    found = await queries.claims(session, viewer, state=status, cursor=cursor, limit=ROWS)
    counts = await queries.claim_counts(session, viewer)
    today = business_date(now)
    return page(
        request,
        "desks/fund_claims.html",
        found=found,
        shown=status,
        counts={one: counts.get(one, 0) for one in ClaimState},
        ages={one.id: (today - business_date(one.filed_at)).days for one in found.rows},
        names=await names_of(session, [one.lender_id for one in found.rows]),
    )


@get("/fund/claims/{claim_id:uuid}", guards=[BY_PAYER])
async def show_claim(
    request: AnyRequest,
    claim_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one claim: its loan, how late it is now, the shares, who approved what."""
    return page(request, "desks/fund_claim.html", await _context(session, viewer, claim_id, now=now), form=Form())


@post("/fund/claims/{claim_id:uuid}/approve", guards=[BY_FUND_PROVED], status_code=200)
async def approve(
    request: AnyRequest,
    claim_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Pass the first or the second review."""
    form = await Form.read(request)
    context = await _context(session, viewer, claim_id, now=now)
    with answering(form, lambda refused: page(request, "desks/fund_claim.html", context, form=refused)):
        form.ticked("checked", missing=msg("请确认您已核对贷款、逾期天数和分担比例"))
        form.require_sound()

        async def act() -> str:
            passed = await service.approve_claim(session, viewer, claim_id, now=now)
            is_first = passed.state is ClaimState.SECOND_REVIEW
            flash(request, PASSED_FIRST if is_first else PASSED_SECOND)
            return f"/fund/claims/{claim_id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@get("/fund/claims/{claim_id:uuid}/deny", guards=[BY_FUND])
async def deny_page(
    request: AnyRequest,
    claim_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask why."""
    return _ask_why(request, Form(), await _context(session, viewer, claim_id, now=now))


@post("/fund/claims/{claim_id:uuid}/deny", guards=[BY_FUND], status_code=200)
async def deny(
    request: AnyRequest,
    claim_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Deny a claim, with a reason of the closed list."""
    form = await Form.read(request)
    context = await _context(session, viewer, claim_id, now=now)
    with answering(form, lambda refused: _ask_why(request, refused, context)):
        code = form.choice("code", DenialCode, missing=msg("请选择不予代偿的原因"))
        form.require_sound()

        async def act() -> str:
            await service.deny_claim(session, viewer, claim_id, code=code, now=now)
            flash(request, msg("已不予代偿，银行会看到原因；贷款仍在分担范围内。"))
            return f"/fund/claims/{claim_id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@post("/fund/claims/{claim_id:uuid}/pay", guards=[BY_FUND_PROVED], status_code=200)
async def pay(
    request: AnyRequest,
    claim_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Pay an approved claim."""
    context = await _context(session, viewer, claim_id, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/fund_claim.html", context, form=form),
        lambda: service.pay_claim(session, viewer, claim_id, now=now),
        by=viewer.organisation_id,
        said=msg("代偿款已付出并记账。"),
        to=f"/fund/claims/{claim_id}",
        must_tick=("sure", msg("请确认付款")),
    )


async def _context(session: AsyncSession, viewer: Viewer, claim_id: UUID, *, now: datetime) -> dict[str, object]:
    claim, recoveries = await service.read(session, viewer, claim_id, now=now)
    trail = await queries.trail(session, viewer, claim_id)
    line = await agreements.seen_agreement(session, viewer, claim.agreement_id)
    today = business_date(now)
    async with platform_scope(session):
        loan = await loans.loan(session, claim.loan_id)
        days_late = await loans.days_late(session, claim.loan_id, on=today)
    told = (trail.filed_by, trail.first_reviewed_by, trail.second_reviewed_by, trail.denied_by)
    return {
        **who(viewer),
        "claim": claim,
        "loan": loan,
        "line": line,
        "trail": trail,
        "days_late": days_late,
        "recoveries": recoveries,
        "by_shares": parts_of(min(claim.claimed_fen, loan.outstanding_fen), line.shares)
        if claim.state in UNPAID
        else None,
        "is_reviewed_by_me": trail.first_reviewed_by == viewer.principal_id,
        "in_review": claim.state in REVIEWED,
        "people": await colleagues(session, viewer, told),
        "names": await names_of(session, [claim.firm_id, claim.lender_id, claim.fund_id, claim.guarantor_id]),
        "today": today,
    }


def _ask_why(request: AnyRequest, form: Form, context: dict[str, object]) -> Response[bytes]:
    return page(request, "desks/fund_deny.html", context, form=form, codes=list(DenialCode))


ROUTES = (list_claims, show_claim, approve, deny_page, deny, pay)
