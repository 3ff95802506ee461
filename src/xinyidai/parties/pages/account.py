"""One's own account: password, second factor, sessions, organisations."""

from datetime import datetime
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import PrincipalKind, Viewer
from xinyidai.access.service import act_as
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotFound, Refusal
from xinyidai.foundation.pages.forms import Form, Show, act_once, answering, press
from xinyidai.foundation.pages.rendering import flash, page, see
from xinyidai.foundation.pages.words import msg
from xinyidai.parties import queries, service
from xinyidai.parties.pages.beginning import go_on
from xinyidai.parties.pages.showing import new_password, refused_page, show_codes, show_enrolment
from xinyidai.parties.routes.signing_in import waiting_token
from xinyidai.parties.rules import MAX_CODE, MAX_PASSWORD, NotEnrolled, ProofRefused

AnyRequest = Request[object, object, State]
BY_PERSON = requires()
BY_PERSON_PROVED = requires(fresh=True)


@get("/me", guards=[BY_PERSON])
async def account(
    request: AnyRequest, viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> Response[bytes]:
    """Show one's own account."""
    return (await _shown(request, session, viewer))(Form())


@post("/me/password", guards=[BY_PERSON], status_code=200)
async def change_password(
    request: AnyRequest, viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
) -> Response[bytes]:
    """Change the password, in a transaction of its own: a failure must be counted before it is told."""
    form = await Form.read(request)
    async with in_transaction(request.app.state.sessions) as session:
        await act_as(session, viewer, now=now)
        show = await _shown(request, session, viewer)
    with answering(form, show):
        form.text("current", missing=msg("请输入当前密码"), most=MAX_PASSWORD)
        chosen = new_password(form, "new")
        form.require_sound()
        async with in_transaction(request.app.state.sessions) as session:
            await act_as(session, viewer, now=now)
            refusal = await service.change_password(
                session, viewer, waiting_token(request), current=form.first("current"), new=chosen, now=now
            )
    if isinstance(refusal, Refusal):
        return refused_page(form, refusal, "current", show)
    flash(request, msg("密码已修改，其他登录均已结束。"))
    return see("/me")


@post("/me/second-factor", guards=[BY_PERSON_PROVED], status_code=200)
async def begin_enrolment(
    request: AnyRequest, viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> Response[bytes]:
    """Show a new secret for an authenticator, this once."""
    enrolment = await service.begin_enrolment(session, viewer)
    return show_enrolment(request, Form(), enrolment, action="/me/second-factor/confirm")


@post("/me/second-factor/confirm", guards=[BY_PERSON_PROVED], status_code=200)
async def confirm_enrolment(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Put the secret into force by its first code; the recovery codes are shown once."""
    form = await Form.read(request)
    with answering(form, lambda refused: show_enrolment(request, refused, None, action="/me/second-factor/confirm")):
        code = form.text("code", missing=msg("请输入验证码"), most=MAX_CODE)
        form.require_sound()
        try:
            codes = await service.confirm_enrolment(session, viewer, code, now=now)
        except (ProofRefused, NotEnrolled) as refusal:
            refusal.facts["field"] = "code"
            raise
    return show_codes(request, codes, Form({"next": ["/me"]}))


@post("/me/second-factor/recovery-codes", guards=[BY_PERSON_PROVED], status_code=200)
async def renew_recovery_codes(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show new recovery codes, this once; all earlier ones are dead."""
    form = await Form.read(request)
    with answering(form, await _shown(request, session, viewer)):
        codes = await service.renew_recovery_codes(session, viewer, now=now)
    return show_codes(request, codes, Form({"next": ["/me"]}))


@post("/me/second-factor/disable", guards=[BY_PERSON_PROVED], status_code=200)
async def disable_second_factor(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Give the second factor up."""
    show = await _shown(request, session, viewer)
    return await press(
        request,
        session,
        show,
        lambda: service.disable_second_factor(session, viewer, now=now),
        by=viewer.organisation_id,
        said=msg("第二验证因素已停用。"),
        to="/me",
    )


@post("/me/sessions/{session_id:uuid}/revoke", guards=[BY_PERSON], status_code=200)
async def revoke_session(
    request: AnyRequest,
    session_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """End one of one's own sessions."""
    show = await _shown(request, session, viewer)
    return await press(
        request,
        session,
        show,
        lambda: service.revoke_session(session, viewer, session_id, now=now),
        by=viewer.organisation_id,
        said=msg("该登录已结束。"),
        to="/me",
    )


@post("/me/sessions/revoke-others", guards=[BY_PERSON], status_code=200)
async def revoke_other_sessions(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """End every session of one's own but this one."""
    form = await Form.read(request)
    with answering(form, await _shown(request, session, viewer)):

        async def act() -> str:
            count = await service.revoke_other_sessions(session, viewer, waiting_token(request), now=now)
            flash(request, msg("已结束其他 %(count)s 处登录。", count=count))
            return "/me"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@post("/me/organisations/{organisation_id:uuid}/leave", guards=[BY_PERSON_PROVED], status_code=200)
async def leave_organisation(
    request: AnyRequest,
    organisation_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Leave an organisation; who leaves the one acted for is signed out, since every session there ends."""
    form = await Form.read(request)
    with answering(form, await _shown(request, session, viewer)):
        await service.leave_organisation(session, viewer, organisation_id=organisation_id, now=now)
    if organisation_id == viewer.organisation_id:
        request.clear_session()
        return see("/sign-in?done=left")
    flash(request, msg("您已离开该机构。"))
    return see("/me")


@post("/me/saved", guards=[BY_PERSON], status_code=200)
async def codes_saved(request: AnyRequest) -> Response[bytes]:
    """Go on after what was shown once: to the interrupted form, or to where the reader was going."""
    return go_on(request, await Form.read(request), otherwise="/desk")


async def _shown(request: AnyRequest, session: AsyncSession, viewer: Viewer) -> Show:
    """Read what the page needs and return what shows it with a form."""
    if viewer.principal_kind is not PrincipalKind.USER:
        raise NotFound
    context = {
        "email": await queries.email_of(session, viewer.principal_id),
        "is_enrolled": await queries.is_enrolled(session, viewer.principal_id),
        "held": await queries.organisations_of(session, viewer.principal_id),
        "open_sessions": (await queries.web_sessions(session, viewer, current_token=waiting_token(request))).rows,
        "current": viewer.organisation_id,
    }
    return lambda form: page(request, "parties/account.html", context, form=form)


ROUTES = (
    account,
    change_password,
    begin_enrolment,
    confirm_enrolment,
    renew_recovery_codes,
    disable_second_factor,
    revoke_session,
    revoke_other_sessions,
    leave_organisation,
    codes_saved,
)
