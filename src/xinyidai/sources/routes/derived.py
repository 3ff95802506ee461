"""Doors beside the held copy: signed derived values, the keys of those who sign, receipts of what passed through."""

from datetime import datetime
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.foundation.errors import ValueRefused
from xinyidai.sources import service
from xinyidai.sources.queries import keys, receipts
from xinyidai.sources.schemas.derived import (
    ProviderKeyIn,
    ProviderKeyOut,
    ProviderKeyPageOut,
    ReceiptPageOut,
    SignedStatementIn,
    StatementOut,
)

BY_PROVIDER = requires(
    OrganisationKind.AGENCY, OrganisationKind.OPERATOR, roles=(Role.OFFICER, Role.ADMIN), scope=service.SCOPE
)


@post(
    "/derived-values",
    operation_id="DeliverDerivedValues",
    summary="Deliver derived values under a signature",
    description="What a provider computed in its own domain about one firm and one item, under a consent, signed with a"
    " key that is registered here. Taken in whole or not at all; the records behind it stay with the provider.",
    guards=[BY_PROVIDER],
)
async def deliver_derived_values(
    data: JSONBody[SignedStatementIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> StatementOut:
    """Take a statement in."""
    report = await service.receive_statement(
        session, viewer, data.statement.model_dump(), key_id=data.key_id, signature=data.signature_bytes, now=now
    )
    return StatementOut.of(report)


@get(
    "/provider-keys",
    operation_id="ListProviderKeys",
    summary="Signing keys of providers",
    description="A provider sees its own, the operator those of all, newest first.",
    guards=[requires(OrganisationKind.AGENCY, OrganisationKind.OPERATOR, scope="sources:read")],
)
async def list_provider_keys(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> ProviderKeyPageOut:
    """List keys."""
    return ProviderKeyPageOut.of(await keys.keys(session, viewer, cursor=cursor, limit=limit))


@post(
    "/provider-keys",
    operation_id="ProposeProviderKey",
    summary="Propose a provider's signing key",
    description="The first person's act. Whose the key is has been made sure of outside, face to face.",
    guards=[requires(OrganisationKind.OPERATOR, roles=(Role.OFFICER,), fresh=True)],
)
async def propose_provider_key(
    data: JSONBody[ProviderKeyIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ProviderKeyOut:
    """Propose a key."""
    for field, told in (("valid_from_at", data.valid_from_at), ("valid_until", data.valid_until)):
        if told.tzinfo is None:
            raise ValueRefused(field=field, why="without a time zone")
    found = await service.propose_key(
        session,
        viewer,
        provider_id=data.provider_id,
        public_key=data.key_bytes,
        valid_from_at=data.valid_from_at,
        valid_until=data.valid_until,
        now=now,
    )
    return ProviderKeyOut.of(found)


@post(
    "/provider-keys/{key_id:uuid}/approve",
    operation_id="ApproveProviderKey",
    summary="Approve a provider's signing key",
    description="The second person's act: from then on, and within its time, statements signed with it are taken in.",
    guards=[requires(OrganisationKind.OPERATOR, roles=(Role.APPROVER,), fresh=True)],
)
async def approve_provider_key(
    key_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ProviderKeyOut:
    """Approve a key."""
    return ProviderKeyOut.of(await service.approve_key(session, viewer, key_id, now=now))


@post(
    "/provider-keys/{key_id:uuid}/retire",
    operation_id="RetireProviderKey",
    summary="Retire a provider's signing key",
    description="At once and for good, by one person. What was signed with it before stays as it was.",
    guards=[requires(OrganisationKind.OPERATOR, roles=(Role.OFFICER, Role.APPROVER), fresh=True)],
)
async def retire_provider_key(
    key_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ProviderKeyOut:
    """Retire a key."""
    return ProviderKeyOut.of(await service.retire_key(session, viewer, key_id, now=now))


@get(
    "/receipts",
    operation_id="ListReceipts",
    summary="Receipts of what passed through",
    description="Who asked an item's owner about whom, when, under which consents, and the digest of the answer, which"
    " is kept nowhere here. A firm, a lender and a provider see those they are part of.",
    guards=[requires(scope="sources:read")],
)
async def list_receipts(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> ReceiptPageOut:
    """List receipts."""
    return ReceiptPageOut.of(await receipts.receipts(session, viewer, cursor=cursor, limit=limit))


ROUTES = (
    list_receipts,
    deliver_derived_values,
    list_provider_keys,
    propose_provider_key,
    approve_provider_key,
    retire_provider_key,
)
