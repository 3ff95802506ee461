"""Money paid in: declared by one person, confirmed on the bank statement by another."""

from datetime import date, datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.agreements import queries, service
from xinyidai.agreements.service.money import MAX_PAY_IN_FEN, MAX_REFERENCE_LENGTH
from xinyidai.desks.pages.fund import BY_PAYER, BY_PAYER_APPROVER_PROVED, BY_PAYER_STAFF, ROWS, who
from xinyidai.desks.pages.names import AnyRequest, colleagues
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.forms import Form, act_once, answering, press
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg


@get("/fund/pay-ins", guards=[BY_PAYER])
async def list_pay_ins(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List what was paid in, with what still needs a second person."""
    return page(request, "desks/fund_pay_ins.html", await _context(session, viewer, cursor), form=Form())


@post("/fund/pay-ins/{pay_in_id:uuid}/confirm", guards=[BY_PAYER_APPROVER_PROVED], status_code=200)
async def confirm(
    request: AnyRequest,
    pay_in_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Confirm as a second person that the money is on the account."""
    context = await _context(session, viewer, None)
    return await press(
        request,
        session,
        lambda refused: page(request, "desks/fund_pay_ins.html", context, form=refused),
        lambda: service.confirm_pay_in(session, viewer, pay_in_id, now=now),
        by=viewer.organisation_id,
        said=msg("已确认到账并记账。"),
        to="/fund/pay-ins",
    )


@get("/fund/pay-ins/new", guards=[BY_PAYER_STAFF])
async def declare_page(request: AnyRequest, now: NamedDependency[datetime]) -> Response[bytes]:
    """Ask what was paid in."""
    return _ask(request, Form(), business_date(now))


@post("/fund/pay-ins/new", guards=[BY_PAYER_STAFF], status_code=200)
async def declare(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Declare money paid in."""
    form, today = await Form.read(request), business_date(now)
    with answering(form, lambda refused: _ask(request, refused, today)):
        amount_fen = form.fen("amount", missing=msg("请输入金额"), least_fen=1, most_fen=MAX_PAY_IN_FEN)
        paid_on = form.day("paid_on", missing=msg("请输入拨入日期"), earliest_on=date(2000, 1, 1))
        reference = form.text("reference", missing=msg("请输入拨款编号"), most=MAX_REFERENCE_LENGTH)
        form.require_sound()

        async def act() -> str:
            await service.declare_pay_in(
                session,
                viewer,
                payer_id=viewer.organisation_id,
                amount_fen=amount_fen,
                reference=reference,
                paid_on=paid_on,
                now=now,
            )
            flash(request, msg("已登记，须由另一位有复核权限的同事核对银行流水后确认。"))
            return "/fund/pay-ins"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


async def _context(session: AsyncSession, viewer: Viewer, cursor: str | None) -> dict[str, object]:
    found = await queries.pay_ins(session, viewer, cursor=cursor, limit=ROWS)
    return {
        **who(viewer),
        "found": found,
        "cash_fen": await queries.seen_cash_fen(session, viewer, viewer.organisation_id),
        "people": await colleagues(session, viewer, [one.declared_by for one in found.rows]),
    }


def _ask(request: AnyRequest, form: Form, today: date) -> Response[bytes]:
    return page(request, "desks/fund_pay_in_new.html", form=form, today=today)


ROUTES = (list_pay_ins, confirm, declare_page, declare)
