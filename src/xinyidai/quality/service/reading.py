"""Reading facts to judge: under the platform's permission, of those firms alone that allow it."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import pandas as pd
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.audit import service as audit
from xinyidai.catalogue import queries as catalogue
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import MAX_SUBJECTS, Permission, Purpose
from xinyidai.foundation.clock import business_date
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources.queries import delivered as sources

FIRMS_AT_ONCE = min(500, MAX_SUBJECTS)


async def permitted(
    session: AsyncSession, code: str, firm_ids: Sequence[UUID], *, object_id: str, now: datetime
) -> Permission:
    """Return the platform's permission to read an item of those of the firms that allow it, and write it down.

    At most FIRMS_AT_ONCE firms, which one audit row names.
    """
    (item,) = (await catalogue.listed(session, [code], business_date(now))).values()
    allowed = set(firm_ids)
    if item.needs_consent:
        allowed = await consents.subjects_allowed(
            session,
            sorted(allowed),
            purpose=Purpose.PRE_LOAN,
            item_codes=[code],
            receiver_id=PLATFORM_ID,
            now=now,
        )
    if allowed:
        await audit.write_down(
            session,
            None,
            action="quality.judged",
            subject_ids=sorted(allowed),
            object_kind="delivery",
            object_id=object_id,
            now=now,
            purpose=Purpose.PRE_LOAN,
        )
    return Permission(frozenset(allowed), (), Purpose.PRE_LOAN, PLATFORM_ID, (code,), now)


async def facts(
    session: AsyncSession,
    permission: Permission,
    *,
    delivery_no: int | None = None,
    lines: tuple[int, int] = (0, 2**31 - 1),
) -> pd.DataFrame:
    """Return the current facts of the permission's one item, of a delivery's lines where one is named."""
    (code,) = permission.item_codes
    return await sources.current_facts(session, permission, code, delivery_no=delivery_no, lines=lines)


async def established(session: AsyncSession, firm_ids: Sequence[UUID]) -> dict[object, date]:
    """Return the day on which each firm was established, of those that told it."""
    found = await parties.parties_by_id(session, firm_ids)
    return {view.id: view.established_on for view in found.values() if view.established_on is not None}


def chunks(firm_ids: Sequence[UUID]) -> list[Sequence[UUID]]:
    """Return firms in stretches of FIRMS_AT_ONCE."""
    return [firm_ids[start : start + FIRMS_AT_ONCE] for start in range(0, len(firm_ids), FIRMS_AT_ONCE)]
