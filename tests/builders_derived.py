"""Providers that sign: keys registered by two people, statements, receipts."""

from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from builders_parties import Desk
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.foundation.canonical import Json
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.signatures import signed_bytes
from xinyidai.sources import service
from xinyidai.sources.rules.derived import HEADLINE

ITEM = "social_insurance"
A_VALUE: dict[str, Json] = {
    "indicator": "insured_headcount",
    "unit": "count",
    "value": 12,
    "as_of": "2025-06-16",
    "covers_from": "2024-06-01",
    "covers_to": "2025-05-31",
    "method_version": "hrss-2025.1",
}


@dataclass(frozen=True)
class Signer:
    """A provider with a key that is registered."""

    provider: Viewer
    key: Ed25519PrivateKey
    key_id: UUID

    def sign(self, told: Json, *, headline: str = HEADLINE) -> bytes:
        """Sign what is told."""
        return self.key.sign(signed_bytes(headline, told))

    def signed(self, told: dict[str, Json]) -> dict[str, Json]:
        """Return the body of a delivery."""
        signature = b64encode(self.sign(told)).decode()
        return {"key_id": str(self.key_id), "signature": signature, "statement": told}

    def with_other_key(self) -> "Signer":
        """Return the same provider with a private key that is not the registered one."""
        return replace(self, key=Ed25519PrivateKey.generate())


async def a_signer(
    session: AsyncSession, provider: Viewer, operator: Desk, *, days: int = 365, now: datetime
) -> Signer:
    """Register a new key of a provider, by two people of the operator."""
    key = Ed25519PrivateKey.generate()
    proposed = await service.propose_key(
        session,
        operator.maker,
        provider_id=provider.organisation_id,
        public_key=key.public_key().public_bytes_raw(),
        valid_from_at=now - timedelta(days=1),
        valid_until=now + timedelta(days=days),
        now=now,
    )
    await service.approve_key(session, operator.checker, proposed.id, now=now)
    return Signer(provider, key, proposed.id)


def a_statement(
    signer: Signer,
    credit_code: str,
    consent_id: UUID,
    *values: dict[str, Json],
    item: str = ITEM,
    made_at: datetime,
    **fields: Json,
) -> dict[str, Json]:
    """Return a good statement, with some fields replaced."""
    return {
        "statement_id": str(new_id()),
        "provider_id": str(signer.provider.organisation_id),
        "credit_code": credit_code,
        "item": item,
        "consent_id": str(consent_id),
        "made_at": made_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "values": list(values or (A_VALUE,)),
    } | fields


async def in_domain(admin: asyncpg.Connection, *item_codes: str, topology: str = "in_domain") -> None:
    """Let items be computed at their owner, or pass by, in this province."""
    await admin.execute(
        "INSERT INTO catalogue.item_topology (item_code, item_version, province_code, topology, basis)"
        " SELECT code, version, '50', $2, 'for a test' FROM catalogue.item WHERE code = ANY ($1)"
        " ON CONFLICT (item_code, item_version, province_code) DO UPDATE SET topology = excluded.topology",
        list(item_codes),
        topology,
    )
