"""The firm's loans: what is owed, what is due next, what was paid."""

from datetime import datetime
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks.pages.firm import BY_FIRM
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.rendering import page
from xinyidai.loans import queries, service
from xinyidai.loans.rules.life import TAKES_PAYMENTS


@get("/firm/loans", guards=[BY_FIRM])
async def list_loans(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List the loans."""
    found = await queries.loans(session, viewer, state=None, cursor=cursor, limit=20)
    names = await names_of(session, [one.lender_id for one in found.rows])
    return page(request, "desks/loans.html", found=found, names=names)


@get("/firm/loans/{loan_id:uuid}", guards=[BY_FIRM])
async def show_loan(
    request: AnyRequest,
    loan_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one loan with its schedule and what it asks today."""
    loan, planned = await service.read(session, viewer, loan_id, now=now)
    today = business_date(now)
    return page(
        request,
        "desks/loan.html",
        loan=loan,
        planned=planned,
        is_open=loan.state in TAKES_PAYMENTS,
        dues=queries.dues_of(loan, planned, on=today) if loan.state in TAKES_PAYMENTS else None,
        next_due=next((one for one in planned if one.owed.principal_fen + one.owed.interest_fen > 0), None),
        names=await names_of(session, [loan.lender_id]),
        today=today,
    )


ROUTES = (list_loans, show_loan)
