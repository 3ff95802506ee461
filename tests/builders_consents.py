"""Consents for tests."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from builders_parties import a_firm
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.consents import service
from xinyidai.consents.rules import ConsentView, Purpose
from xinyidai.parties.rules import PLATFORM_ID


async def a_consent(
    session: AsyncSession,
    firm: Viewer,
    *,
    purpose: Purpose = Purpose.PRE_LOAN,
    item_codes: Sequence[str] = ("vat_invoice",),
    receiver_ids: Sequence[UUID] = (PLATFORM_ID,),
    days: int = 90,
    now: datetime,
) -> ConsentView:
    """Return a consent that the firm gave just now."""
    return await service.grant(
        session,
        firm,
        purpose=purpose,
        item_codes=list(item_codes),
        receiver_ids=list(receiver_ids),
        expires_at=now + timedelta(days=days),
        now=now,
    )


async def a_consenting_firm(
    session: AsyncSession,
    *,
    credit_code: str | None = None,
    item_codes: Sequence[str] = ("vat_invoice",),
    receiver_ids: Sequence[UUID] = (PLATFORM_ID,),
    now: datetime,
) -> Viewer:
    """Return the owner of a new firm that lets the receivers use its invoices, or other items, before lending."""
    firm = await a_firm(session, credit_code=credit_code, now=now)
    await a_consent(session, firm, item_codes=item_codes, receiver_ids=receiver_ids, now=now)
    return firm
