"""Reading facts to judge: under the platform's permission, of those firms alone that allow it."""

from collections.abc import Collection, Sequence
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
    session: AsyncSession, codes: Collection[str], firm_ids: Sequence[UUID], *, object_id: str, now: datetime
) -> dict[str, Permission]:
    """Return, by item, the platform's permission to read it of those of the firms that allow it, and write it down.

    At most FIRMS_AT_ONCE firms; one audit row names all those of whom anything may be read.
    """
    listed = await catalogue.listed(session, sorted(codes), business_date(now))
    guarded = [code for code, item in listed.items() if item.needs_consent]
    allowed = {code: set(firm_ids) for code in listed} | await consents.subjects_by_item(
        session,
        sorted(firm_ids),
        purpose=Purpose.PRE_LOAN,
        item_codes=guarded,
        receiver_id=PLATFORM_ID,
        now=now,
    )
    read = sorted(set().union(*allowed.values()))
    if read:
        await audit.write_down(
            session,
            None,
            action="quality.judged",
            subject_ids=read,
            object_kind="delivery",
            object_id=object_id,
            now=now,
            purpose=Purpose.PRE_LOAN,
        )
    return {
        code: Permission(frozenset(subjects), (), Purpose.PRE_LOAN, PLATFORM_ID, (code,), now)
        for code, subjects in allowed.items()
    }


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
