"""In a sandbox: one click signs in as a simulated person. The application leaves this out everywhere else."""

from datetime import datetime
from uuid import UUID

from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.forms import Form
from xinyidai.foundation.pages.rendering import see
from xinyidai.parties import service
from xinyidai.parties.pages.beginning import agent_of, begin_session

AnyRequest = Request[object, object, State]


@post("/sign-in", opt={"public": True}, status_code=200)
async def sign_in_simulated(
    request: AnyRequest, session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> Response[bytes]:
    """Sign in as a simulated person and go to their desk."""
    form = await Form.read(request)
    try:
        user_id, party_id = UUID(form.first("user_id")), UUID(form.first("party_id"))
    except ValueError:
        raise NotFound from None
    signed_in = await service.sign_in_simulated(session, user_id, party_id, agent=agent_of(request), now=now)
    begin_session(request, signed_in)
    return see("/desk")


ROUTES = (sign_in_simulated,)
