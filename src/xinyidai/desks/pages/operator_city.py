"""The simulated city, in a sandbox only: its clock, and whom the time waits for."""

from datetime import datetime

from litestar import Response, get
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.desks.pages.names import AnyRequest, names_of
from xinyidai.desks.pages.operator import BY_OPERATOR
from xinyidai.desks.waiting import pending
from xinyidai.foundation.pages.rendering import page


@get("/operator/city", guards=[BY_OPERATOR])
async def city(
    request: AnyRequest, session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> Response[bytes]:
    """Show the clock's state and who keeps it waiting."""
    found = await pending(session, now=now)
    return page(
        request,
        "desks/operator_city.html",
        found=found,
        names=await names_of(session, [*found.to_act, *found.waiting]),
    )


SANDBOX_ROUTES = (city,)
