"""Institutions and their people: whether each desk has its two, who was invited, which keys are in use."""

from datetime import datetime
from typing import Final
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.access.service import platform_scope
from xinyidai.desks.pages.names import AnyRequest
from xinyidai.desks.pages.operator import BY_ADMIN, BY_ADMIN_PROVED, BY_OPERATOR, ROWS, who
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.forms import Form, Show, answering, press
from xinyidai.foundation.pages.rendering import page
from xinyidai.foundation.pages.words import msg
from xinyidai.foundation.paging import MAX_PAGE
from xinyidai.parties import queries, service
from xinyidai.parties.pages.showing import show_invitation
from xinyidai.parties.rules import ONE_PERSON_DESKS
from xinyidai.partners import queries as partners
from xinyidai.partners import service as keys

INSTITUTIONS: Final = tuple(kind for kind in OrganisationKind if kind not in ONE_PERSON_DESKS)
MAX_EMAIL: Final = 254


@get("/operator/institutions", guards=[BY_OPERATOR])
async def list_institutions(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    kind: FromQuery[str] = "",
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List the institutions of a kind, each with whether two people can work there."""
    asked = OrganisationKind(kind) if kind in INSTITUTIONS else OrganisationKind.LENDER
    async with platform_scope(session):
        found = await queries.party_page(session, kind=asked, cursor=cursor, limit=ROWS)
        desks = {one.id: await queries.desk(session, one.id) for one in found.rows}
    return page(
        request,
        "desks/operator_institutions.html",
        who(viewer),
        found=found,
        desks=desks,
        kind=asked,
        kinds=INSTITUTIONS,
    )


@get("/operator/institutions/{party_id:uuid}", guards=[BY_ADMIN])
async def show_institution(
    request: AnyRequest,
    party_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show one institution: its people, open invitations, and keys."""
    return (await _shown(request, session, viewer, party_id, now=now))(Form())


@post("/operator/institutions/{party_id:uuid}/invitations", guards=[BY_ADMIN_PROVED], status_code=200)
async def invite_first(
    request: AnyRequest,
    party_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Invite the first administrator; the link is on the answer and nowhere else, so this is not kept."""
    form = await Form.read(request)
    with answering(form, await _shown(request, session, viewer, party_id, now=now)):
        email = form.text("email", missing=msg("请输入邮箱"), most=MAX_EMAIL)
        form.require_sound()
        invited = await service.invite(
            session, viewer, organisation_id=party_id, email=email, roles=[Role.ADMIN], now=now
        )
    return show_invitation(request, invited)


@post("/operator/institutions/{party_id:uuid}/keys/{key_id:uuid}/revoke", guards=[BY_ADMIN_PROVED], status_code=200)
async def revoke_key(
    request: AnyRequest,
    party_id: FromPath[UUID],
    key_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Revoke a key for good."""
    return await press(
        request,
        session,
        await _shown(request, session, viewer, party_id, now=now),
        lambda: keys.revoke_key(session, viewer, key_id, now=now),
        by=viewer.organisation_id,
        said=msg("密钥已停用，下一次使用即被拒绝。"),
        to=f"/operator/institutions/{party_id}",
    )


async def _shown(request: AnyRequest, session: AsyncSession, viewer: Viewer, party_id: UUID, *, now: datetime) -> Show:
    """Read what the page needs and return what shows it with a form. Who is a customer is nobody's business here."""
    async with platform_scope(session):
        party = await queries.party(session, party_id)
    if party.kind in ONE_PERSON_DESKS:
        raise NotFound
    members, desk = await service.members_of(session, viewer, party_id, now=now)
    context = {
        **who(viewer),
        "party": party,
        "desk": desk,
        "members": members.rows,
        "has_administrator": any(one.roles & {Role.ADMIN, Role.OWNER} for one in members.rows),
        "invitations": (await service.invitations_of(session, viewer, party_id, now=now)).rows,
        "keys": (await partners.keys(session, viewer, organisation_id=party_id, cursor=None, limit=MAX_PAGE)).rows,
        "is_own": party_id == viewer.organisation_id,
    }
    return lambda form: page(request, "desks/operator_institution.html", context, form=form)


ROUTES = (list_institutions, show_institution, invite_first, revoke_key)
