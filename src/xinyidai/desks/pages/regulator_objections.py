"""Who owes firms answers, and who is late: counts by party, for the regulator."""

from datetime import datetime

from litestar import Response, get
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.desks.pages.regulator import BY_REGULATOR
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.rendering import page
from xinyidai.objections import queries


@get("/regulator/objections", guards=[BY_REGULATOR])
async def lateness(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show how each party stands that owes answers to objections and repairs."""
    rows = await queries.lateness(session, viewer, now=now)
    return page(
        request,
        "desks/regulator_objections.html",
        rows=rows,
        overdue=sum(one.overdue_count for one in rows),
        waiting=sum(one.open_count for one in rows),
        late=sum(one.late_count for one in rows),
        clock=await queries.clock_on(session, business_date(now)),
        names=await names_of(session, [one.party_id for one in rows]),
    )


ROUTES = (lateness,)
