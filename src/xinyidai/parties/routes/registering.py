"""Registering firms and organisations, and what a firm says of itself."""

from datetime import datetime
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, PrincipalKind, Role, Viewer
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import ValueRefused
from xinyidai.parties import queries, service
from xinyidai.parties.rules import UserId
from xinyidai.parties.schemas.registering import (
    FirmIn,
    MoveIn,
    OrganisationIn,
    PartyOut,
    PartyPageOut,
    RegisteredOut,
    SizeIn,
    SizeOut,
)

READS = "parties:read"
BY_OPERATOR = OrganisationKind.OPERATOR
BY_FIRM = (OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
BY_ADMINISTRATOR = requires(roles=(Role.ADMIN, Role.OWNER))
ANYBODY = {"public": True}

AnyRequest = Request[object, object, State]


@post(
    "/firms",
    operation_id="RegisterFirm",
    summary="Register a firm",
    description=(
        "A firm or sole trader registers itself by its credit code, with its owner. A code is registered once. A "
        "person who has an account signs in first and leaves `owner` out. That the person may speak for the firm is "
        "not proved by this call."
    ),
    opt=ANYBODY,
    security=[{}],
)
async def register_firm(
    request: AnyRequest, data: JSONBody[FirmIn], session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> RegisteredOut:
    """Register a firm."""
    party_id, user_id = await service.register_firm(
        session,
        _owner_of(request, data),
        kind=data.kind,
        name=data.name,
        credit_code=data.credit_code,
        region_code=data.region_code,
        industry_code=data.industry_code,
        established_on=data.established_on,
        staff=data.staff,
        revenue_fen=data.revenue_fen,
        assets_fen=data.assets_fen,
        now=now,
    )
    return RegisteredOut(party_id=party_id, user_id=user_id)


def _owner_of(request: AnyRequest, data: FirmIn) -> service.Owner | UserId:
    viewer = request.scope.get("user")
    if data.owner is not None:
        return service.Owner(data.owner.email, data.owner.display_name, data.owner.password)
    if isinstance(viewer, Viewer) and viewer.principal_kind is PrincipalKind.USER:
        return UserId(viewer.principal_id)
    raise ValueRefused(field="owner", why="needed from a person who is not signed in")


@post(
    "/parties",
    operation_id="RegisterOrganisation",
    summary="Register an organisation",
    description="The operator registers a lender, guarantor, fund, agency or regulator; its people come after.",
    guards=[requires(BY_OPERATOR, roles=(Role.ADMIN,))],
)
async def register_organisation(
    data: JSONBody[OrganisationIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> RegisteredOut:
    """Register an organisation."""
    party_id = await service.register_organisation(
        session,
        viewer,
        kind=data.kind,
        name=data.name,
        credit_code=data.credit_code,
        region_code=data.region_code,
        now=now,
    )
    return RegisteredOut(party_id=party_id, user_id=None)


@get(
    "/parties",
    operation_id="ListOrganisations",
    summary="Organisations of a kind",
    description="Lenders, guarantors, funds, agencies or regulators, oldest first. Firms are not listed.",
    guards=[requires(scope=READS)],
)
async def list_organisations(
    session: NamedDependency[AsyncSession],
    kind: FromQuery[OrganisationKind],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> PartyPageOut:
    """List organisations; who is a customer here is nobody else's business."""
    if kind in BY_FIRM:
        raise ValueRefused(field="kind", why="firms are not listed")
    return PartyPageOut.of(await queries.party_page(session, kind=kind, cursor=cursor, limit=limit))


@get(
    "/parties/{party_id:uuid}",
    operation_id="GetParty",
    summary="A party",
    description="What the public registry shows of a party, by id.",
    guards=[requires(scope=READS)],
)
async def get_party(party_id: FromPath[UUID], session: NamedDependency[AsyncSession]) -> PartyOut:
    """Read a party."""
    return PartyOut.of(await queries.party(session, party_id))


@post(
    "/parties/{party_id:uuid}/region",
    operation_id="MoveParty",
    summary="Record where a party sits",
    description="From a day on, by the party's own owner or the operator. Earlier regions stay on record.",
    guards=[BY_ADMINISTRATOR],
)
async def move_party(
    party_id: FromPath[UUID],
    data: JSONBody[MoveIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> PartyOut:
    """Move a party."""
    await service.move_party(
        session, viewer, party_id, region_code=data.region_code, valid_from=data.valid_from, now=now
    )
    return PartyOut.of(await queries.party(session, party_id))


@post(
    "/size",
    operation_id="DeclareSize",
    summary="Declare staff, revenue and assets",
    description="What a firm says of itself from a day on, and the size class that follows.",
    guards=[requires(*BY_FIRM, roles=(Role.OWNER, Role.OFFICER))],
)
async def declare_size(
    data: JSONBody[SizeIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> SizeOut:
    """Declare the size of the viewer's own firm."""
    await service.declare_size(
        session,
        viewer,
        staff=data.staff,
        revenue_fen=data.revenue_fen,
        assets_fen=data.assets_fen,
        valid_from=data.valid_from,
        now=now,
    )
    return SizeOut.of(await queries.size_class(session, viewer.organisation_id, business_date(now)))


@get("/size", operation_id="GetSize", summary="My size class", guards=[requires(*BY_FIRM, scope=READS)])
async def get_size(
    viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> SizeOut:
    """Read the size class of the viewer's own firm as of today."""
    return SizeOut.of(await queries.size_class(session, viewer.organisation_id, business_date(now)))


ROUTES = (register_firm, register_organisation, list_organisations, get_party, move_party, declare_size, get_size)
