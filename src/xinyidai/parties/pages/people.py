"""For administrators: who belongs to the organisation, inviting, ending, and recovering a colleague's account."""

from datetime import datetime
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import Role, Viewer
from xinyidai.foundation.pages.forms import Form, Show, act_once, answering, press
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.parties import queries, service
from xinyidai.parties.pages.showing import show_invitation, show_link
from xinyidai.parties.rules import ONE_PERSON_DESKS

AnyRequest = Request[object, object, State]
BY_ADMINISTRATOR = requires(roles=(Role.ADMIN, Role.OWNER))
BY_ADMINISTRATOR_PROVED = requires(roles=(Role.ADMIN, Role.OWNER), fresh=True)
MAX_EMAIL = 254


@get("/people", guards=[BY_ADMINISTRATOR])
async def people(
    request: AnyRequest, viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> Response[bytes]:
    """Show members, open invitations, and recoveries that wait for a second administrator."""
    return (await _shown(request, session, viewer))(Form())


@post("/people/invitations", guards=[BY_ADMINISTRATOR_PROVED], status_code=200)
async def invite(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Invite a person; the link is on the answer and nowhere else, so this is not kept to be answered again."""
    form = await Form.read(request)
    with answering(form, await _shown(request, session, viewer)):
        email = form.text("email", missing=msg("请输入邮箱"), most=MAX_EMAIL)
        roles = [role for role in Role if form.has("roles", role.value)]
        if not roles:
            form.fault("roles", msg("请至少选择一个角色"))
        form.require_sound()
        invited = await service.invite(
            session, viewer, organisation_id=viewer.organisation_id, email=email, roles=roles, now=now
        )
    return show_invitation(request, invited)


@post("/people/invitations/{invitation_id:uuid}/withdraw", guards=[BY_ADMINISTRATOR], status_code=200)
async def withdraw_invitation(
    request: AnyRequest,
    invitation_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Withdraw an invitation."""
    show = await _shown(request, session, viewer)
    return await press(
        request,
        session,
        show,
        lambda: service.withdraw_invitation(session, viewer, invitation_id, now=now),
        by=viewer.organisation_id,
        said=msg("邀请已撤回，链接立即失效。"),
        to="/people",
    )


@post("/people/members/{membership_id:uuid}/end", guards=[BY_ADMINISTRATOR_PROVED], status_code=200)
async def end_membership(
    request: AnyRequest,
    membership_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """End a person's roles."""
    show = await _shown(request, session, viewer)
    return await press(
        request,
        session,
        show,
        lambda: service.end_membership(session, viewer, membership_id, now=now),
        by=viewer.organisation_id,
        said=msg("该人员的角色已终止。"),
        to="/people",
    )


@post("/people/members/{membership_id:uuid}/roles", guards=[BY_ADMINISTRATOR_PROVED], status_code=200)
async def change_roles(
    request: AnyRequest,
    membership_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Change a person's roles."""
    form = await Form.read(request)
    with answering(form, await _shown(request, session, viewer)):
        roles = [role for role in Role if form.has("member_roles", role.value)]
        if not roles:
            form.fault(None, msg("请至少选择一个角色"))
        form.require_sound()

        async def act() -> str:
            await service.change_roles(session, viewer, membership_id, roles=roles, now=now)
            flash(request, msg("角色已更改。"))
            return "/people"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@post("/people/recoveries", guards=[BY_ADMINISTRATOR_PROVED], status_code=200)
async def ask_recovery(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask for a colleague's account to be recovered."""
    form = await Form.read(request)
    with answering(form, await _shown(request, session, viewer)):
        email = form.text("recovery_email", missing=msg("请输入邮箱"), most=MAX_EMAIL)
        form.require_sound()

        async def act() -> str:
            await service.ask_recovery(session, viewer, email=email, now=now)
            flash(request, msg("已申请。请另一名管理员在 24 小时内确认。"))
            return "/people"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


@post("/people/recoveries/{recovery_id:uuid}/confirm", guards=[BY_ADMINISTRATOR_PROVED], status_code=200)
async def confirm_recovery(
    request: AnyRequest,
    recovery_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Confirm what another administrator asked for; the link is on the answer and nowhere else."""
    form = await Form.read(request)
    with answering(form, await _shown(request, session, viewer)):
        link = await service.confirm_recovery(session, viewer, recovery_id, now=now)
    return show_link(
        request,
        link.path,
        title=msg("恢复链接"),
        words=msg("请当面或电话核实后交给本人。链接 30 分钟内有效，只能使用一次。"),
    )


async def _shown(request: AnyRequest, session: AsyncSession, viewer: Viewer) -> Show:
    """Read what the page needs and return what shows it with a form."""
    members = await queries.members(
        session, viewer.organisation_id, cursor=request.query_params.get("cursor") if request.method == "GET" else None
    )
    names = {one.user_id: one.display_name for one in members.rows}
    is_one_person = viewer.organisation_kind in ONE_PERSON_DESKS
    context = {
        "members": members.rows,
        "next_cursor": members.next_cursor,
        "desk": await queries.desk(session, viewer.organisation_id),
        "invitations": (await queries.open_invitations(session, viewer.organisation_id)).rows,
        "recoveries": (await queries.open_recoveries(session, viewer.organisation_id)).rows,
        "names": names,
        "me": viewer.principal_id,
        "is_one_person_desk": is_one_person,
        "roles_offered": [role for role in Role if is_one_person or role is not Role.OWNER],
    }
    return lambda form: page(request, "parties/people.html", context, form=form)


ROUTES = (
    people,
    invite,
    withdraw_invitation,
    end_membership,
    change_roles,
    ask_recovery,
    confirm_recovery,
)
