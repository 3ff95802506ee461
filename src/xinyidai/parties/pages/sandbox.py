"""In a sandbox: one click for a password, and the messages that no phone gets. Left out everywhere else."""

from datetime import datetime
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import Viewer
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.forms import Form
from xinyidai.foundation.pages.rendering import page, see
from xinyidai.parties import queries, service
from xinyidai.parties.pages.beginning import agent_of, begin_session, go_on

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


@post("/proof", guards=[requires()], status_code=200)
async def prove_simulated(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Prove a simulated person anew, who has no password: by signing in once more."""
    form = await Form.read(request)
    signed_in = await service.sign_in_simulated(
        session, viewer.principal_id, viewer.organisation_id, agent=agent_of(request), now=now
    )
    begin_session(request, signed_in)
    return go_on(request, form, otherwise="/me", is_proof=True)


@get("/messages", opt={"public": True})
async def messages(request: AnyRequest, session: NamedDependency[AsyncSession]) -> Response[bytes]:
    """Show the newest simulated text messages of everybody."""
    return page(request, "parties/messages.html", messages=await queries.simulated_messages(session))


ROUTES = (sign_in_simulated, prove_simulated, messages)
