"""Sealing facts by delivery, and naming each fact that is not as it was sealed.

A fact's leaf is the SHA-256 of all it says; the leaves of one firm in one stretch of a delivery make one row of
`fact_seal`, and those rows are a sealed stream like any other. So a million facts cost some thousand sealed rows.
"""

from datetime import datetime

from sqlalchemy import Select, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.foundation.database import lock_key, set_local
from xinyidai.foundation.sealing import Finding, Found, SealState
from xinyidai.foundation.timetable import Moment, moment_of
from xinyidai.sources.models import Delivery

FACTS = "sources.invoice_fact"
_TIME_OUT = "15min"


def unsealed_deliveries(_at: Moment) -> Select[int]:
    """Return the statement of deliveries with facts that are not sealed yet."""
    return select(col(Delivery.no)).where(col(Delivery.loaded) > 0, ~func.sources.is_sealed(col(Delivery.no)))


async def seal_facts(session: AsyncSession, *, delivery_no: int | None = None, now: datetime) -> int:
    """Seal every delivery that is not sealed yet, or the one; return how many facts. One sealer at a time.

    A delivery whose facts are not as many as were loaded is left open, for verify to name.
    """
    await lock_key(session, "sources:seal_facts")
    await set_local(session, "statement_timeout", _TIME_OUT)
    asked = unsealed_deliveries(moment_of(now))
    unsealed = (asked if delivery_no is None else asked.where(col(Delivery.no) == delivery_no)).subquery()
    sealed = select(func.coalesce(func.sum(func.sources.seal_delivery(unsealed.c.no, now)), 0))
    return int((await session.execute(sealed)).scalar_one())


async def verify_facts(session: AsyncSession) -> SealState:
    """Recompute every sealed fact's leaf and compare; the seals themselves are verified as the stream they are.

    A fact is found changed, missing or inserted under the name ``invoice_fact:<firm>/<delivery>.<line>``. A fact that
    says it was superseded without a supersession, or does not say so with one, is found changed as well. A delivery not
    sealed yet that has more or fewer facts than it loaded is found under ``delivery:<number>``.
    """
    await set_local(session, "statement_timeout", _TIME_OUT)
    rows = await session.execute(text("SELECT ref, finding FROM sources.altered_facts()"))
    found = tuple(sorted(Found(FACTS, row.ref, Finding(row.finding)) for row in rows))
    counted = (await session.execute(text("SELECT sealed, unsealed FROM sources.count_sealed_facts()"))).one()
    return SealState(FACTS, counted.sealed, counted.unsealed, found)
