"""Reading what the coverage of a firm's items hangs on."""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.service import platform_scope
from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import is_usable
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import Permission
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import driver
from xinyidai.sources.models import Delivery, PullPart
from xinyidai.sources.queries.own import CODES
from xinyidai.sources.queries.purged import items_purged
from xinyidai.sources.rules import ITEM
from xinyidai.sources.rules.coverage import Asking, Coverage, Delivered, coverages
from xinyidai.sources.rules.pull_parts import OPEN_PARTS, PartState, PullReason
from xinyidai.sources.rules.records.kinds import KINDS

_COUNT: Final = (
    "SELECT count(*) AS facts, min({dated})::text AS first, max({dated})::text AS last FROM sources.{table}"
    " WHERE firm_id = $1 AND superseded_at IS NULL"
)
_AT_WORK: Final = (None, PullReason.AWAITED.value)
"""Why an item is still to come without its source being at fault: it was just asked for, or is worked on there."""


async def coverage_of(
    session: AsyncSession,
    permission: Permission,
    firm_id: UUID,
    *,
    asked: Collection[str],
    receiver_id: UUID,
    now: datetime,
) -> list[Coverage]:
    """Return the coverage of every item that may be held, for a receiver; facts are counted under the permission.

    The caller writes the audit row.
    """
    listed = await catalogue.listed(session, CODES, business_date(now))
    usable = sorted(code for code, item in listed.items() if is_usable(item))
    terms = await consents.terms_for(session, firm_id, usable, receiver_id=receiver_id)
    connected = await _connected(session)
    silent = await _silent(session, firm_id)
    purged = await items_purged(session, firm_id)
    await consents.present(session, permission)
    readable = set(permission.item_codes)
    askings = [
        Asking(
            item_code=code,
            is_asked=code in asked,
            is_open=not listed[code].needs_consent,
            terms=terms[code].terms,
            taken_back_at=terms[code].taken_back_at,
            delivered=await _delivered(session, firm_id, code) if code in readable else None,
            is_connected=code in connected or code in silent,
            is_silent=code in silent,
            purged=purged.get(code, 0),
        )
        for code in usable
    ]
    return coverages(askings, at=now)


async def _delivered(session: AsyncSession, firm_id: UUID, code: str) -> Delivered | None:
    table, dated = ("invoice_fact", "issued_on") if code == ITEM else (KINDS[code].table, KINDS[code].dated_by)
    row = await (await driver(session)).fetchrow(_COUNT.format(table=table, dated=dated), firm_id)
    return Delivered(row["facts"], row["first"], row["last"]) if row["facts"] else None


async def _connected(session: AsyncSession) -> set[str]:
    async with platform_scope(session):
        return set((await session.execute(select(col(Delivery.item_code)).distinct())).scalars())


async def _silent(session: AsyncSession, firm_id: UUID) -> set[str]:
    """Return the items whose newest asking failed, or waits because something is wrong at the source."""
    newest = (
        select(col(PullPart.item_code), col(PullPart.state), col(PullPart.reason))
        .where(col(PullPart.firm_id) == firm_id)
        .ext(distinct_on(col(PullPart.item_code)))
        .order_by(col(PullPart.item_code), col(PullPart.pull_id).desc())
    )
    async with platform_scope(session):
        found = (await session.execute(newest)).all()
    waiting = {row.item_code for row in found if row.state in OPEN_PARTS and row.reason not in _AT_WORK}
    return waiting | {row.item_code for row in found if row.state == PartState.FAILED}
