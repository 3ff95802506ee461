"""The people of an organisation."""

from datetime import datetime
from uuid import UUID

from litestar import get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.parties import service
from xinyidai.parties.schemas.people import MemberOut, MemberPageOut, MembershipIn, PersonIn, RolesIn
from xinyidai.parties.schemas.reference import CreatedOut

BY_ADMINISTRATOR = requires(roles=(Role.ADMIN, Role.OWNER))
BY_ADMINISTRATOR_PROVED = requires(roles=(Role.ADMIN, Role.OWNER), fresh=True)
# Both tell whether an email has an account, and take nobody's yes: organisations invite instead.
BY_OPERATOR_PROVED = requires(OrganisationKind.OPERATOR, roles=(Role.ADMIN,), fresh=True)


@get(
    "/members",
    operation_id="ListMembers",
    summary="The people of my organisation",
    description="Active memberships, and whether two different people can make and approve. The operator may name"
    " another organisation, which is written down.",
    guards=[BY_ADMINISTRATOR],
)
async def list_members(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    organisation_id: FromQuery[UUID | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> MemberPageOut:
    """List the people of an organisation."""
    asked = organisation_id or viewer.organisation_id
    page, desk = await service.members_of(session, viewer, asked, cursor=cursor, limit=limit, now=now)
    return MemberPageOut(
        members=[MemberOut.of(view) for view in page.rows],
        next_cursor=page.next_cursor,
        is_desk_complete=desk.is_complete,
        missing_roles=list(desk.missing),
    )


@post(
    "/users",
    operation_id="AdmitPerson",
    summary="Admit a new person",
    description="The operator makes an account with roles in any organisation; organisations themselves invite.",
    guards=[BY_OPERATOR_PROVED],
)
async def admit_person(
    data: JSONBody[PersonIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> CreatedOut:
    """Admit a person."""
    user_id = await service.admit_person(
        session,
        viewer,
        organisation_id=data.organisation_id,
        email=data.email,
        display_name=data.display_name,
        password=data.password,
        roles=data.roles,
        now=now,
    )
    return CreatedOut(id=user_id)


@post(
    "/memberships",
    operation_id="GiveMembership",
    summary="Give a person roles",
    description="By the operator, for a person with an account, in any organisation; organisations themselves invite.",
    guards=[BY_OPERATOR_PROVED],
)
async def give_membership(
    data: JSONBody[MembershipIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> CreatedOut:
    """Give a membership."""
    membership_id = await service.give_membership(
        session, viewer, organisation_id=data.organisation_id, email=data.email, roles=data.roles, now=now
    )
    return CreatedOut(id=membership_id)


@patch(
    "/memberships/{membership_id:uuid}",
    operation_id="ChangeRoles",
    summary="Change a person's roles",
    description="The membership ends and another begins, so who held which role when stays on record.",
    guards=[BY_ADMINISTRATOR_PROVED],
)
async def change_roles(
    membership_id: FromPath[UUID],
    data: JSONBody[RolesIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> CreatedOut:
    """Change roles."""
    return CreatedOut(id=await service.change_roles(session, viewer, membership_id, roles=data.roles, now=now))


@post(
    "/memberships/{membership_id:uuid}/end",
    operation_id="EndMembership",
    summary="End a person's roles",
    description="The person's next request is refused, whatever session they hold. Somebody must stay to administer.",
    guards=[BY_ADMINISTRATOR_PROVED],
    status_code=204,
)
async def end_membership(
    membership_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> None:
    """End a membership."""
    await service.end_membership(session, viewer, membership_id, now=now)


ROUTES = (list_members, admit_person, give_membership, change_roles, end_membership)
