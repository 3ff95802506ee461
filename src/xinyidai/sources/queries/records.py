"""Reading records under a permission, as known at a moment."""

from collections.abc import Mapping
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
SELECT count(*) FROM unnest($1::uuid[]) AS s (id)
WHERE s.id = access.organisation_id() OR s.id IN (SELECT consents.permitted_subjects($2))
   OR s.id IN (SELECT sources.open_subjects($2))
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
    kind, subjects = KINDS[code], sorted(permission.subject_ids)
    if code not in permission.item_codes:
        raise ConsentMissing(purpose=permission.purpose.value, missing=len(subjects), items=[code])
    await consents.present(session, permission)
    connection = await driver(session)
    rows = await connection.fetch(_read(kind), subjects, known_at)
    permitted = await connection.fetchval(_PERMITTED, subjects, code)
    if permitted != len(subjects):
        raise ConsentMissing(purpose=permission.purpose.value, missing=len(subjects) - permitted, items=[code])
    names = [*ORIGIN, *(column.name for column in kind.columns)]
    return pd.DataFrame([tuple(row) for row in rows], columns=names)


async def records_of(
    session: AsyncSession, permission: Permission, *, known_at: datetime
) -> Mapping[str, pd.DataFrame]:
    """Return all that the permission allows of its subjects' records, by item; items without a record are left out."""
    found = {}
    for code in permission.item_codes:
        if code in KINDS:
            frame = await records(session, permission, code, known_at=known_at)
            if len(frame):
                found[code] = frame
    return found


def _read(kind: RecordKind) -> str:
    columns = ", ".join((*ORIGIN, *(column.name for column in kind.columns)))
    return (
        f"SELECT {columns} FROM sources.{kind.table}"  # noqa: S608 - names of kinds
        " WHERE firm_id = ANY ($1) AND recorded_at <= $2 AND (superseded_at IS NULL OR superseded_at > $2)"
        f" ORDER BY firm_id, {', '.join(kind.key)}"
    )
