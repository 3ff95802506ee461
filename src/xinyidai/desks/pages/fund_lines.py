"""Risk-sharing lines: their room, watching, pausing, and reopening by two people."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.agreements import queries, service
from xinyidai.agreements.rules import LineReason, LineState
from xinyidai.desks.pages.fund import BY_FUND, BY_FUND_APPROVER_PROVED, BY_PAYER, ROWS, who
from xinyidai.desks.pages.names import AnyRequest, colleagues, names_of
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.forms import Form, press
from xinyidai.foundation.pages.rendering import page
from xinyidai.foundation.pages.words import Message, msg


@get("/fund/lines", guards=[BY_PAYER])
async def list_lines(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List the lines with what each can still take."""
    found = await queries.agreements(session, viewer, cursor=cursor, limit=ROWS)
    free = {one.id: (await queries.seen_capacity(session, viewer, one.id))[1] for one in found.rows}
    return page(
        request,
        "desks/fund_lines.html",
        who(viewer),
        found=found,
        free=free,
        names=await names_of(session, [one.lender_id for one in found.rows]),
        today=business_date(now),
    )


@get("/fund/lines/{agreement_id:uuid}", guards=[BY_PAYER])
async def show_line(
    request: AnyRequest,
    agreement_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
) -> Response[bytes]:
    """Show one line and what may be done with it."""
    return page(request, "desks/fund_line.html", await _context(session, viewer, agreement_id), form=Form())


@post("/fund/lines/{agreement_id:uuid}/approve", guards=[BY_FUND_APPROVER_PROVED], status_code=200)
async def approve(
    request: AnyRequest,
    agreement_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Open a line that another person proposed."""
    return await _acted(
        request,
        session,
        viewer,
        agreement_id,
        lambda: service.approve_agreement(session, viewer, agreement_id, now=now),
        msg("协议已生效，可以受理新的贷款。"),
    )


@post("/fund/lines/{agreement_id:uuid}/pause", guards=[BY_FUND], status_code=200)
async def pause(
    request: AnyRequest,
    agreement_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Stop new loans."""
    return await _acted(
        request,
        session,
        viewer,
        agreement_id,
        lambda: service.pause_line(session, agreement_id, viewer=viewer, reason=LineReason.UNDER_REVIEW, now=now),
        msg("协议已暂停，不再受理新的贷款。"),
    )


@post("/fund/lines/{agreement_id:uuid}/watch", guards=[BY_FUND], status_code=200)
async def watch(
    request: AnyRequest,
    agreement_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Put a line under watch."""
    return await _acted(
        request,
        session,
        viewer,
        agreement_id,
        lambda: service.watch_line(session, viewer, agreement_id, now=now),
        msg("协议已列入关注，仍受理新的贷款。"),
    )


@post("/fund/lines/{agreement_id:uuid}/propose-reopening", guards=[BY_FUND], status_code=200)
async def propose_reopening(
    request: AnyRequest,
    agreement_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Propose to reopen a line."""
    return await _acted(
        request,
        session,
        viewer,
        agreement_id,
        lambda: service.propose_reopening(session, viewer, agreement_id, now=now),
        msg("已提议恢复，须由另一位有复核权限的同事批准。"),
    )


@post("/fund/lines/{agreement_id:uuid}/reopen", guards=[BY_FUND_APPROVER_PROVED], status_code=200)
async def reopen(
    request: AnyRequest,
    agreement_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Reopen a line as the second person."""
    return await _acted(
        request,
        session,
        viewer,
        agreement_id,
        lambda: service.approve_reopening(session, viewer, agreement_id, now=now),
        msg("协议已恢复，可以受理新的贷款。"),
    )


async def _acted(
    request: AnyRequest,
    session: AsyncSession,
    viewer: Viewer,
    agreement_id: UUID,
    do: Callable[[], Awaitable[object]],
    said: Message,
) -> Response[bytes]:
    """Do one act on a line once, and come back to it; a refusal stands on top of the line's page."""
    context = await _context(session, viewer, agreement_id)

    def show(form: Form) -> Response[bytes]:
        return page(request, "desks/fund_line.html", context, form=form)

    to = f"/fund/lines/{agreement_id}"
    return await press(request, session, show, do, by=viewer.organisation_id, said=said, to=to)


async def _context(session: AsyncSession, viewer: Viewer, agreement_id: UUID) -> dict[str, object]:
    line, free_fen = await queries.seen_capacity(session, viewer, agreement_id)
    return {
        **who(viewer),
        "line": line,
        "free_fen": free_fen if line.state is not LineState.PROPOSED else line.capacity_fen,
        "is_own_proposal": viewer.principal_id
        in ((line.proposed_by,) if line.state is LineState.PROPOSED else (line.reopening_proposed_by,)),
        "people": await colleagues(session, viewer, (line.proposed_by, line.opened_by, line.reopening_proposed_by)),
        "names": await names_of(session, [line.fund_id, line.lender_id, line.guarantor_id]),
    }


ROUTES = (list_lines, show_line, approve, pause, watch, propose_reopening, reopen)
