"""Reading records under a permission, as known at a moment."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.consents import queries as consents
from xinyidai.consents.rules import ConsentMissing, Permission
from xinyidai.foundation.database import driver
from xinyidai.sources.rules.records.kinds import KINDS, RecordKind

ORIGIN: Final = ("firm_id", "delivery_no", "line_no", "recorded_at")
"""Whose a record is, and the line of the delivery that it came in."""
_PERMITTED: Final = """
SELECT count(*) FROM unnest($1::uuid[]) AS s (id) CROSS JOIN unnest($2::text[]) AS i (code)
WHERE s.id = access.organisation_id() OR s.id IN (SELECT consents.permitted_subjects(i.code))
   OR s.id IN (SELECT sources.open_subjects(i.code))
"""


async def records(session: AsyncSession, permission: Permission, code: str, *, known_at: datetime) -> pd.DataFrame:
    """Return the records of one item of the permission's subjects, as the platform knew them at `known_at`.

    Columns of `ORIGIN`, then the item's, in the order of firms and names; no row means that nothing is known, which is
    not zero. As with invoices the consents are looked at once more after the read. The caller writes the audit row.

    Raises
    ------
    ConsentMissing
        The permission was not for the item, or the database no longer lets every subject be read.
    """
    if code not in permission.item_codes:
        raise _missing(permission, len(permission.subject_ids), [code])
    await consents.present(session, permission)
    found = await _fetch(session, permission, KINDS[code], known_at)
    await _require_still(session, permission, [code])
    return found


async def records_of(
    session: AsyncSession, permission: Permission, *, known_at: datetime
) -> Mapping[str, pd.DataFrame]:
    """Return all that the permission allows of its subjects' records, by item; items without a record are left out.

    Raises
    ------
    ConsentMissing
        As of `records`.
    """
    codes = [code for code in permission.item_codes if code in KINDS]
    await consents.present(session, permission)
    connection = await driver(session)
    kept = ", ".join(f"EXISTS (SELECT FROM sources.{KINDS[code].table} WHERE firm_id = ANY ($1))" for code in codes)
    has = await connection.fetchrow(f"SELECT {kept}", sorted(permission.subject_ids)) if codes else ()
    frames = {
        code: await _fetch(session, permission, KINDS[code], known_at)
        for code, is_kept in zip(codes, has, strict=True)
        if is_kept
    }
    await _require_still(session, permission, codes)
    return {code: frame for code, frame in frames.items() if len(frame)}


async def _fetch(session: AsyncSession, permission: Permission, kind: RecordKind, known_at: datetime) -> pd.DataFrame:
    connection = await driver(session)
    rows = await connection.fetch(_read(kind), sorted(permission.subject_ids), known_at)
    names = [*ORIGIN, *(column.name for column in kind.columns)]
    return pd.DataFrame([tuple(row) for row in rows], columns=names)


async def _require_still(session: AsyncSession, permission: Permission, codes: Sequence[str]) -> None:
    subjects = sorted(permission.subject_ids)
    permitted = await (await driver(session)).fetchval(_PERMITTED, subjects, list(codes))
    if permitted != len(subjects) * len(codes):
        raise _missing(permission, len(subjects), codes)


def _missing(permission: Permission, count: int, codes: Sequence[str]) -> ConsentMissing:
    return ConsentMissing(purpose=permission.purpose.value, missing=count, items=list(codes))


def _read(kind: RecordKind) -> str:
    columns = ", ".join((*ORIGIN, *(column.name for column in kind.columns)))
    return (
        f"SELECT {columns} FROM sources.{kind.table}"  # noqa: S608 - names of kinds
        " WHERE firm_id = ANY ($1) AND recorded_at <= $2 AND (superseded_at IS NULL OR superseded_at > $2)"
        f" ORDER BY firm_id, {', '.join(kind.key)}"
    )
