"""For holders of a link, and for who cannot sign in: joining by an invitation, recovering an account."""

from datetime import datetime

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import PrincipalKind, Viewer
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.pages.forms import Form, answering
from xinyidai.foundation.pages.rendering import flash, page, see
from xinyidai.foundation.pages.words import msg
from xinyidai.parties import queries, service
from xinyidai.parties.pages.showing import new_password, refused_page
from xinyidai.parties.rules import MAX_CODE, MAX_PASSWORD, MAX_TOKEN, InvitationShown

AnyRequest = Request[object, object, State]
ANYBODY = {"public": True}
MAX_EMAIL = 254
MAX_NAME = 120


@get("/invitations/{token:str}", opt=ANYBODY)
async def invitation(
    request: AnyRequest, token: FromPath[str], session: NamedDependency[AsyncSession]
) -> Response[bytes]:
    """Show what the invitation is for, and how to join."""
    return _show_invitation(request, Form({"token": [token]}), await queries.invitation_shown(session, token))


@post("/invitations/accept", opt=ANYBODY, status_code=200)
async def accept_invitation(request: AnyRequest, now: NamedDependency[datetime]) -> Response[bytes]:
    """Join, in a transaction of its own: a wrong password must be counted before it is told."""
    form = await Form.read(request)
    token = form.first("token")[:MAX_TOKEN]
    viewer = _person(request)
    async with in_transaction(request.app.state.sessions) as session:
        shown = await queries.invitation_shown(session, token)

    def show(refused: Form) -> Response[bytes]:
        return _show_invitation(request, refused, shown)

    with answering(form, show):
        if viewer is None:
            form.text("password", missing=msg("请输入密码"), most=MAX_PASSWORD)
            form.text("display_name", missing=msg("请输入姓名"), most=MAX_NAME, is_needed=False)
            form.require_sound()
        async with in_transaction(request.app.state.sessions) as session:
            outcome = await service.accept_invitation(
                session,
                token,
                display_name=form.first("display_name").strip() or None,
                password=form.first("password") or None,
                viewer=viewer,
                now=now,
            )
    if isinstance(outcome, Refusal):
        return refused_page(form, outcome, "password", show)
    if viewer is None:
        return see("/sign-in?done=joined")
    flash(request, msg("您已加入该机构。"))
    return see("/organisations")


@get("/account-recovery/{token:str}", opt=ANYBODY)
async def recovery_page(request: AnyRequest, token: FromPath[str]) -> Response[bytes]:
    """Ask for the new password."""
    return page(request, "parties/recovery.html", form=Form({"token": [token]}))


@post("/account-recovery/complete", opt=ANYBODY, status_code=200)
async def complete_recovery(
    request: AnyRequest, session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> Response[bytes]:
    """Set the new password by a recovery's link."""
    form = await Form.read(request)
    with answering(form, lambda refused: page(request, "parties/recovery.html", form=refused)):
        password = new_password(form, "password")
        form.require_sound()
        await service.complete_recovery(session, form.first("token")[:MAX_TOKEN], password=password, now=now)
    return see("/sign-in?done=recovered")


@get("/recover", opt=ANYBODY)
async def recover_page(request: AnyRequest) -> Response[bytes]:
    """Say how an account is recovered, and offer the way that people of firms can go alone."""
    return _show_recover(request, Form())


@post("/recover/code", opt=ANYBODY, status_code=200)
async def send_recovery_code(
    request: AnyRequest, session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> Response[bytes]:
    """Send a code as a simulated message; the page is the same whether the email has an account or not."""
    form = await Form.read(request)
    with answering(form, lambda refused: _show_recover(request, refused)):
        email = form.text("email", missing=msg("请输入邮箱"), most=MAX_EMAIL)
        form.require_sound()
        await service.send_recovery_code(session, email=email, now=now)
    return _show_recover(request, form, is_sent=True)


@post("/recover", opt=ANYBODY, status_code=200)
async def recover_alone(request: AnyRequest, now: NamedDependency[datetime]) -> Response[bytes]:
    """Recover alone, in a transaction of its own: a failure must be counted before it is told."""
    form = await Form.read(request)
    with answering(form, lambda refused: _show_recover(request, refused)):
        email = form.text("email", missing=msg("请输入邮箱"), most=MAX_EMAIL)
        code = form.text("code", missing=msg("请输入恢复码或短信验证码"), most=MAX_CODE)
        password = new_password(form, "password")
        form.require_sound()
        async with in_transaction(request.app.state.sessions) as session:
            refusal = await service.recover_alone(session, email=email, code=code, password=password, now=now)
    if refusal is not None:
        return refused_page(form, refusal, "code", lambda refused: _show_recover(request, refused))
    return see("/sign-in?done=recovered")


def _person(request: AnyRequest) -> Viewer | None:
    viewer = request.scope.get("user")
    return viewer if isinstance(viewer, Viewer) and viewer.principal_kind is PrincipalKind.USER else None


def _show_invitation(request: AnyRequest, form: Form, shown: InvitationShown) -> Response[bytes]:
    return page(
        request, "parties/invitation.html", form=form, shown=shown, is_signed_in_person=_person(request) is not None
    )


def _show_recover(request: AnyRequest, form: Form, *, is_sent: bool = False) -> Response[bytes]:
    is_sandbox = request.app.state.settings.sandbox
    return page(request, "parties/recover.html", form=form, is_sent=is_sent, is_sandbox=is_sandbox)


ROUTES = (
    invitation,
    accept_invitation,
    recovery_page,
    complete_recovery,
    recover_page,
    send_recovery_code,
    recover_alone,
)
