"""Proving anew who sits there, before what moves money or rights, and going on with what was interrupted."""

from datetime import datetime

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.pages.forms import Form, answering
from xinyidai.foundation.pages.rendering import own_path, page
from xinyidai.foundation.pages.words import msg
from xinyidai.parties import queries, service
from xinyidai.parties.pages.beginning import NEXT_FIELD, go_on, way_back
from xinyidai.parties.pages.showing import refused_page
from xinyidai.parties.routes.signing_in import waiting_token
from xinyidai.parties.rules import MAX_CODE, MAX_PASSWORD

AnyRequest = Request[object, object, State]
BY_PERSON = requires()


@get("/me/proof", guards=[BY_PERSON])
async def proof_page(
    request: AnyRequest, viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> Response[bytes]:
    """Ask for the password, or for a code where a second factor is enrolled."""
    form = Form({NEXT_FIELD: [own_path(request.query_params.get(NEXT_FIELD, ""), "")]})
    return show_proof(request, form, is_enrolled=await queries.is_enrolled(session, viewer.principal_id))


@post("/me/proof", guards=[BY_PERSON], status_code=200)
async def prove(
    request: AnyRequest, viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
) -> Response[bytes]:
    """Prove identity anew, in a transaction of its own: a failure must be counted before it is told."""
    form = await Form.read(request)
    async with in_transaction(request.app.state.sessions) as session:
        is_enrolled = await queries.is_enrolled(session, viewer.principal_id)

    def show(refused: Form) -> Response[bytes]:
        return show_proof(request, refused, is_enrolled=is_enrolled)

    field = "code" if is_enrolled else "password"
    with answering(form, show):
        if is_enrolled:
            form.text(field, missing=msg("请输入验证码"), most=MAX_CODE)
        else:
            form.text(field, missing=msg("请输入密码"), most=MAX_PASSWORD)
        form.require_sound()
        proof = form.first(field)
        async with in_transaction(request.app.state.sessions) as session:
            await act_as(session, viewer, now=now)
            outcome = await service.step_up(
                session,
                viewer,
                waiting_token(request),
                password=None if is_enrolled else proof,
                code=proof if is_enrolled else None,
                now=now,
            )
    if isinstance(outcome, Refusal):
        return refused_page(form, outcome, field, show)
    return go_on(request, form, otherwise="/me", is_proof=True)


def show_proof(request: AnyRequest, form: Form, *, is_enrolled: bool, status_code: int = 200) -> Response[bytes]:
    """Return the page that asks for the proof, carrying on where its reader was going."""
    is_sandbox = request.app.state.settings.sandbox
    return page(
        request,
        "parties/proof.html",
        form=form,
        is_enrolled=is_enrolled,
        back=way_back(form),
        is_sandbox=is_sandbox,
        status_code=status_code,
    )


ROUTES = (proof_page, prove)
