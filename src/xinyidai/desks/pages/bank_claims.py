"""A lender's claims: where each stands, taking one back, reporting what was collected after it was paid."""

from datetime import date, datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks.pages.bank import BY_BANK, BY_STAFF, BY_STAFF_PROVED, ROWS, who
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.forms import Form, act_once, answering, press
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.risk_sharing import queries, service
from xinyidai.risk_sharing.rules import UNPAID, ClaimState
from xinyidai.risk_sharing.service.recovering import MAX_RECEIVED_FEN

MAX_REFERENCE = 100
COLLECTS = (ClaimState.PAID, ClaimState.RECOVERING)


@get("/bank/claims", guards=[BY_BANK])
async def list_claims(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    status: FromQuery[ClaimState | None] = None,
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List the lender's claims, one state or all."""
    found = await queries.claims(session, viewer, state=status, cursor=cursor, limit=ROWS)
    counts = await queries.claim_counts(session, viewer)
    return page(
        request,
        "desks/bank_claims.html",
        found=found,
        shown=status,
        counts={one: counts.get(one, 0) for one in ClaimState},
        names=await names_of(session, [one.firm_id for one in found.rows]),
        today=business_date(now),
    )


@get("/bank/claims/{claim_id:uuid}", guards=[BY_BANK])
async def show_claim(
    request: AnyRequest,
    claim_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one claim, who bears what, and what came back."""
    return page(request, "desks/bank_claim.html", await _context(session, viewer, claim_id, now=now), form=Form())


@post("/bank/claims/{claim_id:uuid}/withdraw", guards=[BY_STAFF], status_code=200)
async def withdraw(
    request: AnyRequest,
    claim_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Take a claim back that is not paid."""
    context = await _context(session, viewer, claim_id, now=now)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/bank_claim.html", context, form=form),
        lambda: service.withdraw_claim(session, viewer, claim_id, now=now),
        by=viewer.organisation_id,
        said=msg("代偿申请已撤回，贷款仍在分担范围内。"),
        to=f"/bank/claims/{claim_id}",
        must_tick=("sure", msg("请确认要撤回代偿申请")),
    )


@get("/bank/claims/{claim_id:uuid}/recover", guards=[BY_STAFF_PROVED])
async def recover_page(
    request: AnyRequest,
    claim_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask what was collected."""
    return page(request, "desks/bank_recover.html", await _context(session, viewer, claim_id, now=now), form=Form())


@post("/bank/claims/{claim_id:uuid}/recover", guards=[BY_STAFF_PROVED], status_code=200)
async def recover(
    request: AnyRequest,
    claim_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Report money collected after a claim was paid."""
    form = await Form.read(request)
    context = await _context(session, viewer, claim_id, now=now)
    with answering(form, lambda refused: page(request, "desks/bank_recover.html", context, form=refused)):
        received_fen = form.fen("received", missing=msg("请输入收回金额"), least_fen=1, most_fen=MAX_RECEIVED_FEN)
        costs_fen = form.fen("costs", missing=msg("请输入追偿费用，没有则填 0"), least_fen=0, most_fen=MAX_RECEIVED_FEN)
        received_on = form.day("received_on", missing=msg("请输入收回日期"), earliest_on=date(2000, 1, 1))
        reference = form.text("reference", missing=msg("请输入追偿流水号"), most=MAX_REFERENCE)
        form.require_sound()

        async def act() -> str:
            await service.record_recovery(
                session,
                viewer,
                claim_id,
                received_fen=received_fen,
                costs_fen=costs_fen,
                received_on=received_on,
                reference=reference,
                now=now,
            )
            flash(request, msg("追偿已登记，并按各方承担的本金分回。"))
            return f"/bank/claims/{claim_id}"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


async def _context(session: AsyncSession, viewer: Viewer, claim_id: UUID, *, now: datetime) -> dict[str, object]:
    claim, recoveries = await service.read(session, viewer, claim_id, now=now)
    return {
        **who(viewer),
        "claim": claim,
        "recoveries": recoveries,
        "may_withdraw": claim.state in UNPAID,
        "may_recover": claim.state in COLLECTS,
        "names": await names_of(session, [claim.firm_id, claim.fund_id, claim.guarantor_id]),
        "today": business_date(now),
    }


ROUTES = (list_claims, show_claim, withdraw, recover_page, recover)
