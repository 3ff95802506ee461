"""What the start page shows of the platform's life: kinds of events, districts, banks, bands of amounts; no names."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import platform_scope
from xinyidai.demands import queries as demands
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.outbox import Envelope, newest_events
from xinyidai.loans import queries as loans
from xinyidai.parties import queries as parties

SHOWN_EVENTS = (
    "DemandSubmitted",
    "OfferIssued",
    "OfferAccepted",
    "LoanDisbursed",
    "LoanRepaid",
    "LoanOverdue",
    "ClaimPaid",
)
FEED_LENGTH = 12
BANDS_FEN = (10_000_000, 50_000_000, 100_000_000, 300_000_000)
"""Upper ends of the bands 10, 50, 100 and 300 万元."""


@dataclass(frozen=True)
class FeedItem:
    """One event without names: `band` counts the ends of BANDS_FEN below the amount, None without an amount."""

    id: UUID
    kind: str
    district_zh: str
    district_en: str
    bank: str
    band: int | None
    occurred_at: datetime


async def feed(session: AsyncSession, *, now: datetime, limit: int = FEED_LENGTH) -> list[FeedItem]:
    """Return the newest events that visitors may see, newest first.

    Reads as the platform and gives back only what names nobody but the bank: two look-ups for the whole list, one
    for each amount.
    """
    async with platform_scope(session):
        events = await newest_events(session, SHOWN_EVENTS, limit=limit)
        ids = {UUID(event.body[field]) for event in events for field in ("firm_id", "lender_id") if field in event.body}
        known = await parties.parties_by_id(session, ids)
        regions = {region.code: region for region in await parties.regions_on(session, business_date(now))}
        items = []
        for event in events:
            firm = known.get(event.id_of("firm_id")) if "firm_id" in event.body else None  # type: ignore[call-overload]
            bank = known.get(event.id_of("lender_id")) if "lender_id" in event.body else None  # type: ignore[call-overload]
            region = regions.get(firm.region_code or "") if firm else None
            items.append(
                FeedItem(
                    id=event.event_id,
                    kind=event.name,
                    district_zh=region.name_zh if region else "",
                    district_en=region.name_en if region else "",
                    bank=bank.name if bank else "",
                    band=band_of(await _amount(session, event)),
                    occurred_at=event.occurred_at,
                )
            )
    return items


def band_of(amount_fen: int | None) -> int | None:
    """Return how many ends of BANDS_FEN lie at or below an amount."""
    return None if amount_fen is None else sum(end <= amount_fen for end in BANDS_FEN)


async def _amount(session: AsyncSession, event: Envelope) -> int | None:
    if "demand_id" in event.body:
        found = await demands.demand_by_id(session, event.id_of("demand_id"))
        return found.amount_fen if found else None
    if event.name.startswith("Loan"):
        return (await loans.loan(session, event.id_of("loan_id"))).principal_fen
    return None
