"""Reading derived values under a permission, and the signed words behind them."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import platform_scope
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import ConsentMissing, Permission
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import driver
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.signatures import is_signed, signed_bytes
from xinyidai.sources.queries import keys
from xinyidai.sources.rules.derived import HEADLINE, DerivedValue, SignedStatement, StatedValue

_READ: Final = """
SELECT DISTINCT ON (firm_id, indicator) *
FROM sources.derived_value
WHERE firm_id = ANY ($1) AND item_code = ANY ($2) AND as_of_on <= $3 AND recorded_at <= $4
ORDER BY firm_id, indicator, as_of_on DESC, recorded_at DESC
"""
_PERMITTED: Final = """
SELECT count(*) FROM unnest($1::uuid[]) AS s (id) CROSS JOIN unnest($2::text[]) AS i (code)
WHERE s.id = access.organisation_id() OR s.id IN (SELECT consents.permitted_subjects(i.code))
"""


async def derived_values(
    session: AsyncSession, permission: Permission, item_codes: Sequence[str], *, before: datetime, known_at: datetime
) -> tuple[DerivedValue, ...]:
    """Return the newest value of each indicator of the permission's subjects, by firm and indicator.

    The newest day not after that of `before`, as last said by `known_at`. As with invoices the consents are looked at
    once more after the read. The caller writes the audit row.

    Raises
    ------
    ConsentMissing
        The permission was not for an item, or the database no longer lets every subject be read.
    """
    subjects, codes = sorted(permission.subject_ids), sorted(set(item_codes))
    if not set(codes) <= set(permission.item_codes):
        raise ConsentMissing(purpose=permission.purpose.value, missing=len(subjects), items=codes)
    await consents.present(session, permission)
    connection = await driver(session)
    rows = await connection.fetch(_READ, subjects, codes, business_date(before), known_at)
    if await connection.fetchval(_PERMITTED, subjects, codes) != len(subjects) * len(codes):
        raise ConsentMissing(purpose=permission.purpose.value, missing=len(subjects), items=codes)
    return tuple(_value(row) for row in rows)


async def signed_statement(session: AsyncSession, permission: Permission, statement_id: UUID) -> SignedStatement:
    """Return what a provider said word by word, and whether its signature still holds. The caller writes the audit row.

    `statement_id` is the platform's own, as derived values name it.

    Raises
    ------
    NotFound
        There is none about a subject of the permission.
    ConsentMissing
        The permission is not for its item.
    """
    await consents.present(session, permission)
    row = await (await driver(session)).fetchrow("SELECT * FROM sources.statement WHERE id = $1", statement_id)
    if row is None or row["firm_id"] not in permission.subject_ids:
        raise NotFound
    if row["item_code"] not in permission.item_codes:
        raise ConsentMissing(purpose=permission.purpose.value, missing=1, items=[row["item_code"]])
    async with platform_scope(session):
        key = await keys.key_of(session, row["provider_id"], row["key_id"])
    return SignedStatement(
        id=row["id"],
        provider_id=row["provider_id"],
        firm_id=row["firm_id"],
        item_code=row["item_code"],
        consent_id=row["consent_id"],
        words=row["words"],
        signature=row["signature"],
        key_id=key.id,
        public_key=key.public_key,
        received_at=row["received_at"],
        is_genuine=is_signed(key.public_key, signed_bytes(HEADLINE, json.loads(row["words"])), row["signature"]),
    )


def _value(row: asyncpg.Record) -> DerivedValue:
    return DerivedValue(
        firm_id=row["firm_id"],
        item_code=row["item_code"],
        provider_id=row["provider_id"],
        statement_id=row["statement_id"],
        consent_id=row["consent_id"],
        stated=StatedValue(
            indicator=row["indicator"],
            unit=row["unit"],
            value=row["value"],
            as_of_on=row["as_of_on"],
            covers_from=row["covers_from"],
            covers_to=row["covers_to"],
            method_version=row["method_version"],
        ),
        recorded_at=row["recorded_at"],
    )
