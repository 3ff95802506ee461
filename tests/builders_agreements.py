"""Lines, money and reservations for tests, made through the room's own verbs; the session is in platform scope."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count

from builders_parties import Desk, a_fund, a_guarantor, a_lender
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.agreements import service
from xinyidai.agreements.queries import ReservationView
from xinyidai.agreements.rules import AgreementId
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.ids import new_id
from xinyidai.parties.rules import PartyId

_numbers = count(1)


@dataclass(frozen=True)
class Line:
    """An open line with the desks of its parties."""

    id: AgreementId
    fund: Desk
    lender: Desk
    guarantor: Desk | None


async def a_line(
    session: AsyncSession,
    *,
    fund: Desk | None = None,
    lender: Desk | None = None,
    with_guarantor: bool = True,
    fund_ppm: int = 300_000,
    lender_ppm: int = 200_000,
    capacity_fen: int = 100_000_000,
    per_firm_cap_fen: int = 50_000_000,
    claim_after_days: int = 60,
    max_rate_bp: int = 1_500,
    stop_loss_ppm: int | None = 1_000_000,
    fund_cash_fen: int = 0,
    guarantor_cash_fen: int = 0,
    valid_from: date | None = None,
    now: datetime,
) -> Line:
    """Return an open line, by default lender 20, fund 30, guarantor 50 percent and never stopped by losses."""
    fund = fund or await a_fund(session, now=now)
    lender = lender or await a_lender(session, now=now)
    guarantor = await a_guarantor(session, now=now) if with_guarantor else None
    opens_on = valid_from or business_date(now)
    agreement_id = await service.open_agreement(
        session,
        fund.maker,
        fund.checker,
        name=f"测试分担协议{next(_numbers)}",
        fund_id=fund.id,
        lender_id=lender.id,
        guarantor_id=guarantor.id if guarantor else None,
        fund_share_ppm=fund_ppm if guarantor else 1_000_000 - lender_ppm,
        lender_share_ppm=lender_ppm,
        guarantor_share_ppm=1_000_000 - fund_ppm - lender_ppm if guarantor else 0,
        capacity_fen=capacity_fen,
        per_firm_cap_fen=per_firm_cap_fen,
        claim_after_days=claim_after_days,
        max_rate_bp=max_rate_bp,
        stop_loss_ppm=stop_loss_ppm,
        valid_from=opens_on,
        valid_to=opens_on + timedelta(days=365),
        now=now,
    )
    await some_cash(session, fund, fund_cash_fen, now=now)
    if guarantor:
        await some_cash(session, guarantor, guarantor_cash_fen, now=now)
    return Line(agreement_id, fund, lender, guarantor)


async def some_cash(session: AsyncSession, payer: Desk, amount_fen: int, *, now: datetime) -> None:
    """Let a fund or guarantor pay money in; nothing for zero."""
    if amount_fen:
        await service.pay_in(
            session,
            payer.maker,
            payer.checker,
            payer_id=payer.id,
            amount_fen=amount_fen,
            reference=f"拨款{next(_numbers)}",
            paid_on=business_date(now),
            now=now,
        )


async def a_reservation(
    session: AsyncSession,
    line: Line,
    firm_id: PartyId,
    *,
    principal_fen: int = 10_000_000,
    rate_bp: int = 400,
    now: datetime,
) -> ReservationView:
    """Return capacity held for a new offer."""
    return await service.reserve(
        session,
        lender_id=line.lender.id,
        firm_id=firm_id,
        offer_id=new_id(),
        principal_fen=principal_fen,
        rate_bp=rate_bp,
        now=now,
    )
