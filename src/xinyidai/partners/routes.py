"""The doors of partners: an organisation's administrators mint, list and revoke its keys."""

from datetime import datetime
from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import Role, Viewer
from xinyidai.partners import queries, service
from xinyidai.partners.schemas import ApiClientIn, ApiClientPageOut, MintedKeyOut

BY_ADMINISTRATOR = requires(roles=(Role.ADMIN, Role.OWNER))
BY_ADMINISTRATOR_PROVED = requires(roles=(Role.ADMIN, Role.OWNER), fresh=True)


@post(
    "/",
    operation_id="MintKey",
    summary="Mint a key",
    description=(
        "Make a key for a machine client of one's own organisation; the operator may for any. The secret is in this "
        "answer and nowhere else: keep it, or revoke the key and mint another."
    ),
    guards=[BY_ADMINISTRATOR_PROVED],
)
async def mint_key(
    data: JSONBody[ApiClientIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> MintedKeyOut:
    """Mint a key."""
    return MintedKeyOut.of(
        await service.mint_key(
            session,
            viewer,
            organisation_id=data.organisation_id,
            name=data.name,
            scopes=data.scopes,
            role=data.role,
            now=now,
        )
    )


@get(
    "/",
    operation_id="ListKeys",
    summary="Keys of an organisation",
    description="One's own organisation's keys, revoked ones included, oldest first; the operator may name another.",
    guards=[BY_ADMINISTRATOR],
)
async def list_keys(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    organisation_id: FromQuery[UUID | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> ApiClientPageOut:
    """List keys."""
    asked = organisation_id or viewer.organisation_id
    return ApiClientPageOut.of(await queries.keys(session, viewer, organisation_id=asked, cursor=cursor, limit=limit))


@post(
    "/{client_id:uuid}/revoke",
    operation_id="RevokeKey",
    summary="Revoke a key",
    description="For good; the next request that presents it is refused.",
    guards=[BY_ADMINISTRATOR],
    status_code=204,
)
async def revoke_key(
    client_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> None:
    """Revoke a key."""
    await service.revoke_key(session, viewer, client_id, now=now)


router = Router(path="/api-clients", route_handlers=[mint_key, list_keys, revoke_key], tags=["partners"])
